"""Management commands: each run of one that ``COMMANDS`` names is a trace."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.core.management import get_commands
from django.core.management.base import BaseCommand

from signal_trace import conf
from signal_trace.choosing import Choice
from signal_trace.recording import report_bug
from signal_trace.traced import begin


def watch() -> None:
    """Watch the running of commands, from now on."""
    if not hasattr(BaseCommand.execute, "signal_trace"):
        BaseCommand.execute = _watched(BaseCommand.execute)  # type: ignore[method-assign]


def _watched(execute: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(execute)
    def watched(self: BaseCommand, *args: Any, **options: Any) -> Any:
        __traceback_hide__ = True
        with _traced(self):
            return execute(self, *args, **options)

    watched.signal_trace = True  # type: ignore[attr-defined]
    return watched


def _traced(command: BaseCommand) -> AbstractContextManager[Any]:
    try:
        settings = conf.settings()
        if settings.ENABLED and (name := _name(command, settings.COMMANDS)):
            # Named one by one, and rare: all of them are kept.
            return begin("command", name, Choice(), command=name)
    except Exception:
        report_bug("tracing a command")
    return nullcontext()


def _name(command: BaseCommand, named: Collection[str]) -> str:
    """By which of the names *command* is called, or none: that of the module which its
    class is written in, or which has the class from elsewhere."""
    written_in = type(command).__module__.rpartition(".")[2]
    if written_in in named:
        return written_in
    apps = get_commands()
    for name in named:
        module = sys.modules.get(f"{apps.get(name)}.management.commands.{name}")
        if getattr(module, "Command", None) is type(command):
            return name
    return ""
