"""Notes events where they happen, for those who watch for them."""

from __future__ import annotations

from types import FrameType
from typing import Any

from signal_trace.call_sites import caller
from signal_trace.causes import find_cause
from signal_trace.names import receiver_name, sender_kind, type_name
from signal_trace.parts import MAIL, ON_COMMIT, TASK
from signal_trace.recording import callbacks_run_at, window_at
from signal_trace.transactions import open_transaction


def note_bulk_write(here: int, kind: str, model: type, frame: FrameType) -> None:
    """Note a write by the method of a QuerySet that *frame* runs."""
    _note(here, kind, sender_kind(model).name, frame, model=model)


def note_callback(here: int, callback: Any) -> None:
    """Note that *callback* is registered with ``on_commit``."""
    _note(here, ON_COMMIT, receiver_name(callback).name, caller(2))


def note_mail(here: int, backend: object, count: int) -> None:
    """Note that *count* messages are handed to a mail backend."""
    _note(here, MAIL, type_name(type(backend)), caller(2), count=count)


def note_task(here: int, task: Any) -> None:
    """Note that a task of Django's is enqueued."""
    _note(here, TASK, receiver_name(task.func).name, caller(2))


def _note(
    here: int,
    kind: str,
    subject: str,
    frame: FrameType | None,
    *,
    count: int = 1,
    model: type | None = None,
) -> None:
    window = window_at(here)
    if window is not None:
        window.events.note(
            kind,
            subject,
            here,
            find_cause(window, here, frame),
            count=count,
            in_transaction=open_transaction() is not None,
            in_callback=callbacks_run_at.get() == here,
            model=model,
        )
