"""The walks over a trace: sends and calls in the order of the tree they form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from signal_trace.parts import OTHER_SENDER, Call, NotCalled, Send, Unreceived
from signal_trace.runs import Run, fold
from signal_trace.trace import Trace

Node = Send | Call | NotCalled
N = TypeVar("N", bound="Node | Run")


def short_name(signal: str) -> str:
    """A signal's name without the module: ``post_save``."""
    return signal if signal.startswith("unnamed ") else signal.rpartition(".")[2]


def walk(trace: Trace) -> Iterator[tuple[int, Node]]:
    """Yield each node with its depth, a node before what is nested in it.

    A send is followed by its calls, each with the sends nested in it, and then by
    the receivers that it was to call and did not.
    """
    sends: dict[int | None, list[Node]] = defaultdict(list)
    for send in trace.sends:
        sends[send.parent].append(send)
    return _walk(trace, sends)


def walk_folded(trace: Trace) -> Iterator[tuple[int, Node | Run]]:
    """The same, with a `Run` in place of like sends next to each other. Below it
    comes nothing."""
    return _walk(trace, fold(trace))


def _walk(
    trace: Trace, sends: dict[int | None, list[N]]
) -> Iterator[tuple[int, N | Node]]:
    not_called: dict[int | None, list[N | Node]] = defaultdict(list)
    for one in trace.not_called:
        not_called[one.send].append(one)
    # A stack of its own: receivers may nest deeper than Python lets functions.
    waiting: list[tuple[int, N | Node]] = [(0, one) for one in reversed(sends[None])]
    while waiting:
        depth, node = waiting.pop()
        yield depth, node
        below: Sequence[N | Node] = ()
        if isinstance(node, Send):
            below = [*node.calls, *not_called.get(node.id, ())]
        elif isinstance(node, Call):
            below = sends.get(node.id, ())
        if below:
            waiting += [(depth + 1, one) for one in reversed(below)]


def unreceived_by_signal(trace: Trace) -> list[tuple[str, int, list[Unreceived]]]:
    """The unreceived sends of each signal: its name, how many, and the counts by
    sender. A request often sends one signal for each of many models; Django's own
    signals come last, since they are sent whether or not anybody is to hear."""
    grouped = [
        (signal, sum(one.count for one in counts), counts)
        for signal, counts in _by_signal(trace.unreceived, lambda one: one.signal)
    ]
    return sorted(
        grouped, key=lambda group: (group[0].startswith("django."), -group[1])
    )


def other_senders(trace: Trace) -> list[tuple[str, list[NotCalled]]]:
    """The receivers that were not called for being connected for another sender, by
    signal, those first of which a relative of that sender did send it."""
    missed = [one for one in trace.not_called if one.reason == OTHER_SENDER]
    missed.sort(key=lambda one: one.near_miss is None)
    return _by_signal(missed, lambda one: one.signal)


T = TypeVar("T")


def _by_signal(
    every: Sequence[T], signal: Callable[[T], str]
) -> list[tuple[str, list[T]]]:
    found: dict[str, list[T]] = defaultdict(list)
    for one in every:
        found[signal(one)].append(one)
    return list(found.items())
