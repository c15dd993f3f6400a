"""The tree as plain text, for a terminal, a chat or a ticket."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from signal_trace.durations import shown
from signal_trace.highlights import failures, slowest
from signal_trace.parts import Call, NotCalled, Send
from signal_trace.trace import Trace
from signal_trace.tree import Node, short_name, unreceived_by_signal, walk

COLUMN = 11


def write(trace: Trace) -> str:
    return "".join(f"{printable(line)}\n" for line in _lines(trace))


def _lines(trace: Trace) -> Iterator[str]:
    yield (
        f"{trace.name or trace.kind}: {shown(trace.duration_ns)},"
        f" {_counted(trace.send_count, 'send')}, {_counted(trace.call_count, 'call')},"
        f" {shown(trace.receivers_ns)} in receivers"
    )
    yield f"started at {trace.started_at.isoformat(timespec='milliseconds')}"
    if trace.error is not None:
        yield f"✗ ended by {trace.error}"
    for _, call, error in failures(trace):
        yield f"✗ failed: {call.receiver}: {error}"
    for call in slowest(trace, 1):
        kept = f" of the first {len(trace.sends):,} sends" if trace.omitted else ""
        yield f"slowest{kept}: {call.receiver}, {shown(call.self_ns)} of its own"
    if trace.sends:
        yield ""
        yield f"{'total':>{COLUMN}} {'self':>{COLUMN}}"
    for depth, node in walk(trace):
        total, own = _times(node)
        indent = "  " * depth
        yield f"{total:>{COLUMN}} {own:>{COLUMN}}  {indent}{_described(node)}"
    yield from _omitted(trace)
    if trace.unreceived:
        yield ""
        yield f"{_counted(trace.unreceived_count, 'send')} that no receiver heard:"
    for signal, count, by_sender in unreceived_by_signal(trace):
        senders = ", ".join(f"{one.sender} ({one.count:,})" for one in by_sender)
        yield f"{count:>{COLUMN},}  {short_name(signal)} from {senders}"


def _omitted(trace: Trace) -> Iterator[str]:
    if trace.omitted:
        yield ""
        more = _counted(trace.omitted_count, "more send")
        yield f"{more}, beyond MAX_SENDS and only added up:"
    for one in trace.omitted:
        name = f"▸ {short_name(one.signal)} from {one.sender}"
        raised = f", {one.failures:,} raised" if one.failures else ""
        times = f"{shown(one.total_ns)} in all, {shown(one.max_ns)} at most"
        yield f"{one.count:>{COLUMN},}  {name}: {times}{raised}"
        for calls in one.calls:
            raised = f" ✗ {calls.failures:,} raised" if calls.failures else ""
            times = (
                f"{shown(calls.total_ns)} in all, {shown(calls.self_ns)} of its own,"
                f" {shown(calls.max_ns)} at most"
            )
            yield f"{calls.count:>{COLUMN},}    {calls.receiver}: {times}{raised}"


def _times(node: Node) -> tuple[str, str]:
    if isinstance(node, NotCalled):
        return "", ""
    return (
        shown(node.duration_ns),
        shown(node.self_ns) if isinstance(node, Call) else "",
    )


def _described(node: Node) -> str:
    if isinstance(node, NotCalled):
        return f"✗ {node.receiver} was not called: {node.reason}"
    if isinstance(node, Send):
        name = short_name(node.signal)
        method = "" if node.method == "send" else f" ({node.method})"
        raised = f" ✗ raised {node.error.type}" if node.error else ""
        unfinished = " – never finished" if node.duration_ns is None else ""
        return f"▸ {name} from {node.sender}{method}{raised}{unfinished}"
    concurrent = " (async)" if node.is_async else ""
    raised = f" ✗ {node.error}" if node.error else ""
    unfinished = " – never finished" if node.duration_ns is None else ""
    return f"{node.receiver}{concurrent}{raised}{unfinished}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def printable(line: str) -> str:
    """*line* with what could move the cursor, or turn the line around, made visible."""
    return "".join(
        char
        if char == " " or unicodedata.category(char)[0] not in "CZ"
        else char.encode("unicode_escape").decode()
        for char in line
    )
