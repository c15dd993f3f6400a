"""Chrome trace events, for Perfetto, speedscope and the Firefox Profiler.

The Trace Event Format of Google's document "Trace Event Format" (2016): complete
events (``"ph": "X"``), times in microseconds. Viewers draw the events of a thread
as a stack, so that they must nest there. What runs concurrently, such as async
receivers, is put on threads of its own.

speedscope takes an event's ``args`` for a part of its name, and the Firefox
Profiler shows ``args.data`` alone. So that is where details are, and only such as
are the same each time: what differs from one send to the next, such as its arguments
and the time of its queries, is in an instant event (``"ph": "i"``) at its start, which
speedscope passes over.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from signal_trace.documents import json_text, to_plain
from signal_trace.durations import in_ms
from signal_trace.parts import RETURNED, UNFINISHED, Call, NotCalled, Queries, Send
from signal_trace.trace import Trace
from signal_trace.tree import short_name, walk

PROCESS = 1


def write(trace: Trace) -> str:
    document = {
        "traceEvents": list(_events(trace)),
        "displayTimeUnit": "ms",
        "otherData": {
            "id": trace.id,
            "started_at": trace.started_at.isoformat(),
            "omitted_sends": trace.omitted_count,
            "findings": to_plain(trace.findings),
        },
    }
    return json_text(document)


def _events(trace: Trace) -> Iterator[dict[str, Any]]:
    yield _metadata("process_name", 0, "signal_trace")
    tracks = _Tracks()
    whole = tracks.place(0, trace.duration_ns)
    yield _complete(trace.name or trace.kind, "trace", whole, {})
    above = [whole]
    missed: dict[int | None, list[str]] = defaultdict(list)
    for one in trace.not_called:
        missed[one.send].append(one.receiver)
    for depth, node in walk(trace):
        if isinstance(node, NotCalled):
            continue
        place = tracks.place(node.start_ns, trace.end_of(node), above[depth])
        above[depth + 1 :] = [place]
        if isinstance(node, Send):
            details = _send_details(node, missed.get(node.id))
            yield _complete(_name(node), "send", place, details)
            yield from _instant(node, place)
        else:
            yield _complete(node.receiver, "call", place, _call_details(node))
    for track in range(1, tracks.count + 1):
        label = "receivers" if track == 1 else f"concurrent {track - 1}"
        yield _metadata("thread_name", track, label)


@dataclass(slots=True)
class _Place:
    """An event's time and track, and until when its children fill that track."""

    start: int
    end: int
    track: int
    filled_until: int


class _Tracks:
    """Gives each event a track on which it nests: that of the event around it, or
    one where nothing else runs meanwhile. Siblings come in the order of their start.
    """

    def __init__(self) -> None:
        self.count = 0
        self._free_from: list[tuple[int, int]] = []

    def place(self, start: int, end: int, around: _Place | None = None) -> _Place:
        if around and around.filled_until <= start and end <= around.end:
            around.filled_until = end
            return _Place(start, end, around.track, start)
        if self._free_from and self._free_from[0][0] <= start:
            _, track = heapq.heappop(self._free_from)
        else:
            track = self.count = self.count + 1
        heapq.heappush(self._free_from, (end, track))
        return _Place(start, end, track, start)


def _name(send: Send) -> str:
    return f"{short_name(send.signal)} from {send.sender}"


def _send_details(send: Send, missed: list[str] | None) -> dict[str, Any]:
    details: dict[str, Any] = {"signal": send.signal, "method": send.method}
    if send.call_site is not None:
        details["call site"] = f"{send.call_site.file}:{send.call_site.line}"
    if send.transaction is not None:
        details["transaction"] = send.transaction
    if send.on_commit:
        details["on_commit"] = True
    if missed:
        details["not called"] = missed
    return details | _failure(send)


def _call_details(call: Call) -> dict[str, Any]:
    details: dict[str, Any] = {"async": True} if call.is_async else {}
    if call.file is not None:
        details["source"] = f"{call.file}:{call.line}"
    if call.outcome not in (RETURNED, UNFINISHED):
        details["outcome"] = call.outcome
    return details | _failure(call)


def _instant(send: Send, place: _Place) -> Iterator[dict[str, Any]]:
    """What a send has of its own, where there is anything."""
    of_calls = [
        {"receiver": call.receiver, **_queries(call.queries)}
        for call in send.calls
        if call.queries.count
    ]
    details: dict[str, Any] = {"arguments": send.arguments} if send.arguments else {}
    if of_calls:
        details |= {**_queries(send.queries), "receivers": of_calls}
    if details:
        yield {
            "ph": "i",
            "s": "t",
            "name": f"details of {_name(send)}",
            "cat": "details",
            "ts": place.start / 1000,
            "pid": PROCESS,
            "tid": place.track,
            "args": {"data": details},
        }


def _queries(queries: Queries) -> dict[str, Any]:
    return {"queries": queries.count, "queries_ms": in_ms(queries.duration_ns)}


def _failure(node: Send | Call) -> dict[str, str]:
    details = {} if node.error is None else {"error": str(node.error)}
    if node.duration_ns is None:
        details["finished"] = "never"
    return details


def _complete(
    name: str, category: str, place: _Place, details: dict[str, Any]
) -> dict[str, Any]:
    event = {
        "ph": "X",
        "name": name,
        "cat": category,
        "ts": place.start / 1000,
        "dur": (place.end - place.start) / 1000,
        "pid": PROCESS,
        "tid": place.track,
    }
    return event | {"args": {"data": details}} if details else event


def _metadata(kind: str, track: int, name: str) -> dict[str, Any]:
    return {
        "ph": "M",
        "name": kind,
        "pid": PROCESS,
        "tid": track,
        "args": {"name": name},
    }
