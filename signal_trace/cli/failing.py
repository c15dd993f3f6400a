"""What ends a command before it has done its work."""

from __future__ import annotations

import os

from signal_trace.exports.text import printable

INTERRUPTED = 130  # As shells have it: 128, and the number of the signal.


class Failure(Exception):
    """Something that the user can mend; the message says what, and how, on a line."""

    status = 1

    def __str__(self) -> str:
        return printable(super().__str__())


class Misuse(Failure):
    """What was asked for makes no sense."""

    status = 2


def of_os(error: OSError, path: str | os.PathLike[str] = "") -> Failure:
    """An error of the operating system's, which says whose and what to do."""
    name = os.fspath(path or error.filename or "the output")
    reason = (error.strerror or str(error)).lower()
    remedies = (
        (PermissionError, "; change its permissions, or be somebody who has them"),
        (FileNotFoundError, "; check the path"),
        (IsADirectoryError, "; name a file in it"),
    )
    remedy = next((text for kind, text in remedies if isinstance(error, kind)), "")
    if (
        error.errno is not None
        and os.strerror(error.errno) == "No space left on device"
    ):
        remedy = "; make room, or write elsewhere"
    return Failure(f"{name}: {reason}{remedy}")
