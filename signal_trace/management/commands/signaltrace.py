"""``manage.py signaltrace``."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from signal_trace import on_demand

DAY = 24 * 60


class Command(BaseCommand):
    help = "Makes what tracing needs."
    # What is asked for here is needed where something else is wrong.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True, metavar="command")
        token = commands.add_parser(
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

    def handle(self, *, what: str, **options: Any) -> None:
        assert what == "token"
        self.stdout.write(on_demand.make_token(options["minutes"] * 60))


def _minutes(given: str) -> int:
    minutes = int(given)
    if not 1 <= minutes <= DAY:
        raise argparse.ArgumentTypeError(f"from 1 to {DAY}, and not {minutes}")
    return minutes
