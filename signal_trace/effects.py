"""Watches what leaves the process through Django's own ways: mail and tasks.

Read of Django 5.2.19, 6.0.10 and 6.1.3: every message is handed to the
``send_messages`` of a backend, every task (since 6.0) enqueued by its ``Task``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from django.core.mail.backends import console, dummy, filebased, locmem, smtp
from django.core.mail.backends.base import BaseEmailBackend

from signal_trace.noting import note_mail, note_task
from signal_trace.patches import Function, Patches
from signal_trace.recording import position, report_bug

try:
    from django.tasks.base import Task
except ImportError:  # Before Django 6.0.
    Task = None  # type: ignore[assignment, misc]

# Loaded before they are first used, so that they are watched by then. Others are
# watched from the first recording on that begins once they are loaded.
BUILT_IN = (console, dummy, filebased, locmem, smtp)

current = position.get

# A backend may hand its messages on to another one.
_handing_on: ContextVar[bool] = ContextVar("signal_trace.handing_on", default=False)


def _watched_send_messages(original: Function) -> Function:
    @functools.wraps(original)
    def send_messages(self: Any, email_messages: Any, *args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        here = current()
        if not here or _handing_on.get():
            return original(self, email_messages, *args, **kwargs)
        try:
            count = len(email_messages) if type(email_messages) in (list, tuple) else 1
            note_mail(here, self, count)
        except Exception:
            report_bug("noting mail")
        token = _handing_on.set(True)
        try:
            return original(self, email_messages, *args, **kwargs)
        finally:
            _handing_on.reset(token)

    return send_messages


def _watched_enqueue(original: Function) -> Function:
    @functools.wraps(original)
    def enqueue(self: Any, *args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        _note_task(self)
        return original(self, *args, **kwargs)

    return enqueue


def _watched_aenqueue(original: Function) -> Function:
    @functools.wraps(original)
    async def aenqueue(self: Any, *args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        _note_task(self)
        return await original(self, *args, **kwargs)

    return aenqueue


def _note_task(task: Any) -> None:
    try:
        if here := current():
            note_task(here, task)
    except Exception:
        report_bug("noting a task")


def _methods() -> Iterator[tuple[type, str, Callable[[Function], Function]]]:
    if Task is not None:
        yield Task, "enqueue", _watched_enqueue
        yield Task, "aenqueue", _watched_aenqueue


patches = Patches(_methods())


def watch_backends() -> None:
    """See to it that every mail backend that is loaded is watched.

    They are watched where they send and nowhere else: Django looks at the frames above
    when one is made, to tell the application's use of deprecated ways from its own.
    """
    backends = [BaseEmailBackend]
    for backend in backends:
        if "send_messages" in backend.__dict__:
            patches.ensure(backend, "send_messages", _watched_send_messages)
        backends += backend.__subclasses__()
