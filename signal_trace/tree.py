"""The one walk over a trace: sends and calls in the order of the tree they form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from signal_trace.parts import Call, NotCalled, Send, Unreceived
from signal_trace.trace import Trace

Node = Send | Call | NotCalled


def short_name(signal: str) -> str:
    """A signal's name without the module: ``post_save``."""
    return signal if signal.startswith("unnamed ") else signal.rpartition(".")[2]


def walk(trace: Trace) -> Iterator[tuple[int, Node]]:
    """Yield each node with its depth, a node before what is nested in it.

    A send is followed by its calls, each with the sends nested in it, and then by
    the receivers that it was to call and did not.
    """
    sends: dict[int | None, list[Node]] = defaultdict(list)
    not_called: dict[int | None, list[Node]] = defaultdict(list)
    for send in trace.sends:
        sends[send.parent].append(send)
    for one in trace.not_called:
        not_called[one.send].append(one)
    # A stack of its own: receivers may nest deeper than Python lets functions.
    waiting: list[tuple[int, Node]] = [(0, send) for send in reversed(sends[None])]
    while waiting:
        depth, node = waiting.pop()
        yield depth, node
        below: list[Node] = []
        if isinstance(node, Send):
            below = [*node.calls, *not_called[node.id]]
        elif isinstance(node, Call):
            below = sends[node.id]
        waiting += ((depth + 1, one) for one in reversed(below))


def unreceived_by_signal(trace: Trace) -> list[tuple[str, int, list[Unreceived]]]:
    """The unreceived sends of each signal: its name, how many, and the counts by
    sender. A request often sends one signal for each of many models; Django's own
    signals come last, since they are sent whether or not anybody is to hear."""
    by_signal: dict[str, list[Unreceived]] = defaultdict(list)
    for one in trace.unreceived:
        by_signal[one.signal].append(one)
    grouped = [
        (signal, sum(one.count for one in counts), counts)
        for signal, counts in by_signal.items()
    ]
    return sorted(
        grouped, key=lambda group: (group[0].startswith("django."), -group[1])
    )
