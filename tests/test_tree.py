from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given

from signal_trace.parts import Call, NotCalled, Send
from signal_trace.trace import Trace
from signal_trace.tree import other_senders, walk, walk_folded
from tests.traces import CHECKOUT, EMPTY, IMPORT, traces


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


@pytest.mark.slow
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
    missed = [one for one in trace.not_called if one.send is not None]
    everything = [*trace.sends, *trace.calls, *missed]
    assert met == Counter(map(id, everything))


def test_receivers_for_other_senders_are_told_by_signal_near_misses_first() -> None:
    [(signal, missed)] = other_senders(CHECKOUT)
    assert signal == "django.db.models.signals.post_save"
    assert [one.receiver for one in missed] == [
        "shop.receivers.send_voucher",
        "shop.receivers.count_lines",
    ]


def test_below_a_run_comes_nothing() -> None:
    nodes = list(walk_folded(IMPORT))
    assert [depth for depth, _ in nodes] == [0, 0]


def test_without_like_sends_both_walks_are_the_same() -> None:
    assert list(walk_folded(CHECKOUT)) == list(walk(CHECKOUT))
