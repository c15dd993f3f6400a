"""Which line caused a send: of all the frames that lead to it, the application's.

That is the nearest one which is neither Django's, nor Python's, nor of a package that
instruments others. Where there is none, as on the admin's pages, it is the nearest of
Django's that is more than machinery: ``save_model`` rather than ``save``.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import asgiref.current_thread_executor
import django

from signal_trace.errors import MOST_FRAMES, OWN_FOLDER
from signal_trace.parts import Frame

#: Where a frame stands: its code, and how far it has come in it. Cheap to take, and
#: holds nothing of the application's but code.
Place = tuple[CodeType, int]


def _folder(file: str | None) -> str:
    return str(Path(file or "").parent) + os.sep


DJANGO = _folder(django.__file__)
PYTHON = _folder(os.__file__)
PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
INSTRUMENTS = (
    *("debug_toolbar", "sentry_sdk", "opentelemetry", "ddtrace", "newrelic"),
    *("elasticapm", "silk"),
)

# What a file's code is: anybody's, what only passes calls on, Django's for people to
# use, where Django begins to run what it was asked to run, and what runs what was
# begun elsewhere.
APPLICATION, MACHINERY, FRAMEWORK, BOUNDARY, LOOP = range(5)
DJANGO_MACHINERY = tuple(
    os.path.join(DJANGO, path)  # noqa: PTH118  # A beginning, and no path.
    for path in ("db/", "dispatch/", "utils/", "core/serializers/", "apps/")
)
DJANGO_BOUNDARY = tuple(
    os.path.join(DJANGO, path)  # noqa: PTH118
    for path in ("core/handlers/", "core/management/__init__")
)
# Of the boundary, but called by the application, as what it runs is.
CALL_COMMAND = "call_command"
LOOPS = (
    asyncio.events.__file__,
    asyncio.runners.__file__,
    asgiref.current_thread_executor.__file__,
)
OTHER_MACHINERY = (OWN_FOLDER, _folder(asgiref.__file__), "<frozen ")

_kinds: dict[str, int] = {}


def _kind(file: str) -> int:
    """What the code of *file* is; remembered in `_kinds`."""
    _, _, package = file.rpartition(next((p for p in PACKAGES if p in file), "\0"))
    if file.startswith(DJANGO):
        kind = (
            MACHINERY
            if file.startswith(DJANGO_MACHINERY)
            else BOUNDARY
            if file.startswith(DJANGO_BOUNDARY)
            else FRAMEWORK
        )
    elif file in LOOPS:
        kind = LOOP
    elif file.startswith(OTHER_MACHINERY) or (
        package != file and package.partition(os.sep)[0] in INSTRUMENTS
    ):
        kind = MACHINERY
    else:
        kind = MACHINERY if file.startswith(PYTHON) and package == file else APPLICATION
    _kinds[file] = kind
    return kind


def is_machinery(file: str) -> bool:
    """Whether the code of *file* only passes calls on."""
    kind = _kinds.get(file)
    return (_kind(file) if kind is None else kind) == MACHINERY


def find_place(frame: FrameType | None) -> Place | None:
    """The place of the application's line that caused what runs in *frame*. Hot: each
    send waits for this."""
    kind_of = _kinds.get
    while frame is not None:
        code = frame.f_code
        kind = kind_of(code.co_filename)
        if kind is None:
            kind = _kind(code.co_filename)
        if kind != MACHINERY:
            if kind == APPLICATION:
                return code, frame.f_lasti
            if kind >= BOUNDARY and code.co_name != CALL_COMMAND:
                return None
        frame = frame.f_back
    return None


def find_any_place(frame: FrameType | None, *, past_loops: bool) -> Place | None:
    """As `find_place`, and else that of Django's which is more than machinery;
    *past_loops*, also among what runs the event loop, or waits in this thread for
    one."""
    found = None
    while frame is not None:
        code = frame.f_code
        kind = _kinds.get(code.co_filename)
        kind = _kind(code.co_filename) if kind is None else kind
        if kind == APPLICATION:
            return code, frame.f_lasti
        if kind == LOOP and not past_loops:
            break
        if kind in (FRAMEWORK, BOUNDARY):
            found = found or (code, frame.f_lasti)
        if kind == BOUNDARY and code.co_name != CALL_COMMAND:
            break
        frame = frame.f_back
    return found


def find_stack(frame: FrameType | None) -> tuple[Place, ...]:
    """The places that lead to *frame*, the innermost last, without this package's."""
    places: list[Place] = []
    while frame is not None and len(places) < MOST_FRAMES:
        code = frame.f_code
        if not code.co_filename.startswith(OWN_FOLDER):
            places.append((code, frame.f_lasti))
        frame = frame.f_back
    return tuple(reversed(places))


def awaiting_place(coroutine: Any) -> Place | None:
    """The place where a *coroutine*, or one that it awaits, waits for what runs in
    another thread; None where the application has no part in that."""
    innermost = _running_in(coroutine) if getattr(coroutine, "cr_running", 0) else None
    if innermost is not None:
        return find_place(innermost)
    found = None
    for frame in _suspended(coroutine):
        code = frame.f_code
        kind = _kinds.get(code.co_filename)
        kind = _kind(code.co_filename) if kind is None else kind
        if kind == APPLICATION:
            found = code, frame.f_lasti
        elif kind == BOUNDARY:
            found = None
    return found


def _running_in(coroutine: Any) -> FrameType | None:
    """The innermost frame of the thread that is just about to leave *coroutine*: the
    other thread may begin before it waits for it."""
    own = threading.get_ident()  # Its frame would refer to itself.
    for thread, innermost in sys._current_frames().items():
        frame: FrameType | None = None if thread == own else innermost
        while frame is not None:
            if frame is coroutine.cr_frame:
                return innermost
            frame = frame.f_back
    return None


def _suspended(coroutine: Any) -> Iterator[FrameType]:
    for _ in range(MOST_FRAMES):
        frame = getattr(coroutine, "cr_frame", None)
        if not isinstance(frame, FrameType):
            return
        yield frame
        coroutine = getattr(coroutine, "cr_await", None)


def current_task() -> asyncio.Task[Any] | None:
    """The task that runs in this thread."""
    return asyncio.current_task() if asyncio._get_running_loop() else None


def line_of(place: Place) -> Frame:
    """*place* as people read it."""
    code, instruction = place
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if number is not None and start <= instruction < end:
            line = number
            break
    return Frame(code.co_filename, line, code.co_qualname)


def caller(depth: int) -> FrameType | None:
    """The frame so many calls above the caller's."""
    return sys._getframe(depth + 1)
