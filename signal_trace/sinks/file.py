"""A file of JSON Lines, which many processes may append to."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from signal_trace.documents import json_pieces
from signal_trace.trace import Trace

try:
    import fcntl
except ImportError:  # On Windows.
    fcntl = None  # type: ignore[assignment]


class FileSink:
    """Appends each trace to the file *path*, as one line of JSON.

    The file is opened anew for each line, so that it may be moved or removed at any
    time, and so may its folder, which is never made. It is locked while the line is
    written: lines of many processes and threads don't mix. What a full disk leaves of
    a line is taken back, and what a killed process left of one stays a line of its own.

    Raises ValueError for a *path* that is none.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        given = os.fspath(path) if isinstance(path, os.PathLike) else path
        if type(given) is not str or not given or "\0" in given:
            raise ValueError(f"path is {path!r}, which is no file's path")
        self.path = Path(given).absolute()

    def __call__(self, trace: Trace) -> None:
        line = b"".join(piece.encode() for piece in json_pieces(trace)) + b"\n"
        # Read as well: whether the last line has an end.
        with self.path.open("ab+", buffering=0) as file, _locked(file):
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    line = b"\n" + line
            try:
                _write(file, line)
            except OSError:
                if fcntl is not None:  # Else it may be another's line by now.
                    with suppress(OSError):
                        file.truncate(end)
                raise

    def problem(self) -> str:
        """What keeps this process from writing the file, or nothing."""
        folder = self.path.parent
        if not folder.is_dir():
            return f"there is no folder {str(folder)!r}, and it is not made"
        if not self.path.exists():
            if os.access(folder, os.W_OK | os.X_OK):
                return ""
            return f"{str(folder)!r} is not writable"
        if not self.path.is_file():
            return f"{str(self.path)!r} is no regular file"
        if not os.access(self.path, os.R_OK | os.W_OK):
            return f"{str(self.path)!r} can't be both read and written"
        return ""


@contextmanager
def _locked(file: io.FileIO) -> Iterator[None]:
    """Keep other processes and threads out. A process that ends gives its lock back,
    however it ends."""
    if fcntl is None:
        yield
        return
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        # Closing doesn't do: a process forked meanwhile has the file open as well.
        fcntl.flock(file, fcntl.LOCK_UN)


def _write(file: io.FileIO, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[file.write(rest) :]
