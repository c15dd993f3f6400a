"""A command that sends ``opened``, and ends as it is told to."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tests.app.signals import opened
from tests.app.views import make_sender


class Command(BaseCommand):
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--end", default="")

    def handle(self, *, name: str, end: str, **options: Any) -> str:
        opened.send(make_sender(name))
        if end == "fail":
            raise CommandError("it failed")
        if end:
            sys.exit(int(end))
        return f"opened {name}"
