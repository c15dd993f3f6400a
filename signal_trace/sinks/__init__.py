"""Sinks: where finished traces are sent.

A sink is anything callable that takes a `Trace`. Of those in
``SIGNAL_TRACE["SINKS"]`` a class is instantiated once, as ``BACKEND(**OPTIONS)``;
a function is called for each trace, as ``BACKEND(trace, **OPTIONS)``. A process that
was forked builds its own.

Entrances `submit` what they have recorded, and a thread sends it in the background;
`flush` waits for that. `emit` sends a trace at once.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.core.signals import setting_changed

from signal_trace import conf
from signal_trace.entrance import Recording
from signal_trace.recording import report_bug
from signal_trace.sinks.building import (
    RedactorError,
    Sink,
    SinkError,
    build,
    build_redactor,
)
from signal_trace.sinks.file import FileSink
from signal_trace.sinks.log import LogSink
from signal_trace.sinks.outlet import Outlet
from signal_trace.sinks.worker import Worker
from signal_trace.trace import Trace

if TYPE_CHECKING:
    from signal_trace.sinks.opentelemetry import OpenTelemetrySink as OpenTelemetrySink

__all__ = [
    "FileSink",
    "LogSink",
    "RedactorError",
    "Sink",
    "SinkError",
    "are_any",
    "build",
    "build_redactor",
    "configured",
    "emit",
    "flush",
    "submit",
]


def __getattr__(name: str) -> Any:
    # Not before it is asked for: what it needs is an extra.
    if name == "OpenTelemetrySink":
        from signal_trace.sinks.opentelemetry import OpenTelemetrySink

        return OpenTelemetrySink
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def submit(recording: Recording, keep: Callable[[Trace], bool] | None = None) -> None:
    """Send the trace of a *recording* that has ended to every sink, in the background.

    *keep* is asked there, once the trace is put together, whether to send it at all.
    Nothing is waited for and nothing raised: where the queue is full, the trace is
    dropped and counted.
    """
    try:
        outlet = _state.outlet()
        if outlet:
            _state.worker.submit(recording, keep, outlet)
    except Exception:
        report_bug("queueing a trace")


def flush(timeout: float | None = None) -> bool:
    """Wait until all that has been submitted is sent, at most *timeout* seconds.

    Gives whether it is sent. Call it where Python runs no exit handlers, before the
    process ends, and in tests, before you look at what a sink was sent.
    """
    return _state.worker.flush(timeout)


def emit(trace: Trace) -> None:
    """Send *trace* to every sink, now and from this thread. One that raises harms
    neither the others nor the application: it is logged."""
    _state.outlet().send(trace)


def are_any() -> bool:
    """Whether the settings name a sink. None is built to say so: that may take time,
    and whoever asks may be a request."""
    return bool(_state.outlet())


def configured() -> list[Sink | SinkError]:
    """The sinks of the settings, each built once, or what keeps one from it."""
    return _state.outlet().sinks()


class _State:
    """What a process has of its own."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._outlet: Outlet | None = None
        self._making = threading.RLock()

    @property
    def worker(self) -> Worker:
        """Made when first needed: gevent may have replaced locks and threads by now."""
        with self._making:
            if self._worker is None:
                self._worker = Worker()
            return self._worker

    def outlet(self) -> Outlet:
        """That of the settings in force. What is queued has the one of its time."""
        with self._making:
            if self._outlet is None:
                self._outlet = Outlet(conf.settings())
            return self._outlet

    def forget_outlet(self) -> None:
        with self._making:
            self._outlet = None


_state = _State()


def _start_afresh() -> None:
    """In a process that was forked: what is queued is sent by the one that queued it,
    and its locks may never be given back here."""
    global _state
    if _state._worker is not None:
        atexit.unregister(_state._worker.close)
    _state = _State()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh)


def _forget(*, setting: str, **_: Any) -> None:
    if setting == conf.NAME:
        _state.forget_outlet()


setting_changed.connect(_forget, dispatch_uid="signal_trace.sinks")
