"""What all findings have in common."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_trace.conf import Settings
from signal_trace.findings import IDS, LEVELS, RULES, find
from signal_trace.parts import (
    BULK_WRITES,
    MAIL,
    OTHER_SENDER,
    RETURNED,
    ROLLED_BACK,
    SWALLOWED,
    TASK,
    Connection,
    Event,
    Finding,
    Frame,
    NotCalled,
    Queries,
    Statement,
)
from signal_trace.trace import Trace
from tests.findings.building import found, ran, saved, traced
from tests.traces import CHECKOUT, EMPTY, LARGE, POST_SAVE, traces

DOCS = Path(__file__).parent.parent.parent / "docs" / "findings.md"
SIGNALS = [POST_SAVE, "shop.placed", "django.db.models.signals.m2m_changed"]
EVERYTHING = Settings(
    SLOW_RECEIVER_MS=0, REPEATED_CALLS=2, REPEATED_QUERIES=2, DEEP_NESTING=2
)


def test_every_finding_is_documented_under_a_heading_of_its_own() -> None:
    headings = re.findall(r"^## `(.+)`$", DOCS.read_text(), re.MULTILINE)
    assert headings == list(IDS)


def test_where_to_look_is_documented_of_every_finding() -> None:
    assert DOCS.read_text().count("\n**Where to look:** ") == len(IDS)


def test_every_field_of_a_finding_is_documented() -> None:
    documented = re.findall(r"^\| `(\w+)` \|", DOCS.read_text(), re.MULTILINE)
    assert documented == [field.name for field in fields(Finding)]


def test_ids_are_made_of_the_functions_names() -> None:
    assert len(set(IDS)) == len(RULES)
    assert "slow-receiver" in IDS
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", id) for id in IDS)


def test_nothing_is_found_in_nothing() -> None:
    assert find(EMPTY, EVERYTHING) == ()


def test_an_ordinary_page_has_no_findings() -> None:
    """A login, and an object saved in the admin: with its history, its tags, and the
    admin's own entry."""
    insert = Queries(count=1, writes=1, repeated=Statement("INSERT", 1))
    loaded = [
        saved(pk, ran("track", ms=0.01), signal="post_init", at=None)
        for pk in range(100)
    ]
    user = saved(
        1, ran("account"), model="auth.User", at=None, update_fields=["last_login"]
    )
    history = saved(5, ran("index"), model="shop.HistoricalProduct", created=True)
    product = saved(5, ran("history", history, queries=insert), at=None)
    before = saved(5, ran("number"), signal="pre_save", at=None)
    entry = saved(9, ran("index"), model="admin.LogEntry", created=True, at=None)
    trace = traced(*loaded, user, before, product, entry, duration_ms=150)
    assert find(trace, Settings()) == ()


def test_what_matters_most_comes_first() -> None:
    swallowed = ran("label", outcome=SWALLOWED)
    trace = traced(
        saved(1, ran("mail", ms=40), ran("mail", ms=40), at=30),
        saved(1, ran("mail", ms=20), swallowed, at=41),
        saved(2, ran("index", ms=90), at=41),
    )
    assert [(one.level, one.id) for one in find(trace, Settings())] == [
        ("problem", "swallowed-exception"),
        ("warning", "ran-twice"),
        ("warning", "slow-receiver"),
        ("warning", "slow-receiver"),
        ("hint", "ran-twice"),
    ]


SLOW = traced(saved(1, ran("shop.search.index", ms=40), ran("shop.mail.post", ms=50)))


@pytest.mark.parametrize(
    ("silenced", "left"),
    [
        ([], ["shop.mail.post", "shop.search.index"]),
        (["slow-receiver"], []),
        (["cycle", "nonsense"], ["shop.mail.post", "shop.search.index"]),
        (["slow-receiver:shop.mail.post"], ["shop.search.index"]),
        (["slow-receiver:shop.mail"], ["shop.search.index"]),
        (["slow-receiver:shop"], []),
        (["slow-receiver:shop.ma"], ["shop.mail.post", "shop.search.index"]),
        (["cycle:shop.mail"], ["shop.mail.post", "shop.search.index"]),
        (["slow-receiver:shop.mail", "slow-receiver:shop.search"], []),
        (["slow-receiver:"], ["shop.mail.post", "shop.search.index"]),
    ],
)
def test_findings_are_silenced_by_id_and_receiver(
    silenced: list[str], left: list[str]
) -> None:
    findings = find(SLOW, Settings(SILENCED_FINDINGS=silenced))
    assert [one.receivers[0] for one in findings] == left


def test_many_findings_of_a_kind_are_one() -> None:
    swallowed = [ran("label", outcome=SWALLOWED) for _ in range(500)]
    sends = [saved(pk, one) for pk, one in enumerate(swallowed)]
    assert len(found(traced(*sends), "swallowed-exception")) == 1


