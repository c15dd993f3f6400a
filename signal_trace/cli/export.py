"""``export``: traces in a format that another program opens."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import chain

from signal_trace import exports
from signal_trace.cli import filters, picking, writing
from signal_trace.cli.failing import Failure
from signal_trace.cli.terminal import Terminal
from signal_trace.exports import Format
from signal_trace.trace import Trace

HELP = "write a trace, or many, in a format that another program opens"
EXAMPLES = """
  %(prog)s trace.json --output report.html
  %(prog)s 3f8a traces.jsonl --format text
  %(prog)s traces.jsonl --output all.perfetto.json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    picking.add_argument(parser)
    add_output_options(parser)
    filters.add_options(parser)


def add_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        metavar="F",
        help=f"{', '.join(exports.FORMATS)}, or the dotted path of one of your own; by"
        " default what the output's name ends in",
    )
    parser.add_argument("--output", metavar="FILE", help="the file to write")
    parser.add_argument(
        "--force", action="store_true", help="replace that file, if it exists"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    format = writing.format_of(options.format, options.output)
    path = None
    if options.output is not None:
        path = writing.check(options.output, force=options.force)
    id, files = picking.split(options.given)
    wanted = filters.chosen(options)
    read = terminal.read(
        files,
        picking.containing(id),
        with_bar=path is not None or not terminal.out.is_terminal,
    )
    pieces = format.pieces(_asked_for(filter(wanted, read), id, format))
    if path:
        writing.to_file(pieces, path)
        terminal.err.line(f"Written to {options.output}")
    else:
        writing.to_stream(pieces, terminal.out.stream)
    return 0


def _asked_for(traces: Iterator[Trace], id: str, format: Format) -> Iterable[Trace]:
    if id:
        return [picking.by_id(traces, id)]
    remedy = (
        f"{format.name} holds one; name it by its id ({picking.SEE}),"
        " or choose a format that holds many, such as jsonl"
    )
    found = next(traces, None) if format.holds_many else picking.only(traces, remedy)
    if found is None:
        raise Failure(f"no trace is like that; {picking.SEE}")
    return chain([found], traces)
