from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from signal_trace.parts import HINT, Finding
from signal_trace.sinks.choosing import Choice, choose
from tests.traces import CHECKOUT, FAILURE, IMPORT, MS, saves

if TYPE_CHECKING:
    from signal_trace import Trace

# Twenty sends that are all different, each two longer than the two before.
DIFFERENT = replace(
    IMPORT,
    sends=tuple(
        replace(send, sender=f"shop.Thing{number}")
        for number, send in enumerate(saves(10))
    ),
)


def ids(choice: Choice) -> list[int]:
    return [node.id for node, _ in choice.nodes]


def test_all_are_chosen_where_they_are_not_too_many() -> None:
    choice = choose(CHECKOUT, 6)
    assert [(node.id, around) for node, around in choice.nodes] == [
        (1, None),
        (2, 1),
        (3, 1),
        (4, 2),
        (5, 4),
        (6, 4),
    ]
    assert not choice.left_out
    assert not choice.alike


def test_like_sends_are_not_put_together_where_they_are_few() -> None:
    few = replace(IMPORT, sends=tuple(saves(5)))
    assert len(choose(few, 20).nodes) == 20
    assert len(choose(few, 19).nodes) == 4


def test_slowest_of_like_sends_is_chosen_with_what_is_nested_in_it() -> None:
    sends = list(saves(4))
    inner = replace(sends[-1], id=900, parent=sends[5].calls[0].id, calls=())
    others = [
        replace(inner, id=901 + number, parent=sends[at].calls[0].id)
        for number, at in enumerate((1, 3, 7))
    ]
    trace = replace(IMPORT, sends=(*sends, inner, *others))
    slowest = (sends[6], sends[7])
    choice = choose(trace, 10)
    assert ids(choice) == [
        *(slowest[0].id, slowest[0].calls[0].id),
        *(slowest[1].id, slowest[1].calls[0].id),
        903,
    ]
    assert {id: run.count for id, run in choice.alike.items()} == {
        slowest[0].id: 4,
        slowest[1].id: 4,
    }
    assert choice.left_out == {None: 20 - 5}


def test_longest_are_chosen_of_different_ones() -> None:
    choice = choose(DIFFERENT, 4)
    last = DIFFERENT.sends[-2:]
    assert ids(choice) == [id for send in last for id in (send.id, send.calls[0].id)]
    assert choice.left_out == {None: 36}


def short_one(failing: bool) -> Trace:
    """DIFFERENT with a send inside the shortest of its calls."""
    first, *others = DIFFERENT.sends
    inner = replace(
        others[0],
        id=900,
        parent=first.calls[0].id,
        start_ns=first.start_ns,
        duration_ns=1,
        calls=(),
        error=FAILURE if failing else None,
    )
    return replace(DIFFERENT, sends=(first, *others, inner))


def test_what_failed_is_chosen_with_what_it_is_nested_in() -> None:
    first, last = DIFFERENT.sends[0], DIFFERENT.sends[-2]
    choice = choose(short_one(failing=True), 4)
    assert ids(choice) == [first.id, first.calls[0].id, last.id, 900]
    assert choice.left_out == {None: 36, last.id: 1}  # Its call.
    assert 900 not in ids(choose(short_one(failing=False), 4))


def test_evidence_is_chosen_before_what_took_longer() -> None:
    first = DIFFERENT.sends[0]
    finding = Finding("near-miss", "", HINT, "", "", (first.calls[0].id, 5), ())
    choice = choose(replace(DIFFERENT, findings=(finding,)), 2)
    assert ids(choice) == [first.id, first.calls[0].id]


def test_what_is_nested_in_a_send_that_was_left_out_counts_further_up() -> None:
    send = CHECKOUT.sends[1]
    long_call = replace(send.calls[0], duration_ns=50 * MS)
    inner = replace(send, duration_ns=1, calls=(long_call,))
    quiet = replace(
        CHECKOUT.sends[0],
        error=None,
        calls=tuple(replace(call, error=None) for call in CHECKOUT.sends[0].calls),
    )
    trace = replace(CHECKOUT, sends=(quiet, inner), findings=())
    choice = choose(trace, 3)
    assert [(node.id, around) for node, around in choice.nodes] == [
        (1, None),
        (2, 1),
        (5, 2),
    ]
    assert choice.left_out == {1: 1, 2: 1}


@pytest.mark.parametrize("most", [0, 1, 3])
def test_no_more_are_chosen_than_may_be(most: int) -> None:
    choice = choose(CHECKOUT, most)
    assert len(choice.nodes) == most
    assert choice.left_out.total() == 6 - most
