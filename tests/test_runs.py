from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_trace.parts import (
    CANCELLED,
    EARLIER_RAISED,
    HINT,
    ROLLED_BACK,
    Finding,
    Frame,
    NotCalled,
    Send,
)
from signal_trace.runs import Run, fold
from signal_trace.trace import Trace
from signal_trace.tree import walk_folded
from tests.traces import EMPTY, FAILURE, IMPORT, saves, traces


def trace_of(sends: list[Send], **changes: Any) -> Trace:
    return replace(EMPTY, sends=tuple(sends), **changes)


def folded(trace: Trace) -> list[str]:
    """The top level: each send's signal, with how many times it was sent."""
    return [
        f"{node.signal.rpartition('.')[2]} {node.count if isinstance(node, Run) else 1}"
        for node in fold(trace)[None]
    ]


def sent(names: str, **changes: Any) -> list[Send]:
    """Sends of signals that are called by one letter each."""
    [first, _] = saves(1)
    return [
        replace(
            first,
            id=100 + 2 * number,
            signal=name,
            calls=(replace(first.calls[0], id=101 + 2 * number),),
            **changes,
        )
        for number, name in enumerate(names)
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("", []),
        ("aa", ["a 1", "a 1"]),
        ("aaa", ["a 3"]),
        ("aaab", ["a 3", "b 1"]),
        ("baaa", ["b 1", "a 3"]),
        ("abab", ["a 1", "b 1", "a 1", "b 1"]),
        ("ababab", ["a 3", "b 3"]),
        ("abababa", ["a 3", "b 3", "a 1"]),
        ("abcdabcdabcd", ["a 3", "b 3", "c 3", "d 3"]),
        ("abaccabaccabacc", [f"{name} 1" for name in "abaccabaccabacc"]),
        ("abacabacabac", ["a 6", "b 3", "c 3"]),
        ("aaaababab", ["a 4", *(f"{name} 1" for name in "babab")]),
    ],
)
def test_sends_that_repeat_are_folded(names: str, expected: list[str]) -> None:
    assert folded(trace_of(sent(names))) == expected


def test_saves_in_a_loop_are_two_runs_with_their_times() -> None:
    before, after = fold(IMPORT)[None]
    assert isinstance(before, Run)
    assert isinstance(after, Run)
    assert (before.count, before.min_ns, before.max_ns) == (240, 100, 24_000)
    assert before.duration_ns == sum(range(100, 24_001, 100))
    assert before.queries.count == 480
    assert before.sender == "shop.Line"
    assert before.arguments == {"raw": False}  # And not the instance.


def test_instances_of_one_model_are_alike() -> None:
    sends = sent("aaa")
    sends = [replace(one, sender=f"shop.Line(pk={one.id})") for one in sends]
    assert folded(trace_of(sends)) == ["a 3"]


@pytest.mark.parametrize(
    "change",
    [
        {"sender": "shop.Order"},
        {"method": "send_robust"},
        {"call_site": Frame("/srv/shop/views.py", 21, "add_lines")},
        {"transaction": ROLLED_BACK},
        {"on_commit": True},
        {"arguments": {"action": "post_add"}},
        {"error": FAILURE},
        {"duration_ns": None},
        {"calls": ()},
    ],
    ids=str,
)
def test_one_that_differs_ends_a_run(change: dict[str, Any]) -> None:
    sends = sent("aaaaaaa")
    sends[3] = replace(sends[3], **change)
    assert folded(trace_of(sends)) == ["a 3", "a 1", "a 3"]


@pytest.mark.parametrize(
    "change",
    [
        {"error": FAILURE},
        {"outcome": CANCELLED},
        {"duration_ns": None},
        {"receiver": "shop.receivers.other"},
    ],
    ids=str,
)
def test_one_whose_call_differs_ends_a_run(change: dict[str, Any]) -> None:
    sends = sent("aaaaaaa")
    [call] = sends[3].calls
    sends[3] = replace(sends[3], calls=(replace(call, **change),))
    assert folded(trace_of(sends)) == ["a 3", "a 1", "a 3"]


def test_two_failures_of_one_kind_are_not_folded() -> None:
    assert folded(trace_of(sent("aaa", error=FAILURE))) == ["a 1", "a 1", "a 1"]


