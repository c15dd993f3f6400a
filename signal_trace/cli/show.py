"""``show``: the tree of a trace, with what stands out in it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from signal_trace.cli import filters, picking
from signal_trace.cli.failing import Failure
from signal_trace.cli.screen import Piece, Screen
from signal_trace.cli.shortening import Line, shorten
from signal_trace.cli.terminal import Terminal
from signal_trace.exports import text
from signal_trace.parts import HINT, PROBLEM, WARNING, Call, NotCalled
from signal_trace.runs import Run
from signal_trace.telling import full_place
from signal_trace.trace import Trace
from signal_trace.tree import Node, walk_folded

HELP = "show a trace: its tree, with times, SQL, exceptions and findings"
EXAMPLES = """
  %(prog)s trace.json
  %(prog)s 3f8a traces.jsonl
  %(prog)s --slowest --name "POST /checkout/*" traces.jsonl
  %(prog)s --all --sql trace.json | less
"""

#: So many lines of the tree are shown, however small the terminal is.
FEWEST_LINES = 10

#: How much is told of the findings: all of it; no advice; of hints their number.
ADVICE, HINTS, SEVERE = "advice", "hints", "severe"

STYLES = {PROBLEM: "bad", WARNING: "warning"}


def add_options(parser: argparse.ArgumentParser) -> None:
    picking.add_argument(parser)
    parser.add_argument(
        "--slowest", action="store_true", help="of several traces the slowest"
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="all of it: by default what doesn't fit into the terminal is left out",
    )
    parser.add_argument(
        "--sql",
        action="store_true",
        help="below each receiver the statement that it executed most",
    )
    filters.add_options(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    id, files = picking.split(options.given)
    wanted = filters.chosen(options)
    traces = filter(wanted, terminal.read(files, picking.containing(id)))
    if id:
        trace: Trace | None = picking.by_id(traces, id)
    elif options.slowest:
        trace = picking.slowest(traces)
    else:
        remedy = f"name one by its id ({picking.SEE}), or ask for --slowest"
        trace = picking.only(traces, remedy)
    if trace is None:
        raise Failure(f"no trace is like that; {picking.SEE}")
    show(trace, terminal.out, all=options.all, sql=options.sql)
    return 0


Lead = tuple[str, Sequence[Piece]]


def show(trace: Trace, screen: Screen, *, all: bool = False, sql: bool = False) -> None:
    """Print *trace*; on a terminal no more than fits, unless *all* is asked for."""
    room = None if all or not screen.is_terminal else screen.height - 1
    head: list[Lead] = []
    for detail in (ADVICE, HINTS, SEVERE):
        head = list(_head(trace, detail, is_terminal=screen.is_terminal))
        if room is None or _height(head, screen) <= room // 2:
            break
    for lead, pieces in head:
        screen.line(*pieces, lead=lead)
    sections = list(text.sections(trace))
    every = lines = list(_tree(trace, sql=sql))
    if room is not None:
        # An empty line, the columns' titles, and what remains.
        taken = _height(head, screen) + 2 + len(sections)
        lines = shorten(every, max(room - taken, FEWEST_LINES), screen)
    if lines:
        screen.line()
        left_out = f"  (--all shows all {len(every):,} lines)" * (lines != every)
        screen.line((text.columns("total", "self"), "heading"), (left_out, "faint"))
    for line in lines:
        line.print(screen)
    for title, items in sections:
        if room is not None:
            screen.line((f"{title.removesuffix(':')} (--all)", "faint"))
            continue
        screen.line()
        screen.line((title, "heading"))
        for item in items:
            screen.line(item)


def _head(trace: Trace, detail: str, *, is_terminal: bool) -> Iterator[Lead]:
    first, second = text.heading(trace)
    yield "", [(first, "heading")]
    yield "", [(second, "faint")]
    hints = sum(one.level == HINT for one in trace.findings)
    for finding in trace.findings:
        if finding.level == HINT and detail == SEVERE:
            continue
        if not is_terminal:
            yield from (("", [line]) for line in text.about(finding))
            continue
        level = f"{text.MARKS.get(finding.level, '·')} {finding.level}: "
        yield level, [(finding.message, STYLES.get(finding.level, ""))]
        if detail == ADVICE:
            yield "    ", [finding.advice]
        if finding.location and (place := full_place(finding.location)):
            yield "    ", [(f"at {place}", "faint")]
    if hints and detail == SEVERE:
        told = f"{hints:,} {'hint' if hints == 1 else 'hints'} (--all)"
        yield "", [(f"{text.MARKS[HINT]} {told}", "faint")]
    if not trace.findings:
        yield "", [(text.NO_FINDINGS, "good")]
    for line in text.standing_out(trace):
        yield "", [(line, "bad") if line.startswith("✗") else line]


def _height(head: Sequence[Lead], screen: Screen) -> int:
    return sum(screen.height_of(*pieces, lead=lead) for lead, pieces in head)


def _tree(trace: Trace, *, sql: bool) -> Iterator[Line]:
    for depth, node in walk_folded(trace):
        below, total_ns, is_bad = "", 0, True
        if not isinstance(node, NotCalled):
            total_ns = node.duration_ns or 0
            is_bad = not isinstance(node, Run) and node.error is not None
        if sql and isinstance(node, Call) and (most := node.queries.repeated):
            below = f"{most.count:,} × {most.sql}"
        yield Line(depth, text.times(node), _pieces(node), below, is_bad, total_ns)


def _pieces(node: Node | Run) -> list[Piece]:
    """A node's line, its name apart from its details, and these from its exception."""
    name, line = text.named(node), text.described(node)
    style = "name"
    if isinstance(node, NotCalled):
        style = "bad"
    elif isinstance(node, Call):
        style = "bad" if node.error else "heading"
    details, cross, error = line[len(name) :].partition(" ✗ ")
    return [(name, style), (details, "faint"), (f"{cross}{error}", "bad")]
