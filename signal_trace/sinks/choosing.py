"""Which sends and calls of a large trace get a span of their own."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from signal_trace.parts import Call, Send
from signal_trace.runs import Run, fold
from signal_trace.trace import Trace


@dataclass(frozen=True, slots=True)
class Choice:
    """The nodes of a trace that were chosen.

    ``nodes`` come in the order of the trace, each with the id of the chosen node that
    it is nested in, None where that is the trace itself. ``left_out`` counts what
    wasn't chosen by the chosen node that it was nested in. ``alike`` are the runs, by
    the id of the send that stands for each.
    """

    nodes: list[tuple[Send | Call, int | None]]
    left_out: Counter[int | None]
    alike: dict[int, Run]


def choose(trace: Trace, most: int) -> Choice:
    """Choose at most so many sends and calls.

    Of a trace that has no more all are chosen. Of a larger one the slowest of like
    sends in a row stands for all of them; and if that is still too many, what failed
    or is evidence of a finding comes first, with what it is nested in, and then what
    took longest.
    """
    around: dict[int, int | None] = {}
    nodes: dict[int, Send | Call] = {}
    for send in trace.sends:
        nodes[send.id], around[send.id] = send, send.parent
        for call in send.calls:
            nodes[call.id], around[call.id] = call, send.id
    chosen: set[int | None] = {None, *nodes}
    alike: dict[int, Run] = {}
    if len(nodes) > most:
        chosen = {None, *_without_alike(trace, alike)}
    if len(chosen) > most + 1:
        chosen = {None, *_most_telling(trace, nodes, around, chosen, most)}
    left_out: Counter[int | None] = Counter()
    kept = []
    # Outer ones come first, so that they have theirs by then.
    inside: dict[int | None, int | None] = {None: None}
    for id, node in nodes.items():
        parent = inside[around[id]]
        if id in chosen:
            inside[id] = id
            kept.append((node, parent))
        else:
            inside[id] = parent
            left_out[parent] += 1
    return Choice(
        kept, left_out, {id: run for id, run in alike.items() if id in chosen}
    )


def _without_alike(trace: Trace, alike: dict[int, Run]) -> Iterator[int]:
    """The ids of what is left if each run is reduced to its slowest send, which is put
    into *alike*."""
    folded = fold(trace)
    waiting: list[int | None] = [None]
    while waiting:
        for one in folded.get(waiting.pop(), ()):
            if isinstance(one, Run):
                send = max(one.sends, key=lambda send: send.duration_ns or 0)
                alike[send.id] = one
            else:
                send = one
            yield send.id
            for call in send.calls:
                yield call.id
                waiting.append(call.id)


def _most_telling(
    trace: Trace,
    nodes: dict[int, Send | Call],
    around: dict[int, int | None],
    chosen: set[int | None],
    most: int,
) -> list[int]:
    telling: set[int | None] = {None}
    evidence = {id for finding in trace.findings for id in finding.evidence}
    for id, node in nodes.items():
        at: int | None = id
        if node.error is not None or id in evidence:
            while at is not None and at not in telling:
                telling.add(at)
                at = around[at]

    def rank(id: int) -> tuple[bool, int]:
        node = nodes[id]
        return id in telling, trace.end_of(node) - node.start_ns

    return heapq.nlargest(most, (id for id in nodes if id in chosen), key=rank)
