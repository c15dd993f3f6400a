"""Watches what leaves the process through Django's own ways: mail and tasks.

Read of Django 5.2.19, 6.0.10 and 6.1.3: every message is handed to the
``send_messages`` of a backend, every task (since 6.0) enqueued by its ``Task``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from django.core.mail.backends.base import BaseEmailBackend

from signal_trace.noting import note_mail, note_task
from signal_trace.patches import Function, Patches
from signal_trace.recording import position, report_bug

try:
    from django.tasks.base import Task
except ImportError:  # Before Django 6.0.
    Task = None  # type: ignore[assignment, misc]

current = position.get

# A backend may hand its messages on to another one.
_handing_on: ContextVar[bool] = ContextVar("signal_trace.handing_on", default=False)


class _WatchedInit:
    """Sees whose ``__init__`` is looked up, and hands out Django's own: since 6.1 that
    one looks at who calls it, and warns of what isn't Django's."""

    def __init__(self, original: Function) -> None:
        functools.update_wrapper(self, original)
        self.original: Any = original

    def __get__(self, backend: Any, owner: Any = None) -> Any:
        if backend is not None and current():
            _watch_backend(type(backend))
        return self.original.__get__(backend, owner)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.original(*args, **kwargs)


def _watch_backend(cls: type) -> None:
    try:
        name = "send_messages"
        base = next(base for base in cls.__mro__ if name in base.__dict__)
        patches.ensure(base, name, _watched_send_messages)
    except Exception:
        report_bug("watching a mail backend")


def _watched_send_messages(original: Function) -> Function:
    @functools.wraps(original)
    def send_messages(self: Any, *args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        here = current()
        if not here or _handing_on.get() or not (args or kwargs):
            return original(self, *args, **kwargs)
        token = _handing_on.set(True)
        try:
            result = original(self, *args, **kwargs)
        finally:
            _handing_on.reset(token)
        # What raises has sent nothing, as far as can be said.
        try:
            # Backends give the argument names of their own.
            messages = next(iter((*args, *kwargs.values())))
            count = len(messages) if type(messages) in (list, tuple) else 1
            if count:
                note_mail(here, self, count)
        except Exception:
            report_bug("noting mail")
        return result

    return send_messages


def _watched_enqueue(original: Function) -> Function:
    @functools.wraps(original)
    def enqueue(self: Any, *args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        result = original(self, *args, **kwargs)
        _note_task(self)
        return result

    return enqueue


def _watched_aenqueue(original: Function) -> Function:
    @functools.wraps(original)
    async def aenqueue(self: Any, *args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        result = await original(self, *args, **kwargs)
        _note_task(self)
        return result

    return aenqueue


def _note_task(task: Any) -> None:
    try:
        if here := current():
            note_task(here, task)
    except Exception:
        report_bug("noting a task")


def _methods() -> Iterator[tuple[type, str, Callable[[Function], Function]]]:
    yield BaseEmailBackend, "__init__", _WatchedInit
    if Task is not None:
        yield Task, "enqueue", _watched_enqueue
        yield Task, "aenqueue", _watched_aenqueue


patches = Patches(_methods())
