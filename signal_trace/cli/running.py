"""``run``: any management command of a project, recorded."""

from __future__ import annotations

import argparse
import functools
from typing import Any

from django.core.management import ManagementUtility
from django.core.management.base import BaseCommand

import signal_trace
from signal_trace.cli import export, writing
from signal_trace.cli.failing import Failure, Misuse
from signal_trace.cli.show import show
from signal_trace.cli.terminal import Terminal
from signal_trace.entrance import Recording
from signal_trace.trace import Trace

HELP = "run a management command recorded, and show or export its trace"
EXAMPLES = """
  %(prog)s migrate
  %(prog)s --output import.html loaddata shop.json
  %(prog)s --all loaddata shop.json 2> trace.txt
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--all", action="store_true", help="show all of the tree, even if it is long"
    )
    parser.add_argument(
        "--sql",
        action="store_true",
        help="below each receiver the statement that it executed most",
    )
    export.add_output_options(parser)
    parser.add_argument("command", metavar="COMMAND", help="the command to run")
    parser.add_argument(
        "arguments",
        nargs=argparse.REMAINDER,
        metavar="...",
        help="its own arguments and options: what stands after COMMAND is passed on",
    )


def run(options: argparse.Namespace, terminal: Terminal, program: str) -> None:
    """Run the command, and end as it ends: by its exit status or its exception.

    What it prints is its own. Its tree comes after it, on standard error.
    """
    if options.output is not None:
        path = writing.check(options.output, force=options.force)
        format = writing.format_of(options.format, options.output)
    elif options.format is None:
        path = None
    else:
        raise Misuse("--format is for --output FILE: the command prints on the other")
    utility = ManagementUtility([program, options.command, *options.arguments])
    command = utility.fetch_command(options.command)
    recordings = _recorded(command, options.command)

    def tell() -> None:
        for recording in recordings:
            trace: Trace = recording.trace
            if path is not None:
                writing.to_file(format.pieces([trace]), path)
                terminal.err.line(f"Written to {options.output}")
            else:
                terminal.err.line()
                show(trace, terminal.err, all=options.all, sql=options.sql)

    try:
        command.run_from_argv(utility.argv)
    except BaseException:
        terminal.out.flush()
        try:
            tell()
        except Failure as failure:  # It ends by the command's own.
            terminal.err.line((str(failure), "bad"))
        raise
    terminal.out.flush()
    tell()


def _recorded(command: BaseCommand, name: str) -> list[Recording]:
    """Have *command* recorded when it runs; its recording will be in what is given.
    Where its arguments are wrong, it doesn't run."""
    recordings: list[Recording] = []
    execute = command.execute

    @functools.wraps(execute)
    def recorded(*args: Any, **options: Any) -> Any:
        __traceback_hide__ = True
        ended: SystemExit | None = None
        with signal_trace.record(name, kind="command", command=name) as recording:
            recordings.append(recording)
            try:
                return execute(*args, **options)
            except SystemExit as end:
                if end.code:
                    raise
                ended = end  # It has done its work.
        raise ended

    command.execute = recorded  # type: ignore[method-assign]
    return recordings
