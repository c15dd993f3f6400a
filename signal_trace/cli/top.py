"""``top``: what many traces add up to, by receiver and by signal."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from signal_trace import aggregates
from signal_trace.aggregates import Aggregate
from signal_trace.cli import filters
from signal_trace.cli.listing import natural
from signal_trace.cli.quantiles import RELATIVE_ERROR, Quantiles
from signal_trace.cli.screen import Row, Screen
from signal_trace.cli.terminal import Terminal
from signal_trace.durations import shown
from signal_trace.trace import Trace

HELP = "what many traces add up to, by receiver and by signal"
EXAMPLES = """
  %(prog)s traces.jsonl
  %(prog)s --sort p95 --limit 5 traces.jsonl
  %(prog)s --name "POST /checkout/*" /var/log/shop/
  %(prog)s --json traces.jsonl > sums.json
"""
HEADINGS = ("count", "total", "self", "p50", "p95", "max", "SQL", "failed")
LIMIT = 20


@dataclass(slots=True)
class Total:
    """What the calls of a receiver, or the sends of a signal, add up to in all traces.
    Quantiles are of those that a trace keeps one by one and that finished."""

    name: str
    count: int = 0
    total_ns: int = 0
    self_ns: int = 0
    max_ns: int = 0
    queries: int = 0
    queries_ns: int = 0
    failures: int = 0
    durations: Quantiles = field(default_factory=Quantiles)

    def add(self, one: Aggregate) -> None:
        self.count += one.count
        self.total_ns += one.total_ns
        self.self_ns += one.self_ns
        self.max_ns = max(self.max_ns, one.max_ns)
        self.queries += one.queries
        self.queries_ns += one.queries_ns
        self.failures += one.failures

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "count": self.count,
            "total_ns": self.total_ns,
            "self_ns": self.self_ns,
            "p50_ns": self.quantile(0.5),
            "p95_ns": self.quantile(0.95),
            "max_ns": self.max_ns,
            "queries": self.queries,
            "queries_ns": self.queries_ns,
            "failures": self.failures,
        }

    def quantile(self, part: float) -> int | None:
        """At most the longest: a bucket may reach further."""
        found = self.durations.quantile(part)
        return None if found is None else min(found, self.max_ns)


@dataclass(slots=True)
class Totals:
    """All that `run` keeps of the traces that it has read."""

    traces: int = 0
    omitted: int = 0
    receivers: dict[str, Total] = field(default_factory=dict)
    signals: dict[str, Total] = field(default_factory=dict)

    def add(self, trace: Trace) -> None:
        self.traces += 1
        self.omitted += trace.omitted_count
        for one in aggregates.by_receiver(trace):
            _total(self.receivers, one.name).add(one)
        for one in aggregates.by_signal(trace):
            _total(self.signals, one.name).add(one)
        for send in trace.sends:
            if send.duration_ns is not None:
                self.signals[send.signal].durations.add(send.duration_ns)
            for call in send.calls:
                if call.duration_ns is not None:
                    self.receivers[call.receiver].durations.add(call.duration_ns)


ORDERS: dict[str, Callable[[Total], int]] = {
    "self": lambda one: one.self_ns,
    "total": lambda one: one.total_ns,
    "count": lambda one: one.count,
    "p50": lambda one: one.quantile(0.5) or 0,
    "p95": lambda one: one.quantile(0.95) or 0,
    "max": lambda one: one.max_ns,
    "sql": lambda one: one.queries,
    "failed": lambda one: one.failures,
}


def add_options(parser: argparse.ArgumentParser) -> None:
    filters.add_files(parser)
    parser.add_argument(
        "--sort",
        choices=ORDERS,
        metavar="BY",
        help=f"the order, by {', '.join(ORDERS)}, the most first; by default receivers"
        " by self, and signals by total",
    )
    parser.add_argument(
        "--limit",
        type=natural,
        default=LIMIT,
        metavar="N",
        help="so many of each; by default %(default)s",
    )
    parser.add_argument("--json", action="store_true", help="all, as JSON; times in ns")
    filters.add_options(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    wanted = filters.chosen(options)
    totals = Totals()
    for trace in terminal.read(options.files):
        if wanted(trace):
            totals.add(trace)
    receivers = _sorted(totals.receivers.values(), options.sort or "self")
    signals = _sorted(totals.signals.values(), options.sort or "total")
    if options.json:
        document = {
            "traces": totals.traces,
            "omitted": totals.omitted,
            "relative_error": RELATIVE_ERROR,
            "receivers": [one.to_dict() for one in receivers],
            "signals": [one.to_dict() for one in signals],
        }
        terminal.out.stream.write(f"{json.dumps(document, indent=2)}\n")
        return 0
    if not totals.traces:
        terminal.err.line("No trace is like that.")
        return 0
    out = terminal.out
    out.line((f"{totals.traces:,} {'trace' if totals.traces == 1 else 'traces'}", ""))
    out.line()
    _print(out, "receiver", receivers, options.limit)
    out.line()
    _print(out, "signal", signals, options.limit)
    if totals.omitted:
        out.line()
        out.line(
            f"p50 and p95 are without {totals.omitted:,} sends that traces only add up,"
            " beyond MAX_SENDS."
        )
    return 0


def _total(totals: dict[str, Total], name: str) -> Total:
    if name not in totals:
        totals[name] = Total(name)
    return totals[name]


def _sorted(totals: Iterable[Total], order: str) -> list[Total]:
    return sorted(totals, key=lambda one: (-ORDERS[order](one), one.name))


def _print(out: Screen, heading: str, totals: Sequence[Total], limit: int) -> None:
    out.table((*HEADINGS, heading), [_row(one) for one in totals[:limit]])
    if len(totals) > limit:
        out.line((f"… and {len(totals) - limit:,} more (--limit)", "faint"))


def _row(one: Total) -> Row:
    cells = (
        f"{one.count:,}",
        shown(one.total_ns),
        shown(one.self_ns),
        shown(one.quantile(0.5)),
        shown(one.quantile(0.95)),
        shown(one.max_ns),
        f"{one.queries:,}",
        f"{one.failures:,}",
        one.name,
    )
    return Row(cells, "bad" if one.failures else "")
