from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings

from signal_trace.documents import to_plain
from signal_trace.parts import Call, Queries, Send
from signal_trace.trace import Trace
from tests.traces import CHECKOUT, EMPTY, IMPORT, traces


def events_of(trace: Trace, phase: str = "X") -> list[dict[str, Any]]:
    document = json.loads(trace.export("perfetto"))
    return [event for event in document["traceEvents"] if event["ph"] == phase]


def interval(event: dict[str, Any]) -> tuple[int, int]:
    """The event's start and end in nanoseconds."""
    return round(event["ts"] * 1000), round((event["ts"] + event["dur"]) * 1000)


def uniquely_named(trace: Trace) -> Trace:
    return replace(
        trace,
        name="trace",
        sends=tuple(
            replace(
                send,
                signal="signal",
                sender=f"{send.id}",
                calls=tuple(
                    replace(call, receiver=f"{call.id}") for call in send.calls
                ),
            )
            for send in trace.sends
        ),
    )


def id_of(event: dict[str, Any]) -> int | None:
    """The id of the send or call of a `uniquely_named` trace, None for the trace."""
    if event["cat"] == "trace":
        return None
    return int(event["name"].rpartition(" ")[2])


def ancestors(trace: Trace) -> dict[int | None, set[int | None]]:
    found: dict[int | None, set[int | None]] = {None: set()}
    for send in trace.sends:
        found[send.id] = {send.parent, *found[send.parent]}
        for call in send.calls:
            found[call.id] = {send.id, *found[send.id]}
    return found


@pytest.mark.slow
@settings(deadline=None)
@given(traces())
def test_everything_is_there_once_with_its_times(trace: Trace) -> None:
    trace = uniquely_named(trace)
    nodes: list[Send | Call] = [*trace.sends, *trace.calls]
    expected: dict[object, tuple[int, int]] = {None: (0, trace.duration_ns)}
    expected |= {one.id: (one.start_ns, trace.end_of(one)) for one in nodes}
    events = events_of(trace)
    assert len(events) == len(expected)
    assert {id_of(event): interval(event) for event in events} == expected


@pytest.mark.slow
@settings(deadline=None)
@given(traces())
def test_events_of_a_track_nest_as_the_tree_does(trace: Trace) -> None:
    trace = uniquely_named(trace)
    above = ancestors(trace)
    for one, other in combinations(events_of(trace), 2):
        if one["tid"] != other["tid"]:
            continue
        (start, end), (begin, stop) = interval(one), interval(other)
        if end <= begin or stop <= start:
            continue  # They touch at most.
        assert (start <= begin and stop <= end) or (begin <= start and end <= stop)
        if (start, end) == (begin, stop):
            related = id_of(one) in above[id_of(other)] | {id_of(other)}
            assert related or id_of(other) in above[id_of(one)]
        elif start <= begin and stop <= end:
            assert id_of(one) in above[id_of(other)]
        else:
            assert id_of(other) in above[id_of(one)]


@pytest.mark.slow
@settings(deadline=None)
@given(traces())
def test_events_are_what_the_format_asks_for(trace: Trace) -> None:
    tracks = set()
    for event in events_of(trace):
        assert math.isfinite(event["ts"])
        assert math.isfinite(event["dur"])
        assert event["ts"] >= 0
        assert event["dur"] >= 0
        assert type(event["name"]) is str
        tracks.add((event["pid"], event["tid"]))
    named = {
        (event["pid"], event["tid"])
        for event in events_of(trace, "M")
        if event["name"] == "thread_name"
    }
    assert named == tracks


def test_sequential_sends_and_calls_share_one_track() -> None:
    send = CHECKOUT.sends[0]
    assert {event["tid"] for event in events_of(replace(CHECKOUT, sends=(send,)))} == {
        1
    }


