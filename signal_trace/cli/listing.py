"""``list``: what traces there are."""

from __future__ import annotations

import argparse
import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC
from typing import Any

from signal_trace import highlights
from signal_trace.cli import filters
from signal_trace.cli.screen import Row
from signal_trace.cli.terminal import Terminal
from signal_trace.durations import shown
from signal_trace.exports.text import MARKS
from signal_trace.highlights import has_failed
from signal_trace.trace import Trace

HELP = "list traces: id, name, when, duration, sends, calls, findings"
EXAMPLES = """
  %(prog)s traces.jsonl
  %(prog)s --sort duration --limit 10 /var/log/shop/
  %(prog)s --failed --name "POST *" traces.jsonl
  tail -n 99 traces.jsonl | %(prog)s
"""
HEADINGS = ("id", "when (UTC)", "duration", "sends", "calls", "findings", "name")


@dataclass(frozen=True, slots=True)
class Listed:
    """What is kept of a trace: of many gigabytes of traces it fits into memory."""

    id: str
    kind: str
    name: str
    started_at: str
    duration_ns: int
    sends: int
    calls: int
    failed: bool
    failures: int
    error: str | None
    findings: dict[str, int]


ORDERS: dict[str, Callable[[Listed], Any]] = {
    "when": lambda one: one.started_at,
    "duration": lambda one: -one.duration_ns,
    "sends": lambda one: -one.sends,
    "calls": lambda one: -one.calls,
    "findings": lambda one: [-one.findings.get(level, 0) for level in MARKS],
    "name": lambda one: one.name,
}


def add_options(parser: argparse.ArgumentParser) -> None:
    filters.add_files(parser)
    parser.add_argument(
        "--sort",
        choices=ORDERS,
        default="when",
        metavar="BY",
        help=f"the order, by {', '.join(ORDERS)}: the earliest, the longest, those with"
        " most first; by default %(default)s",
    )
    parser.add_argument(
        "--limit", type=natural, metavar="N", help="the first N of these alone"
    )
    parser.add_argument("--json", action="store_true", help="as JSON, times in ns")
    filters.add_options(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    wanted = filters.chosen(options)
    count = 0

    def found() -> Iterator[Listed]:
        nonlocal count
        for trace in filter(wanted, terminal.read(options.files)):
            count += 1
            yield _listed(trace)

    order = ORDERS[options.sort]
    rows = (
        sorted(found(), key=order)
        if options.limit is None
        else heapq.nsmallest(options.limit, found(), key=order)
    )
    if options.json:
        text = json.dumps([asdict(one) for one in rows], indent=2)
        terminal.out.stream.write(f"{text}\n")
        return 0
    if not rows:
        terminal.err.line("No trace is like that.")
        return 0
    terminal.out.table(HEADINGS, [_row(one) for one in rows])
    if len(rows) < count:
        terminal.out.line((f"… and {count - len(rows):,} more", "faint"))
    return 0


def natural(given: str) -> int:
    """A number that is 1 or more."""
    if not given.isdecimal() or int(given) < 1:
        raise argparse.ArgumentTypeError(f"{given!r} is not 1 or more")
    return int(given)


def failure_count(trace: Trace) -> int:
    """How many calls raised, those apart that an exception only passed through."""
    return len(highlights.failures(trace)) + trace.omitted_failures


def _listed(trace: Trace) -> Listed:
    return Listed(
        id=trace.id,
        kind=trace.kind,
        name=trace.name,
        started_at=trace.started_at.astimezone(UTC).isoformat(),
        duration_ns=trace.duration_ns,
        sends=trace.send_count,
        calls=trace.call_count,
        failed=has_failed(trace),
        failures=failure_count(trace),
        error=None if trace.error is None else trace.error.type,
        findings=dict(Counter(one.level for one in trace.findings)),
    )


def _row(one: Listed) -> Row:
    found = (
        f"{mark}{one.findings[level]:,}"
        for level, mark in MARKS.items()
        if level in one.findings
    )
    cells = (
        one.id[:8],
        one.started_at[:19].replace("T", " "),
        shown(one.duration_ns),
        f"{one.sends:,}",
        f"{one.calls:,}",
        " ".join(found),
        f"{'✗ ' * one.failed}{one.name or one.kind}",
    )
    return Row(cells, "bad" if one.failed else "")
