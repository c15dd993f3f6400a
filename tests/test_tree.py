from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings

from signal_trace.parts import Call, NotCalled, Send
from signal_trace.trace import Trace
from signal_trace.tree import walk
from tests.traces import CHECKOUT, EMPTY, traces


def test_walk_goes_through_the_tree_in_its_order() -> None:
    [saved, placed] = CHECKOUT.sends
    assert list(walk(CHECKOUT)) == [
        (0, saved),
        (1, saved.calls[0]),
        (2, placed),
        (3, placed.calls[0]),
        (3, placed.calls[1]),
        (1, saved.calls[1]),
        (1, CHECKOUT.not_called[0]),
    ]


def test_walk_through_nothing_yields_nothing() -> None:
    assert list(walk(EMPTY)) == []


def test_walk_goes_deeper_than_python_recurses() -> None:
    [send, _] = CHECKOUT.sends
    call = send.calls[0]
    sends = tuple(
        replace(
            send,
            id=2 * depth,
            parent=2 * depth - 1 if depth else None,
            calls=(replace(call, id=2 * depth + 1),),
        )
        for depth in range(5_000)
    )
    nodes = list(walk(replace(CHECKOUT, sends=sends, not_called=())))
    assert [depth for depth, _ in nodes] == list(range(10_000))


@settings(deadline=None)
@given(traces())
def test_walk_meets_everything_once_right_below_what_it_belongs_to(
    trace: Trace,
) -> None:
    above: list[Send | Call | NotCalled] = []
    met: Counter[int] = Counter()
    for depth, node in walk(trace):
        del above[depth:]
        assert len(above) == depth
        met[id(node)] += 1
        over = above[-1] if above else None
        if isinstance(node, Send):
            assert node.parent == (over and isinstance(over, Call) and over.id)
        elif isinstance(node, Call):
            assert isinstance(over, Send)
            assert any(node is call for call in over.calls)
        else:
            assert isinstance(over, Send)
            assert node.send == over.id
        above.append(node)
    everything = [*trace.sends, *trace.calls, *trace.not_called]
    assert met == Counter(map(id, everything))
