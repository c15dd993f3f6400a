"""Celery's tasks: each run is a trace, where ``TASKS`` has ``"celery"``.

Watched on Celery's own signals, which it sends in the thread and the context in which
the task runs, before and after it.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from signal_trace import conf, sinks, watching
from signal_trace.choosing import Choice, sample
from signal_trace.entrance import Recording, record
from signal_trace.recording import report_bug
from signal_trace.traced import Traced, innermost
from signal_trace.traceparent import HEADER, valid

# How long a process of the pool waits at its end for what is queued.
EXIT_SECONDS = 5


def is_there() -> bool:
    """Whether Celery is installed."""
    return importlib.util.find_spec("celery") is not None


def watch() -> None:
    """Watch the running of tasks, from now on, where Celery is installed."""
    if not is_there():
        return
    from celery import signals

    uid = "signal_trace.tasks"
    signals.task_prerun.connect(_begin, weak=False, dispatch_uid=uid)
    signals.task_postrun.connect(_end, weak=False, dispatch_uid=uid)
    signals.worker_process_shutdown.connect(_flush, weak=False, dispatch_uid=uid)
    watching.keep(_Task)


class _Task(Traced):
    """A task that is running."""

    def __init__(self, recording: Recording, choice: Choice, task_id: str) -> None:
        super().__init__(recording, choice)
        self.task_id = task_id


def _begin(task_id: str, task: Any, **_: Any) -> None:
    try:
        settings = conf.settings()
        if not settings.ENABLED or "celery" not in settings.TASKS:
            return
        request = task.request
        if not request.is_eager:
            _end_stale()
        choice = sample()
        if choice is None:
            return
        recording = record(
            task.name,
            kind="task",
            task=task.name,
            task_id=task_id,
            retries=request.retries,
        )
        # A worker has a message's headers among the rest; a task run at once hasn't.
        given = request.get(HEADER) or (request.headers or {}).get(HEADER)
        traceparent = valid(given) if type(given) is str else None
        if traceparent is not None:
            recording.attributes["traceparent"] = traceparent
        _Task(recording, choice, task_id).open()
    except Exception:
        report_bug("tracing a task")


def _end(task_id: str, state: str | None = None, retval: Any = None, **_: Any) -> None:
    try:
        task = innermost()
        if not isinstance(task, _Task) or task.task_id != task_id:
            return
        error = retval if state == "FAILURE" else None
        if state is None:
            error = sys.exc_info()[1]  # On its way out: Celery was told to let it pass.
        else:
            task.note(state=state)
        task.end(error if isinstance(error, BaseException) else None)
    except Exception:
        report_bug("tracing a task")


def _flush(**_: Any) -> None:
    """Send what is queued: the processes of Celery's pool run no exit handlers."""
    try:
        sinks.flush(EXIT_SECONDS)
    except Exception:
        report_bug("sending what is queued")


def _end_stale() -> None:
    """End what is open of an earlier task that never came to its end: a worker's thread
    goes on to the next one, and so does its context."""
    while isinstance(stale := innermost(), _Task):
        stale.note(unfinished=True)
        stale.end()