def test_findings_are_the_same_when_the_trace_has_some_already() -> None:
    once = find(SLOW, Settings())
    assert find(replace(SLOW, findings=once), Settings()) == once


def test_known_traces_are_examined() -> None:
    assert [one.id for one in find(CHECKOUT, Settings())] == [
        "rolled-back",
        "never-ran",
        "near-miss",
    ]
    assert "slow-receiver" in {one.id for one in find(LARGE, Settings())}


def plain(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


names = st.sampled_from(["shop.a", "shop.B.b", "django.x", "注文", ""])
instances = st.sampled_from(
    ["shop.Order(pk=1)", "shop.Order(pk=2)", "shop.Order(pk=None)", "shop.models.Order"]
)
frames = st.builds(Frame, file=names, line=st.integers(1, 3), function=names)
arguments = st.dictionaries(
    st.sampled_from(["instance", "raw", "action", "update_fields", "order", "created"]),
    instances
    | st.booleans()
    | st.none()
    | st.lists(names, max_size=1)
    | st.floats(0, 1),
)
queries = st.builds(
    Queries,
    count=st.integers(0, 3),
    writes=st.integers(0, 3),
    repeated=plain(st.builds(Statement, sql=names, count=st.integers(1, 3))),
)
connections = st.builds(
    Connection,
    dispatch_uid=plain(names),
    weak=st.booleans(),
    sender=plain(names),
    place=st.integers(1, 3),
)


@st.composite
def factual(draw: st.DrawFn) -> Trace:
    """Random traces that have facts as well."""
    trace = draw(traces())
    sends = tuple(
        replace(
            send,
            signal=draw(st.sampled_from(SIGNALS)),
            arguments=draw(arguments),
            call_site=draw(plain(frames)),
            transaction=draw(st.sampled_from([None, ROLLED_BACK])),
            calls=tuple(
                replace(
                    call,
                    receiver=draw(names),
                    queries=draw(queries),
                    outcome=draw(st.sampled_from([RETURNED, SWALLOWED])),
                    connection=draw(plain(connections)),
                )
                for call in send.calls
            ),
        )
        for send in trace.sends
    )
    events = st.builds(
        Event,
        kind=st.sampled_from([MAIL, TASK, *BULK_WRITES]),
        subject=names,
        call=st.sampled_from([None, 0, 1, *(call.id for call in trace.calls)]),
        call_site=plain(frames),
        count=st.integers(0, 3),
        in_transaction=st.booleans(),
        in_callback=st.booleans(),
        receivers=st.lists(names, max_size=2).map(tuple),
    )
    missed = st.builds(
        NotCalled,
        send=st.none(),
        signal=st.just(POST_SAVE),
        receiver=names,
        file=st.none(),
        line=st.none(),
        reason=st.just(OTHER_SENDER),
        sender=plain(names),
        near_miss=plain(names),
    )
    return replace(
        trace,
        sends=sends,
        events=tuple(draw(st.lists(events, max_size=3))),
        not_called=(*trace.not_called, *draw(st.lists(missed, max_size=2))),
    )


@pytest.mark.slow
@given(factual())
def test_any_trace_can_be_examined(trace: Trace) -> None:
    ids = {send.id for send in trace.sends} | {call.id for call in trace.calls}
    findings = find(trace, EVERYTHING)
    for finding in findings:
        assert finding.id in IDS
        assert finding.message
        assert finding.advice
        assert set(finding.evidence) <= ids
        assert all(type(name) is str for name in finding.receivers)
    levels = [LEVELS.index(one.level) for one in findings]
    assert levels == sorted(levels)
    every = [f"{one.id}:{name}" for one in findings for name in one.receivers if name]
    silenced = replace(EVERYTHING, SILENCED_FINDINGS=every)
    assert not [name for one in find(trace, silenced) for name in one.receivers if name]
    assert replace(trace, findings=findings) == Trace.from_json(
        replace(trace, findings=findings).to_json()
    )


def test_time_does_not_grow_with_the_square_of_a_trace() -> None:
    """Of a long trace in which everything is to be found."""

    def examined(count: int) -> int:
        steps = 0

        class Counted(str):
            def __hash__(self) -> int:
                nonlocal steps
                steps += 1
                return super().__hash__()

        sends = [saved(1, ran("note", ms=1), at=pk % 50) for pk in range(count)]
        trace = traced(*sends, duration_ms=count * 2)
        counted = tuple(
            replace(send, signal=Counted(send.signal)) for send in trace.sends
        )
        assert find(replace(trace, sends=counted), EVERYTHING)
        return steps

    assert examined(4_000) < 5 * examined(1_000)
