"""``manage.py signaltrace``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, TextIO, cast

from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
)

from signal_trace import on_demand
from signal_trace.cli import commands, running
from signal_trace.cli.failing import Failure
from signal_trace.cli.screen import Screen
from signal_trace.cli.terminal import Terminal
from signal_trace.sinks import FileSink, configured

DAY = 24 * 60


class _HelpFormatter(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Django's, with the lines of the exit statuses as they are."""


class Command(BaseCommand):
    help = "Records commands, and reads the traces of signal_trace."
    # What is asked for here is needed where something else is wrong.
    requires_system_checks = ()

    def create_parser(
        self, prog_name: str, subcommand: str, **kwargs: Any
    ) -> CommandParser:
        # An option that is shortened might be one of the command that is run.
        return super().create_parser(
            prog_name,
            subcommand,
            allow_abbrev=False,
            epilog=commands.EXIT_STATUS,
            formatter_class=_HelpFormatter,
            **kwargs,
        )

    def add_arguments(self, parser: CommandParser) -> None:
        found = parser.add_subparsers(dest="what", required=True, metavar="command")
        for name, module in {"run": running, **commands.COMMANDS}.items():
            _add_djangos_options(commands.add(found, name, module))
        token = found.add_parser(
            "token",
            help=f"print a token that has a request traced which carries it, as its"
            f" header {on_demand.HEADER} or its cookie {on_demand.COOKIE}",
        )
        token.add_argument(
            "--minutes",
            type=_minutes,
            default=60,
            help=f"for how long it is good, at most {DAY}; by default %(default)s",
        )

    def handle(self, *, what: str, **given: Any) -> None:
        if what == "token":
            self.stdout.write(on_demand.make_token(given["minutes"] * 60))
            return
        options = argparse.Namespace(**given)
        color = False if options.no_color else True if options.force_color else None
        # Not by Django's wrappers: on a terminal that of errors has all of it in red.
        out, err = (
            Screen(cast(TextIO, one._out), color) for one in (self.stdout, self.stderr)
        )
        terminal = Terminal(sys.stdin, out, err, _files)
        try:
            if what == "run":
                running.run(options, terminal, sys.argv[0])
                return
            module = commands.COMMANDS[what]
            status = commands.run(lambda: module.run(options, terminal), terminal)
        except Failure as failure:
            raise CommandError(str(failure), returncode=failure.status) from None
        if status:
            sys.exit(status)


def _add_djangos_options(parser: argparse.ArgumentParser) -> None:
    """Take those of every management command here as well, where people write them."""
    for name in ("--settings", "--pythonpath"):
        parser.add_argument(name, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    for name in ("--traceback", "--no-color", "--force-color"):
        parser.add_argument(
            name,
            action="store_true",
            default=argparse.SUPPRESS,
            help=argparse.SUPPRESS,
        )


def _files() -> Sequence[str]:
    """What the settings have traces written to, as far as it is there."""
    sinks = [one for one in configured() if isinstance(one, FileSink)]
    return [str(sink.path) for sink in sinks]


def _minutes(given: str) -> int:
    if not given.isdecimal() or not 1 <= int(given) <= DAY:
        raise argparse.ArgumentTypeError(f"from 1 to {DAY}, and not {given!r}")
    return int(given)
