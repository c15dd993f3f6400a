"""``python -m signal_trace``: the commands that read traces, without a project."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

import django
from django.conf import settings

from signal_trace.cli import commands
from signal_trace.cli.failing import Failure, Misuse
from signal_trace.cli.screen import Screen
from signal_trace.cli.terminal import Terminal

PROGRAM = "python -m signal_trace"
#: They need what only a project has.
OF_MANAGE = ("run", "token")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line says, and give the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Each of them is None where it was closed.
    out, err = (Screen(one or io.StringIO()) for one in (sys.stdout, sys.stderr))
    terminal = Terminal(sys.stdin, out, err)
    try:
        if given and given[0] in OF_MANAGE:
            raise Misuse(
                f"{given[0]} needs a project: python manage.py signaltrace {given[0]}"
            )
        options = _parser().parse_args(given)
        if not settings.configured:
            settings.configure()  # Whatever the environment says of a project.
            django.setup()
        module = commands.COMMANDS[options.what]
        return commands.run(lambda: module.run(options, terminal), terminal)
    except Failure as failure:
        terminal.err.line((f"signal_trace: {failure}", "bad"))
        return failure.status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Reads traces: files of JSON or JSON Lines, compressed or not.",
        epilog=f"In a project, 'python manage.py signaltrace' also has"
        f" {' and '.join(OF_MANAGE)}.\n{commands.EXIT_STATUS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    found = parser.add_subparsers(dest="what", required=True, metavar="command")
    for name, module in commands.COMMANDS.items():
        commands.add(found, name, module)
    return parser
