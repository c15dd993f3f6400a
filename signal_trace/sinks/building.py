"""Builds the sinks and the redactor that the settings name."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from django.utils.module_loading import import_string

from signal_trace.callables import is_awaited, refusal
from signal_trace.sinks.extras import MissingExtra
from signal_trace.trace import Trace

Sink = Callable[[Trace], object]
Redactor = Callable[[Trace], Trace | None]


class SinkError(ValueError):
    """A sink in the settings can't be used; the message says which and why, *remedy*
    what to do, where it isn't the settings that are wrong."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class RedactorError(ValueError):
    """``REDACT`` in the settings can't be used; the message says why."""


def build(given: dict[str, Any]) -> Sink:
    """Build the sink that one entry of ``SINKS`` describes; raises `SinkError`."""
    path, options = given["BACKEND"], given.get("OPTIONS", {})
    try:
        backend = import_string(path)
        if not callable(backend):
            raise ImportError("it is neither a class nor a function")
    except Exception as error:  # Importing runs the module, which may do anything.
        raise SinkError(
            f"The sink {path!r} can't be imported: {error}",
            error.remedy if isinstance(error, MissingExtra) else "",
        ) from error
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
    if is_awaited(backend) or is_awaited(sink):
        raise SinkError(f"The sink {path!r} is a coroutine function: it isn't awaited.")
    return sink


def build_redactor(given: Any) -> Redactor | None:
    """What ``REDACT`` names, None where it is None; raises `RedactorError`."""
    if given is None:
        return None
    redactor = given
    if type(given) is str:
        try:
            redactor = import_string(given)
        except Exception as error:
            raise RedactorError(f"{given!r} can't be imported: {error}") from error
    if not callable(redactor) or isinstance(redactor, type):
        raise RedactorError(f"{given!r} is no function of a trace.")
    if is_awaited(redactor):
        raise RedactorError(f"{given!r} is a coroutine function: it isn't awaited.")
    if why := refusal(redactor):
        raise RedactorError(f"{given!r} takes no trace: {why}")
    found: Redactor = redactor
    return found
