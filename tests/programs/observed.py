"""What can be observed of a world, as plain values that can be compared."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from django.db import connection
from django.test.utils import CaptureQueriesContext

import signal_trace
from tests.programs.turns import TurnLoop

LEFT_OUT = tuple(
    str(Path(module.__file__ or "").parent) + os.sep
    for module in (signal_trace, asyncio)
)
LOGGERS = ("django.dispatch", "tests.program", "asyncio", "signal_trace")

Plain = tuple[Any, ...]


def type_name(error: BaseException) -> str:
    cls = type(error)
    module = "" if cls.__module__ == "builtins" else f"{cls.__module__}."
    return module + cls.__qualname__


def frames(error: BaseException) -> Plain:
    """The lines that an exception came through, but for those of signal_trace, and of
    asyncio, which treats an awaitable otherwise than a coroutine."""
    return tuple(
        (frame.f_code.co_filename, line, frame.f_code.co_qualname)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not frame.f_code.co_filename.startswith(LEFT_OUT)
    )


def describe_error(error: BaseException | None, depth: int = 0) -> Plain | None:
    """All that an application can know of an exception."""
    if error is None:
        return None
    if depth == 8:
        return ("deeper",)  # A shared exception may have itself as its context.
    return (
        type_name(error),
        str(error.args),
        frames(error),
        error.__suppress_context__,
        tuple(getattr(error, "__notes__", ())),
        describe_error(error.__cause__, depth + 1),
        describe_error(error.__context__, depth + 1),
        *(
            describe_error(one, depth + 1)
            for one in getattr(error, "exceptions", ())
            if isinstance(one, BaseException)
        ),
    )


class Log(logging.Handler):
    """Keeps what is logged, and no object of it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Plain] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        # The event loop's messages have addresses in them.
        message = "" if record.name == "asyncio" else record.getMessage()
        self.lines.append(
            (
                record.name,
                record.levelname,
                record.msg if message else "",
                message,
                tuple(type(one).__name__ for one in record.args or ()),
                record.funcName,
                describe_error(error),
            )
        )


@contextlib.contextmanager
def observing(seen: dict[str, Any]) -> Iterator[None]:
    """Put into *seen* what is logged, warned of and asked of the database."""
    log = Log()
    with (
        contextlib.ExitStack() as stack,
        warnings.catch_warnings(record=True) as warned,
        CaptureQueriesContext(connection) as queries,
        mock.patch("asyncio.events.new_event_loop", TurnLoop),
    ):
        warnings.simplefilter("always")
        for name in LOGGERS:
            logger = logging.getLogger(name)
            stack.enter_context(mock.patch.object(logger, "handlers", [log]))
            stack.enter_context(mock.patch.object(logger, "propagate", False))
            stack.enter_context(mock.patch.object(logger, "level", logging.INFO))
            stack.callback(logger.manager._clear_cache)
            logger.manager._clear_cache()
        yield
    seen["log"] = log.lines
    seen["warnings"] = sorted(
        (type(one.message).__name__, str(one.message)) for one in warned
    )
    seen["queries"] = [query["sql"] for query in queries.captured_queries]


def difference(plain: Any, traced: Any, path: str) -> str:
    """The first place where two observations differ."""
    if type(plain) is type(traced) and isinstance(plain, list | tuple):
        pairs = itertools.zip_longest(plain, traced, fillvalue="nothing")
        for index, (one, other) in enumerate(pairs):
            if one != other:
                return difference(one, other, f"{path}[{index}]")
    return f"{path} without and with a recording:\n{plain}\n{traced}"
