"""``compare``: what is different in a trace, or in many, from earlier ones."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from signal_trace.cli import filters, picking
from signal_trace.cli.changes import (
    COUNT_OF,
    GONE,
    KINDS,
    LESS_SQL,
    MORE_SQL,
    NEW,
    Change,
    Side,
    changes,
    value_of,
)
from signal_trace.cli.failing import Failure, Misuse
from signal_trace.cli.screen import Row, Screen
from signal_trace.cli.spread import (
    CONFIDENCE,
    DIFFERENCE_NS,
    FACTOR,
    FEWEST,
    Median,
    can_tell,
    grew_in_time,
    median,
)
from signal_trace.cli.terminal import Terminal
from signal_trace.durations import shown
from signal_trace.trace import Trace

HELP = "compare two traces, or two files of traces: what is new, slower, failing"
EXAMPLES = """
  %(prog)s before.json after.json
  %(prog)s --name "POST *" before.jsonl after.jsonl
  %(prog)s 3f8a 91c2 traces.jsonl
  %(prog)s --json before.jsonl after.jsonl
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "before", metavar="A", help="a file or folder, or a trace's id: what was before"
    )
    parser.add_argument(
        "after", metavar="B", help="a file or folder, or a trace's id: what came after"
    )
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="where A and B are ids: with these"
    )
    parser.add_argument("--json", action="store_true", help="as JSON, times in ns")
    filters.add_options(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    before, after = _sides(options, terminal)
    found = changes(before, after)
    unchanged = len(
        {*before.receivers, *after.receivers} - {one.receiver for one in found}
    )
    if options.json:
        document = {
            "confidence": CONFIDENCE,
            "before": _side(before),
            "after": _side(after),
            "changes": [asdict(one) for one in found],
            "unchanged": unchanged,
        }
        terminal.out.stream.write(f"{json.dumps(document, indent=2)}\n")
    else:
        _print(terminal.out, before, after, found, unchanged)
    return 0


def _sides(options: argparse.Namespace, terminal: Terminal) -> tuple[Side, Side]:
    names = [options.before, options.after]
    sides = Side(options.before), Side(options.after)
    wanted = filters.chosen(options)
    are_ids = [picking.is_id(name) for name in names]
    if all(are_ids):
        ids = [name.lower() for name in names]
        read = terminal.read(options.files, picking.containing(*ids))
        for side, trace in zip(sides, picking.by_ids(read, ids), strict=True):
            side.add(trace)
        return sides
    if options.files:
        raise Misuse("FILEs are for two ids; compare two ids in files, or two files")
    for side in sides:
        _fill(side, filter(wanted, terminal.read([side.source])))
    return sides


def _fill(side: Side, traces: Iterable[Trace]) -> None:
    for trace in traces:
        side.add(trace)
    if not side.traces:
        raise Failure(f"{side.source}: no trace in it is like that; {picking.SEE}")


def _side(side: Side) -> dict[str, Any]:
    return {
        "source": side.source,
        "traces": side.traces,
        "duration_ns": asdict(median(side.duration_ns)),
    }


def _print(
    out: Screen, before: Side, after: Side, found: list[Change], unchanged: int
) -> None:
    durations = median(before.duration_ns), median(after.duration_ns)
    for name, side, duration in zip(
        ("before", "after"), (before, after), durations, strict=True
    ):
        traces = f"{side.traces:,} trace{'s' * (side.traces != 1)}"
        told = f"{traces}, {'median ' * (side.traces > 1)}{_time(duration)}"
        out.line((f"{name:>6}", "heading"), f"  {side.source}: {told}")
    out.line()
    if can_tell(*durations):
        if grew_in_time(*durations):
            out.line(("Traces take longer.", "bad"))
        elif grew_in_time(*reversed(durations)):
            out.line(("Traces take less time.", "good"))
        else:
            out.line("How long traces take differs by no more than noise.")
    else:
        rule = (
            f"Fewer than {FEWEST} traces on a side can't tell a change from noise:"
            f" slower and faster are what differs {FACTOR} times, and by"
            f" {shown(DIFFERENCE_NS)}."
        )
        out.line((rule, "warning"))
    sure = [one for one in found if not one.may_be_chance]
    chance = [one for one in found if one.may_be_chance]
    for title, some in (
        ("What is different:", sure),
        ("What may be chance, for so few calls or traces:", chance),
    ):
        if some:
            out.line()
            out.line((title, "heading"))
            rows = [_row(one, before, after) for one in some]
            out.table(("what", "before", "after", "receiver"), rows)
    out.line()
    also = "" if not found else "other "
    out.line(
        f"{unchanged:,} {also}receiver{'s' * (unchanged != 1)}"
        f" {'differs' if unchanged == 1 else 'differ'} by no more than noise."
        if can_tell(*durations)
        else f"{unchanged:,} {also}receiver{'s' * (unchanged != 1)} without a change."
    )


def _row(one: Change, before: Side, after: Side) -> Row:
    what = one.kind
    was, now = one.before, one.after
    if one.kind in COUNT_OF:
        cells = [
            f"{side.count(one.kind):,} of {side.calls:,} calls" for side in (was, now)
        ]
    elif one.kind in (NEW, GONE):
        cells = [
            f"in {told.traces:,} of {side.traces:,}"
            for told, side in ((was, before), (now, after))
        ]
    elif one.kind in (MORE_SQL, LESS_SQL):
        cells = [_number(side.queries) for side in (was, now)]
    else:
        cells = [_time(side.self_ns) for side in (was, now)]
        if value_of(was.self_ns) and value_of(now.self_ns):
            what += f" {value_of(now.self_ns) / value_of(was.self_ns):.2f}×"
    return Row(
        (what, *cells, one.receiver), "" if one.may_be_chance else KINDS[one.kind]
    )


def _time(one: Median | None) -> str:
    if one is None or one.low is None:
        return shown(None if one is None else one.value)
    return f"{shown(one.value)} ({_ms(one.low)}–{_ms(one.high)})"


def _ms(ns: int | None) -> str:
    return shown(ns).removesuffix(" ms")


def _number(one: Median | None) -> str:
    if one is None or one.low is None or one.low == one.high:
        return f"{value_of(one):,}"
    return f"{one.value:,} ({one.low:,}–{one.high:,})"
