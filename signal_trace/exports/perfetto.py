"""Chrome trace events, for Perfetto, speedscope and the Firefox Profiler.

The Trace Event Format of Google's document "Trace Event Format" (2016): complete
events (``"ph": "X"``), times in microseconds. Viewers draw the events of a thread
as a stack, so that they must nest there: `tracks` sees to that. Flow events lead from
a send to what it caused on another track. Each trace is a process of its own, which
begins at 0.

speedscope takes an event's ``args`` for a part of its name, and the Firefox
Profiler shows ``args.data`` alone. So that is where details are, and only such as
are the same each time: what differs from one send to the next, such as its arguments
and the time of its queries, is in an instant event (``"ph": "i"``) at its start, which
speedscope passes over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from signal_trace.documents import json_text
from signal_trace.durations import in_ms
from signal_trace.exports.tracks import Placed, frame_name, lay_out, track_name
from signal_trace.parts import RETURNED, UNFINISHED, Call, Queries, Send
from signal_trace.runs import without_pk
from signal_trace.trace import Trace


def pieces(traces: Iterable[Trace]) -> Iterator[str]:
    yield '{"displayTimeUnit": "ms", "traceEvents": [\n'
    separator = ""
    for process, trace in enumerate(traces, start=1):
        for event in _Writer(trace, process).events():
            yield separator
            yield event
            separator = ",\n"
    yield "\n]}\n"


class _Writer:
    """Writes the events of one trace, each as JSON."""

    def __init__(self, trace: Trace, process: int) -> None:
        self.trace = trace
        self.process = process
        self.missed: dict[int | None, list[str]] = defaultdict(list)
        for one in trace.not_called:
            self.missed[one.send].append(one.receiver)
        # What is written of like ones.
        self.known: dict[object, str] = {}

    def events(self) -> Iterator[str]:
        yield self.metadata("process_name", 0, self.trace.name or self.trace.kind)
        tracks = 0
        for one in lay_out(self.trace):
            tracks = max(tracks, one.track)
            yield self.complete(one)
            if one.around and one.around.node and not one.is_inside:
                yield self.flow("s", one.around, one)
                yield self.flow("f", one, one)
            if details := self.own_details(one.node):
                yield self.instant(one, details)
        for track in range(1, tracks + 1):
            yield self.metadata("thread_name", track, track_name(track))

    def complete(self, one: Placed) -> str:
        node = one.node
        if node is None:
            told = _told(frame_name(self.trace, None), "trace", {})
        elif isinstance(node, Send):
            told = self.told_of_send(node)
        else:
            told = self.told_of_call(node)
        duration = _microseconds(one.end - one.start, -one.early - one.late)
        return f'{{"ph": "X", {self.at(one)}, "dur": {duration}, {told}}}'

    def told_of_send(self, send: Send) -> str:
        name = frame_name(self.trace, send)
        missed = self.missed.get(send.id)
        if send.error is not None or send.duration_ns is None or missed:
            return _told(name, "send", _send_details(send, missed))
        key = (name, send.signal, send.method, send.call_site, send.transaction)
        kind = (*key, send.on_commit)
        if kind not in self.known:
            self.known[kind] = _told(name, "send", _send_details(send, None))
        return self.known[kind]

    def told_of_call(self, call: Call) -> str:
        if call.error is not None or call.outcome != RETURNED:
            return _told(call.receiver, "call", _call_details(call))
        kind = (call.receiver, call.file, call.line, call.is_async)
        if kind not in self.known:
            self.known[kind] = _told(call.receiver, "call", _call_details(call))
        return self.known[kind]

    def own_details(self, node: Send | Call | None) -> dict[str, Any]:
        """What it has of its own, unlike others of its name."""
        if node is None:
            return _trace_details(self.trace)
        return _own_send_details(node) if isinstance(node, Send) else {}

    def instant(self, one: Placed, details: dict[str, Any]) -> str:
        told = _told(
            f"details of {frame_name(self.trace, one.node)}", "details", details
        )
        return f'{{"ph": "i", "s": "t", {self.at(one)}, {told}}}'

    def flow(self, phase: str, one: Placed, caused: Placed) -> str:
        """An end of an arrow, which binds to what is open there at its time."""
        assert caused.node is not None
        bound = ', "bp": "e"' if phase == "f" else ""
        return (
            f'{{"ph": "{phase}"{bound}, {self.at(one)}, "name": "caused",'
            f' "cat": "flow", "id": "{self.process:x}{caused.node.id:08x}"}}'
        )

    def at(self, one: Placed) -> str:
        start = _microseconds(one.start, one.late)
        return f'"ts": {start}, "pid": {self.process}, "tid": {one.track}'

    def metadata(self, kind: str, track: int, name: str) -> str:
        told = json_text(name)
        return (
            f'{{"ph": "M", "name": "{kind}", "pid": {self.process}, "tid": {track},'
            f' "args": {{"name": {told}}}}}'
        )


def _microseconds(ns: int, more_ps: int) -> str:
    if not more_ps:
        return f"{ns // 1000}.{ns % 1000:03}"
    ps = max(0, ns * 1000 + more_ps)
    return f"{ps // 1_000_000}.{ps % 1_000_000:06}"


def _told(name: str, category: str, details: dict[str, Any]) -> str:
    told = f'"name": {json_text(name)}, "cat": "{category}"'
    return f'{told}, "args": {{"data": {json_text(details)}}}' if details else told


def _trace_details(trace: Trace) -> dict[str, Any]:
    details: dict[str, Any] = {
        "id": trace.id,
        "kind": trace.kind,
        "started_at": trace.started_at,
    }
    if trace.attributes:
        details["attributes"] = trace.attributes
    if trace.error is not None:
        details["error"] = str(trace.error)
    if trace.omitted:
        details["omitted_sends"] = trace.omitted_count
    if trace.findings:
        details["findings"] = trace.findings
    return details


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


def _failure(node: Send | Call) -> dict[str, str]:
    details = {} if node.error is None else {"error": str(node.error)}
    if node.duration_ns is None:
        details["finished"] = "never"
    return details


def _own_send_details(send: Send) -> dict[str, Any]:
    details: dict[str, Any] = {"arguments": send.arguments} if send.arguments else {}
    if without_pk(send.sender) != send.sender:
        details["sender"] = send.sender
    of_calls = [
        {"receiver": call.receiver, **_queries(call.queries)}
        for call in send.calls
        if call.queries.count
    ]
    if of_calls:
        details |= {**_queries(send.queries), "receivers": of_calls}
    return details


def _queries(queries: Queries) -> dict[str, Any]:
    return {"queries": queries.count, "queries_ms": in_ms(queries.duration_ns)}
