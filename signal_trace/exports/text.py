"""The tree as plain text, for a terminal, a chat or a ticket."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator

from signal_trace import telling
from signal_trace.durations import shown
from signal_trace.highlights import all_queries, failures, slowest
from signal_trace.parts import (
    HINT,
    PROBLEM,
    SWALLOWED,
    WARNING,
    Call,
    Finding,
    NotCalled,
    Queries,
    Send,
)
from signal_trace.runs import Run
from signal_trace.trace import Trace
from signal_trace.tree import (
    Node,
    other_senders,
    short_name,
    unreceived_by_signal,
    walk_folded,
)

COLUMN = 11
WIDTH = 118
NO_FINDINGS = "No findings."
MARKS = {PROBLEM: "✗", WARNING: "!", HINT: "·"}


def pieces(traces: Iterable[Trace]) -> Iterator[str]:
    """A line at a time, with two empty ones between traces."""
    between = ""
    for trace in traces:
        yield between
        for line in _lines(trace):
            yield f"{printable(line)}\n"
        between = "\n\n"


def _lines(trace: Trace) -> Iterator[str]:
    yield from heading(trace)
    for finding in trace.findings:
        yield from about(finding)
    if not trace.findings:
        yield NO_FINDINGS
    yield from standing_out(trace)
    if trace.sends:
        yield ""
        yield columns("total", "self")
    for depth, node in walk_folded(trace):
        yield f"{times(node)}  {'  ' * depth}{described(node)}"
    for title, lines in sections(trace):
        yield ""
        yield title
        yield from lines


def columns(total: str, own: str) -> str:
    """What stands to the left of the tree."""
    return f"{total.rjust(COLUMN)} {own.rjust(COLUMN)}"


def heading(trace: Trace) -> Iterator[str]:
    """What the trace is of, and what it adds up to."""
    yield ", ".join(
        [
            f"{trace.name or trace.kind}: {shown(trace.duration_ns)}",
            _counted(trace.send_count, "send"),
            _counted(trace.call_count, "call"),
            f"{shown(trace.receivers_ns)} in receivers",
            *_sql(*all_queries(trace)),
        ]
    )
    yield f"started at {trace.started_at.isoformat(timespec='milliseconds')}"


def standing_out(trace: Trace) -> Iterator[str]:
    """What failed, and what was slowest."""
    if trace.error is not None:
        yield f"✗ ended by {trace.error}"
    for _, call, error in failures(trace):
        yield f"✗ failed: {call.receiver}: {error}"
    for call in slowest(trace, 1):
        kept = f" of the first {len(trace.sends):,} sends" if trace.omitted else ""
        yield f"slowest{kept}: {call.receiver}, {shown(call.self_ns)} of its own"


def sections(trace: Trace) -> Iterator[tuple[str, list[str]]]:
    """What comes below the tree: lists, each with its title."""
    if trace.omitted:
        more = _counted(trace.omitted_count, "more send")
        title = f"{more}, beyond MAX_SENDS and only added up:"
        yield title, list(_omitted(trace))
    if others := list(_other_senders(trace)):
        yield (
            "receivers that are connected for other senders, and were not called:",
            others,
        )
    if trace.unreceived:
        lines = []
        for signal, count, by_sender in unreceived_by_signal(trace):
            senders = ", ".join(f"{one.sender} ({one.count:,})" for one in by_sender)
            lines.append(f"{count:>{COLUMN},}  {short_name(signal)} from {senders}")
        title = f"{_counted(trace.unreceived_count, 'send')} that no receiver heard:"
        yield title, lines


def about(finding: Finding) -> Iterator[str]:
    """What was found, what to do, and where, in lines of some length."""
    mark = MARKS.get(finding.level, "·")
    heading = f"{mark} {finding.level}: {finding.message}"
    for text, first in ((heading, ""), (finding.advice, "    ")):
        yield from textwrap.wrap(
            printable(text),
            WIDTH,
            initial_indent=first,
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    if finding.location and (place := telling.full_place(finding.location)):
        yield f"    at {place}"


def _other_senders(trace: Trace) -> Iterator[str]:
    for signal, missed in other_senders(trace):
        yield f"{len(missed):>{COLUMN},}  {short_name(signal)}"
        for one in missed:
            if one.near_miss is not None:
                relative = f"its {one.relation or 'relative'} {one.near_miss}"
                hears = f"listens to {one.sender}, not to {relative}"
                yield f"{'':>{COLUMN}}    near miss: {one.receiver} {hears}"


def _omitted(trace: Trace) -> Iterator[str]:
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


def times(node: Node | Run) -> str:
    """A node's total and self time, in two `columns`."""
    if isinstance(node, Call):
        return columns(shown(node.duration_ns), shown(node.self_ns))
    if isinstance(node, NotCalled):
        return columns("", "")
    return columns(shown(node.duration_ns), "")


def described(node: Node | Run) -> str:
    """A node in one line, which begins with its name."""
    if isinstance(node, Call):
        return _call(node)
    if isinstance(node, NotCalled):
        return f"{named(node)} never ran: {telling.why_not_called(node)}"
    return _run(node) if isinstance(node, Run) else _send(node)


def named(node: Node | Run) -> str:
    """The beginning of that: its name."""
    if isinstance(node, Call):
        return node.receiver
    if isinstance(node, NotCalled):
        return f"✗ {node.receiver}"
    return f"▸ {short_name(node.signal)} from {telling.sender(node)}"


def _send(send: Send) -> str:
    raised = "" if send.error is None else f" ✗ raised {send.error.type}"
    return f"{named(send)}{_caused(send)}{_marked(send)}{raised}"


def _run(run: Run) -> str:
    times = f"{shown(run.min_ns)} to {shown(run.max_ns)} each"
    told = ", ".join([times, *_sql(*_own(run.queries))])
    return f"{named(run)} × {run.count:,}{_caused(run)} – {told}{_marked(run)}"


def _caused(send: Send | Run) -> str:
    """How it was sent, and where."""
    method = [] if send.method == "send" else [send.method]
    details = ", ".join([*method, *telling.arguments(send)])
    text = f" ({details})" if details else ""
    site = send.call_site
    return text if site is None else f"{text} at {telling.place(site)}"


def _marked(node: Send | Run | Call) -> str:
    marks = telling.marks(node)
    return f" – {' – '.join(marks)}" if marks else ""


def _call(call: Call) -> str:
    text = call.receiver
    if call.is_async:
        waited = call.suspended_ns
        text += " (async)" if not waited else f" (async, suspended {shown(waited)})"
    details = _sql(*_own(call.queries))
    most = call.queries.repeated
    if most is not None and most.count > 1:
        details.append(f"repeated ×{most.count:,}")
    if details:
        text += f" – {', '.join(details)}"
    text += _marked(call)
    if call.error:
        text += f" ✗ {'swallowed ' * (call.outcome == SWALLOWED)}{call.error}"
    return text


def _own(queries: Queries) -> tuple[int, int]:
    return queries.count, queries.duration_ns


def _sql(count: int, duration_ns: int) -> list[str]:
    return [f"{count:,} SQL {shown(duration_ns)}"] if count else []


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def printable(line: str) -> str:
    """*line* with what could move the cursor, or turn the line around, made visible."""
    if line.isprintable():  # As nearly all are.
        return line
    return "".join(
        char
        if char == " " or unicodedata.category(char)[0] not in "CZ"
        else char.encode("unicode_escape").decode()
        for char in line
    )
