"""Sinks: where finished traces are sent.

A sink is anything callable that takes a `Trace`. Of those in
``SIGNAL_TRACE["SINKS"]`` a class is instantiated once, as ``BACKEND(**OPTIONS)``;
a function is called for each trace, as ``BACKEND(trace, **OPTIONS)``.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any

from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from signal_trace import conf
from signal_trace.sinks.log import LogSink
from signal_trace.trace import Trace

__all__ = ["LogSink", "Sink", "SinkError", "build", "configured", "emit"]

logger = logging.getLogger("signal_trace.sinks")

Sink = Callable[[Trace], object]


class SinkError(ValueError):
    """A sink in the settings can't be used; the message says which and why."""


def build(given: dict[str, Any]) -> Sink:
    """Build the sink that one entry of ``SINKS`` describes; raises `SinkError`."""
    path, options = given["BACKEND"], given.get("OPTIONS", {})
    try:
        backend = import_string(path)
        if not callable(backend):
            raise ImportError("it is neither a class nor a function")
    except Exception as error:  # Importing runs the module, which may do anything.
        raise SinkError(f"The sink {path!r} can't be imported: {error}") from error
    sink: Sink
    try:
        if isinstance(backend, type):
            sink = backend(**options)
        else:
            sink = functools.partial(backend, **options)
            # Said now, and not when there is a trace to lose.
            inspect.signature(backend).bind(None, **options)
    except Exception as error:
        raise SinkError(f"The sink {path!r} refuses its OPTIONS: {error}") from error
    if not callable(sink):
        raise SinkError(f"The sink {path!r} can't be called with a trace.")
    if inspect.iscoroutinefunction(backend):
        raise SinkError(f"The sink {path!r} is a coroutine function: it isn't awaited.")
    return sink


def emit(trace: Trace) -> None:
    """Send *trace* to every sink. One that raises harms neither the others nor the
    application: its first failure is logged, with the traceback."""
    for path, sink in _sinks():
        try:
            sink(trace)
        except Exception:
            if id(sink) not in _failed:
                _failed.add(id(sink))
                logger.exception(
                    "The sink %s failed and this trace is lost to it. Further"
                    " failures of this sink are not logged.",
                    path,
                )


# Sinks live as long as the settings that name them, and so do their ids.
_failed: set[int] = set()


@functools.cache
def configured() -> list[Sink | SinkError]:
    """The sinks of the settings, each built once, or what keeps one from it."""
    found: list[Sink | SinkError] = []
    for given in conf.settings().SINKS:
        try:
            found.append(build(given))
        except SinkError as error:
            found.append(error)
    return found


@functools.cache
def _sinks() -> list[tuple[str, Sink]]:
    sinks = []
    for given, sink in zip(conf.settings().SINKS, configured(), strict=True):
        if isinstance(sink, SinkError):
            logger.error("A sink is left out, and the others go on. %s", sink)
        else:
            sinks.append((given["BACKEND"], sink))
    return sinks


def _forget(*, setting: str, **_: Any) -> None:
    if setting == conf.NAME:
        configured.cache_clear()
        _sinks.cache_clear()
        _failed.clear()


setting_changed.connect(_forget, dispatch_uid="signal_trace.sinks")