def test_one_with_a_receiver_that_was_not_called_ends_a_run() -> None:
    sends = sent("aaaaaaa")
    missed = NotCalled(sends[3].id, "a", "shop.f", None, None, EARLIER_RAISED)
    trace = trace_of(sends, not_called=(missed,))
    assert folded(trace) == ["a 3", "a 1", "a 3"]


def finding(*evidence: int) -> Finding:
    return Finding("many", "Many", HINT, "many", "less", evidence, ())


def test_the_one_that_a_finding_names_is_not_hidden() -> None:
    sends = sent("aaaaaaa")
    trace = trace_of(sends, findings=(finding(sends[3].calls[0].id),))
    assert folded(trace) == ["a 3", "a 1", "a 3"]


def test_a_finding_about_all_of_a_run_leaves_it_one() -> None:
    sends = sent("aaaa")
    both = (finding(1), finding(*(one.id for one in sends)))
    [run] = fold(trace_of(sends, findings=both))[None]
    assert isinstance(run, Run)


def nested(counts: list[int]) -> list[Send]:
    """Sends in each of which so many lines are saved."""
    sends = []
    for number, send in enumerate(sent("a" * len(counts))):
        inner = saves(
            counts[number], parent=send.calls[0].id, first_id=1000 * (number + 1)
        )
        sends += [send, *inner]
    return sends


def test_those_with_like_sends_inside_are_alike() -> None:
    assert folded(trace_of(nested([2, 1, 5]))) == ["a 3"]


def test_one_with_other_sends_inside_ends_a_run() -> None:
    counts = [2, 2, 2, 0, 2, 2, 2]
    assert folded(trace_of(nested(counts))) == ["a 3", "a 1", "a 3"]


def test_a_failure_deep_inside_ends_a_run() -> None:
    sends = nested([1, 1, 1, 1, 1, 1, 1])
    at = next(i for i, one in enumerate(sends) if one.id == 4000)
    sends[at] = replace(sends[at], error=FAILURE)
    assert folded(trace_of(sends)) == ["a 3", "a 1", "a 3"]


def test_the_one_that_a_finding_names_deep_inside_is_not_hidden() -> None:
    trace = trace_of(nested([3] * 7), findings=(finding(4002),))
    assert folded(trace) == ["a 3", "a 1", "a 3"]


def test_a_finding_about_all_inside_of_a_run_leaves_it_one() -> None:
    both = (finding(1), finding(1000, 2000, 3000))
    [run] = fold(trace_of(nested([1, 1, 1]), findings=both))[None]
    assert isinstance(run, Run)


def test_sends_inside_a_call_are_folded_there() -> None:
    [outer] = sent("a")
    inner = saves(5, parent=outer.calls[0].id, first_id=500)
    nodes = list(walk_folded(trace_of([outer, *inner])))
    assert [depth for depth, _ in nodes] == [0, 1, 2, 2]
    assert [node.count for _, node in nodes if isinstance(node, Run)] == [5, 5]


def test_folding_goes_deeper_than_python_recurses() -> None:
    [first] = sent("a")
    [call] = first.calls
    chain = [
        replace(
            first,
            id=2 * depth,
            parent=2 * depth - 1 if depth else None,
            calls=(replace(call, id=2 * depth + 1),),
        )
        for depth in range(5_000)
    ]
    assert len(list(walk_folded(trace_of(chain)))) == 10_000


@given(st.text("abc", max_size=40))
def test_no_send_is_lost_nor_put_with_another_kind(names: str) -> None:
    trace = trace_of(sent(names))
    met: list[Send] = []
    for node in fold(trace)[None]:
        of_node = node.sends if isinstance(node, Run) else (node,)
        assert {one.signal for one in of_node} == {node.signal}
        assert len(of_node) == 1 or len(of_node) >= 3
        met += of_node
    assert sorted(met, key=lambda one: one.id) == list(trace.sends)


@pytest.mark.slow
@given(traces())
def test_any_trace_is_folded_without_loss(trace: Trace) -> None:
    met: Counter[int] = Counter()
    for nodes in fold(trace).values():
        for node in nodes:
            met.update(
                one.id for one in (node.sends if isinstance(node, Run) else [node])
            )
    assert met == Counter(send.id for send in trace.sends)
