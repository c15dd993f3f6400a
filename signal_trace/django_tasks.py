"""Django's own tasks, since Django 6.0: each run is a trace, where ``TASKS`` has
``"django"``.

Read of Django 6.0.10 and 6.1.3: backends run a task by its ``call`` or ``acall``, after
they have sent ``task_started``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any

from signal_trace import conf, watching
from signal_trace.choosing import sample
from signal_trace.recording import report_bug
from signal_trace.traced import begin

try:
    from django.tasks.base import Task
    from django.tasks.signals import task_started
except ImportError:  # Before Django 6.0.
    Task = None  # type: ignore[assignment, misc]

IS_THERE = Task is not None

# The result that a backend is about to run the task of.
_started: ContextVar[Any] = ContextVar("signal_trace.started", default=None)


def watch() -> None:
    """Watch the running of tasks, from now on, where there are any."""
    if Task is None or hasattr(Task.call, "signal_trace"):
        return
    Task.call = _watched(Task.call)  # type: ignore[method-assign]
    Task.acall = _watched_async(Task.acall)  # type: ignore[method-assign]
    task_started.connect(_note_started, dispatch_uid="signal_trace.tasks")
    watching.keep(Task)


def _watched(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        with _traced(self):
            return call(self, *args, **kwargs)

    watched.signal_trace = True  # type: ignore[attr-defined]
    return watched


def _watched_async(acall: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(acall)
    async def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        with _traced(self):
            return await acall(self, *args, **kwargs)

    return watched


def _note_started(sender: Any, task_result: Any = None, **_: Any) -> None:
    _started.set(task_result)


def _traced(task: Any) -> AbstractContextManager[Any]:
    result = _started.get()
    _started.set(None)
    try:
        settings = conf.settings()
        if settings.ENABLED and "django" in settings.TASKS:
            name = task.module_path
            known = {"task": name, "queue": task.queue_name}
            if result is not None and result.task is task:
                known["task_id"] = result.id
            return begin("task", name, sample(), **known)
    except Exception:
        report_bug("tracing a task")
    return nullcontext()
