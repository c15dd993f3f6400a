"""speedscope's own format: evented profiles, one for each track of a trace.

https://www.speedscope.app/file-format-schema.json is its schema. Times are the trace's
nanoseconds as they are; each event that opens a frame has one that closes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from signal_trace.documents import json_text
from signal_trace.exports.tracks import Placed, frame_name, lay_out, track_name
from signal_trace.parts import Call, Send
from signal_trace.trace import Trace

SCHEMA = "https://www.speedscope.app/file-format-schema.json"

#: A frame's name, file and line, and which one of the file's frames it is.
Frames = dict[tuple[str, str | None, int | None], int]


def pieces(traces: Iterable[Trace]) -> Iterator[str]:
    """The frames, which all profiles share, come last: by then they are known."""
    frames: Frames = {}
    yield f'{{"$schema": "{SCHEMA}", "exporter": "signal_trace", "profiles": ['
    separator = ""
    for trace in traces:
        # Those of the first track are written as they come.
        others: dict[int, list[Placed]] = defaultdict(list)
        yield separator
        yield from _profile(trace, 1, trace.duration_ns, _first(trace, others), frames)
        for track in sorted(others):
            end = max(one.end for one in others[track])
            yield ", "
            yield from _profile(trace, track, end, others[track], frames)
        separator = ", "
    shared = [
        {"name": name, "file": file, "line": line}
        if file is not None and line is not None
        else {"name": name}
        for name, file, line in frames
    ]
    yield f'], "shared": {{"frames": {json_text(shared)}}}}}'


def _first(trace: Trace, others: dict[int, list[Placed]]) -> Iterator[Placed]:
    """What is on the first track; the rest is put into *others*."""
    for placed in lay_out(trace):
        if placed.track == 1:
            yield placed
        else:
            others[placed.track].append(placed)


def _profile(
    trace: Trace, track: int, end: int, placed: Iterable[Placed], frames: Frames
) -> Iterator[str]:
    name = trace.name or trace.kind
    if track > 1:
        name = f"{name}, {track_name(track)}"
    yield (
        f'{{"type": "evented", "name": {json_text(name)}, "unit": "nanoseconds",'
        f' "startValue": 0, "endValue": {max(end, trace.duration_ns)}, "events": ['
    )
    separator = ""
    stack: list[tuple[Placed, int]] = []
    for one in placed:
        while stack and not (one.is_inside and stack[-1][0] is one.around):
            yield _close(*stack.pop())
        frame = frames.setdefault(_frame(trace, one.node), len(frames))
        stack.append((one, frame))
        yield f'{separator}{{"type": "O", "frame": {frame}, "at": {one.start}}}'
        separator = ", "
    while stack:
        yield _close(*stack.pop())
    yield "]}"


def _close(placed: Placed, frame: int) -> str:
    return f', {{"type": "C", "frame": {frame}, "at": {placed.end}}}'


def _frame(
    trace: Trace, node: Send | Call | None
) -> tuple[str, str | None, int | None]:
    """A call's line is where the receiver begins, a send's the one that sent it."""
    name = frame_name(trace, node)
    if isinstance(node, Call):
        return name, node.file, node.line
    site = None if node is None else node.call_site
    return (name, None, None) if site is None else (name, site.file, site.line)
