"""What sends and calls are told by, in few words."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Iterable

from signal_trace.parts import (
    CANCELLED,
    CANCELLED_BY_SIBLING,
    EARLIER_RAISED,
    NOT_TOLD,
    ROLLED_BACK,
    UNFINISHED,
    Call,
    Frame,
    NotCalled,
    Send,
)
from signal_trace.runs import Run, without_pk

# Of a list in an argument so many are shown.
MOST_ITEMS = 4


def sender(send: Send | Run) -> str:
    """Who sent it: the instance, where a model sent a signal about one of its own."""
    instance = send.arguments.get("instance")
    if type(instance) is str and without_pk(instance) == send.sender:
        return instance
    return send.sender


def arguments(send: Send | Run) -> list[str]:
    """Those of Django's arguments that say what happened: ``created=True``, of what is
    told by its type ``created: bool``. Where no value is told, the names of all."""
    given = send.arguments
    if NOT_TOLD in given.values():
        return list(given)
    names = ["created"] if "created" in given else []
    for name in ("update_fields", "action", "pk_set"):
        if given.get(name) is not None:
            names.append(name)  # noqa: PERF401  # a list of its own takes longer
    for name in ("reverse", "raw"):
        if given.get(name) is True:
            names.append(name)  # noqa: PERF401
    if given.get("instance") not in (None, sender(send)):
        names.append("instance")
    return [_argument(send, name) for name in names]


def _argument(send: Send | Run, name: str) -> str:
    value = send.arguments[name]
    if type(value) is list:
        more = ["…"] if len(value) > MOST_ITEMS else []
        return f"{name}=[{', '.join([*map(str, value[:MOST_ITEMS]), *more])}]"
    # Of texts only model instances are told, and these of Django's own.
    is_type = type(value) is str and not (
        "(pk=" in value
        or (name in ("using", "action") and send.signal.startswith("django."))
    )
    return f"{name}: {value}" if is_type else f"{name}={value}"


def place(one: Frame | Call | NotCalled) -> str:
    """A line of code, or where a receiver's begins, as ``shop/views.py:12``: the file
    from the top of its package on, as the receiver's dotted name or else the folders
    that Python imports from tell it; or with the folder that it is in."""
    if one.file is None:
        return ""
    receiver = "" if isinstance(one, Frame) else one.receiver
    return f"{_from_top(one.file, receiver, tuple(sys.path))}:{one.line}"


@functools.lru_cache(maxsize=10_000)
def _from_top(file: str, receiver: str, search_path: tuple[str, ...]) -> str:
    path = re.split(r"[/\\]", file)
    start = _top_by_name(path, receiver) if receiver else None
    if start is None:
        start = _top_by_folder(file, search_path)
    if start is None:
        start = max(0, len(path) - 2)
    return "/".join(path[start:])


def _top_by_name(path: list[str], receiver: str) -> int | None:
    module = [*path[:-1], path[-1].removesuffix(".py")]
    if module[-1] == "__init__":
        module.pop()
    for start in range(len(module)):
        if f"{receiver}.".startswith(f"{'.'.join(module[start:])}."):
            return start
    return None


def import_folders(search_path: Iterable[str] | None = None) -> list[str]:
    """The folders that Python imports from."""
    folders = sys.path if search_path is None else search_path
    return [os.path.join(folder, "") for folder in folders if folder]  # noqa: PTH118


def _top_by_folder(file: str, search_path: tuple[str, ...]) -> int | None:
    folders = import_folders(search_path)
    inside = [folder for folder in folders if file.startswith(folder)]
    return max(inside, key=len).count(os.sep) if inside else None


def full_place(one: Frame | Call | NotCalled) -> str:
    """The same with the file's whole path."""
    return f"{one.file}:{one.line}" if one.file else ""


def why_not_called(one: NotCalled) -> str:
    """Why a receiver never ran that was to hear a send."""
    article = "an" if one.reason == EARLIER_RAISED else "the"
    return f"{article} {one.reason}"


def marks(node: Send | Run | Call) -> list[str]:
    """What is out of the ordinary about it, other than an exception."""
    if isinstance(node, Call):
        if node.outcome in (CANCELLED, CANCELLED_BY_SIBLING):
            return [node.outcome]
        return [UNFINISHED] if node.duration_ns is None else []
    told = ["on_commit"] if node.on_commit else []
    if node.transaction == ROLLED_BACK:
        told.append(ROLLED_BACK)
    if node.duration_ns is None:
        told.append(UNFINISHED)
    return told
