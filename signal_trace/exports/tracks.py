"""Sends and calls laid out on tracks, as viewers of profiles draw them.

What is on a track nests like the calls on a stack. What runs concurrently, such as
async receivers, is on tracks of its own.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from signal_trace.parts import Call, NotCalled, Send
from signal_trace.runs import without_pk
from signal_trace.trace import Trace
from signal_trace.tree import short_name, walk


@dataclass(slots=True)
class Placed:
    """A send or call, or the whole trace (then ``node`` is None), on its track, from
    1.

    ``around`` is what caused it, and ``is_inside`` says whether it is nested in that on
    the track as well. ``inner`` is what was placed inside of it last.

    Where times are added up as floating point numbers, what only touches may seem to
    overlap. So many picoseconds is it to begin ``late`` there, and to end ``early``.
    """

    node: Send | Call | None
    start: int
    end: int
    track: int
    around: Placed | None
    is_inside: bool = False
    inner: Placed | None = None
    late: int = 0
    early: int = 0

    def has_room(self, start: int, end: int) -> bool:
        inner = self.inner
        return end <= self.end and start >= (inner.end if inner else self.start)


def lay_out(trace: Trace) -> Iterator[Placed]:
    """Place the whole trace, and then each send and call, in the order of the tree.

    What is on one track comes in the order of its start, outer before inner.
    """
    whole = Placed(None, 0, trace.duration_ns, 1, None)
    yield whole
    # The outermost that was placed last on each track; and the tracks on which nothing
    # more will be placed inside of that, the one first that is free the earliest.
    outermost = [whole, whole]
    free: list[tuple[int, int]] = []
    above = [whole]
    for depth, node in walk(trace):
        if isinstance(node, NotCalled):
            continue
        while len(above) > depth + 1:
            left = above.pop()
            if not left.is_inside:
                heapq.heappush(free, (left.end, left.track))
        around = above[depth]
        start, end = node.start_ns, trace.end_of(node)
        if around.has_room(start, end):
            before = around.inner
            placed = Placed(node, start, end, around.track, around, True)
            around.inner = placed
            if start == around.start:
                placed.late = around.late
            if end == around.end:
                placed.early = around.early + 1
        elif free and free[0][0] <= start:
            _, track = heapq.heappop(free)
            before = outermost[track]
            placed = outermost[track] = Placed(node, start, end, track, around)
        else:
            before = None
            placed = Placed(node, start, end, len(outermost), around)
            outermost.append(placed)
        if before is not None and before.end == start:
            placed.late += 1
        above.append(placed)
        yield placed


def frame_name(trace: Trace, node: Send | Call | None) -> str:
    """What it is called in a viewer, which adds up what is called the same."""
    if node is None:
        return trace.name or trace.kind
    if isinstance(node, Call):
        return node.receiver
    return f"{short_name(node.signal)} from {without_pk(node.sender)}"


def track_name(track: int) -> str:
    return "receivers" if track == 1 else f"concurrent {track - 1}"