def test_concurrent_calls_are_put_on_tracks_of_their_own() -> None:
    tracks = {event["name"]: event["tid"] for event in events_of(CHECKOUT)}
    assert tracks == {
        "POST /checkout/": 1,
        "post_save from shop.Order": 1,
        "shop.receivers.announce": 1,
        "order_placed from shop.Order": 1,
        "shop.receivers.Mailer.send": 1,
        "shop.receivers.poll": 2,
        "shop.receivers.take_from_stock": 1,
    }
    assert [
        event["args"]["name"]
        for event in events_of(CHECKOUT, "M")
        if event["name"] == "thread_name"
    ] == ["receivers", "concurrent 1"]


def test_track_that_is_free_again_is_used_again() -> None:
    send = CHECKOUT.sends[1]
    first = send.calls[0]
    times = [(0, 10), (5, 10), (12, 10), (16, 10)]
    calls = tuple(
        replace(first, id=number, start_ns=start, duration_ns=duration)
        for number, (start, duration) in enumerate(times, 10)
    )
    trace = replace(
        CHECKOUT,
        sends=(replace(send, parent=None, start_ns=0, duration_ns=30, calls=calls),),
        not_called=(),
        omitted=(),
    )
    assert [event["tid"] for event in events_of(trace) if event["cat"] == "call"] == [
        1,
        2,
        1,
        2,
    ]


def test_trace_of_nothing_is_the_trace_itself() -> None:
    [event] = events_of(EMPTY)
    assert (event["name"], event["ts"], event["dur"]) == ("block", 0, 0)


@pytest.mark.parametrize(
    ("name", "details"),
    [
        (
            "post_save from shop.Order",
            {
                "signal": "django.db.models.signals.post_save",
                "method": "send",
                "call site": "/srv/shop/views.py:12",
                "transaction": "rolled back",
                "not called": ["shop.receivers.reindex"],
                "error": "ValueError: no stock",
            },
        ),
        ("shop.receivers.announce", {"source": "shop/receivers.py:10"}),
        ("shop.receivers.Mailer.send", {"async": True}),
        (
            "shop.receivers.poll",
            {
                "async": True,
                "source": "shop/receivers.py:50",
                "finished": "never",
            },
        ),
    ],
)
def test_details_stand_where_the_viewers_look_for_them(
    name: str, details: dict[str, Any]
) -> None:
    [event] = [event for event in events_of(CHECKOUT) if event["name"] == name]
    assert event["args"] == {"data": details}


def test_what_differs_between_sends_is_in_an_instant_event() -> None:
    events = events_of(CHECKOUT, "i")
    assert [(event["name"], event["ts"], event["tid"]) for event in events] == [
        ("details of post_save from shop.Order", 2000, 1),
        ("details of order_placed from shop.Order", 3000, 1),
    ]
    assert events[0]["args"]["data"] == {
        "arguments": CHECKOUT.sends[0].arguments,
        "queries": 3,
        "queries_ms": 2.0,
        "receivers": [
            {
                "receiver": "shop.receivers.announce",
                "queries": 3,
                "queries_ms": 2.0,
            }
        ],
    }


def test_sends_without_any_such_details_have_no_instant_event() -> None:
    send = replace(CHECKOUT.sends[0], calls=(), arguments={}, queries=Queries())
    trace = replace(CHECKOUT, sends=(send,))
    assert events_of(trace, "i") == []


def test_like_sends_are_all_there_under_one_name_and_with_the_same_details() -> None:
    sends = [event for event in events_of(IMPORT) if event["cat"] == "send"]
    assert len(sends) == 480
    assert len({(event["name"], json.dumps(event["args"])) for event in sends}) == 2


def test_document_names_the_trace() -> None:
    document = json.loads(CHECKOUT.export("perfetto"))
    assert document["otherData"] == {
        "id": CHECKOUT.id,
        "started_at": "2026-01-02T03:04:05+00:00",
        "omitted_sends": 0,
        "findings": to_plain(CHECKOUT.findings),
    }
    assert document["displayTimeUnit"] == "ms"


def test_document_can_be_written_whatever_is_in_it() -> None:
    text = replace(CHECKOUT, name="caf\udce9").export("perfetto")
    assert json.loads(text.encode())["traceEvents"][1]["name"] == "caf\udce9"
