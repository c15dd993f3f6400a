"""Exceptions, described without keeping them or running the application's code."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

import asgiref.sync
from django.db.utils import DatabaseError
from django.dispatch import dispatcher

from signal_trace.names import encodable, type_name
from signal_trace.parts import Error, Frame

OWN_FOLDER = str(Path(__file__).parent) + os.sep
LONGEST_MESSAGE = 2000
MOST_FRAMES = 50

# What stands between a send and its receivers: Django's dispatcher, and what it
# changes between threads and event loops with.
MACHINERY = (
    dispatcher.__file__,
    asgiref.sync.__file__,
    str(Path(asyncio.__file__).parent) + os.sep,
    str(Path(concurrent.futures.__file__).parent) + os.sep,
)

# Ways of turning an exception into text that read its arguments and nothing else.
# Django's own exceptions and the standard library's use these, all but a few that
# format arbitrary objects.
SAFE_STR: tuple[Any, ...] = (
    BaseException.__str__,
    KeyError.__str__,
    OSError.__str__,
    ImportError.__str__,
)
OS_ERROR_TEXTS = ("errno", "strerror", "filename", "filename2")
PLAIN_TYPES = (str, int, float, bool, type(None))


def describe_error(error: BaseException) -> Error:
    """Describe *error* by its type, its message where that is safe, and its frames.

    Frames of this package are left out, and so are those that lead from a send to
    its receiver. Of a very deep traceback the innermost frames are kept.
    """
    return Error(
        type_name(type(error)), _safe_message(error), _frames(error.__traceback__)
    )


def _safe_message(error: BaseException) -> str | None:
    cls: Any = type(error)
    if cls.__str__ not in SAFE_STR:
        return None
    # Read from the built-in classes' own slots: a subclass may define these anew.
    values = list(_slot(BaseException, "args", error))
    if cls.__str__ is OSError.__str__:
        values += [_slot(OSError, name, error) for name in OS_ERROR_TEXTS]
    elif cls.__str__ is ImportError.__str__:
        values += [_slot(ImportError, "msg", error)]
    if any(type(value) not in PLAIN_TYPES for value in values):
        return None
    try:
        text = str(cls.__str__(error))
    except ValueError:
        return None  # An integer of too many digits.
    if issubclass(cls, DatabaseError) or type_name(cls).startswith("psycopg"):
        text = text.partition("\n")[0]  # The next has the row's values.
    return encodable(text[:LONGEST_MESSAGE])


def _slot(cls: Any, name: str, error: BaseException) -> Any:
    return cls.__dict__[name].__get__(error)


def _frames(tb: TracebackType | None) -> tuple[Frame, ...]:
    frames = [
        Frame(frame.f_code.co_filename, line, frame.f_code.co_qualname)
        for frame, line in traceback.walk_tb(tb)
        if not frame.f_code.co_filename.startswith(OWN_FOLDER)
    ]
    while frames and frames[0].file.startswith(MACHINERY):
        del frames[0]
    return tuple(frames[-MOST_FRAMES:])
