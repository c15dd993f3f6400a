"""Exports into a file, whole or not at all, or to standard output."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from signal_trace import exports
from signal_trace.cli.failing import Failure, Misuse, of_os
from signal_trace.exports import Format


def format_of(name: str | None, output: str | None) -> Format:
    """The format called *name*; without one that of which *output* has the suffix."""
    try:
        if name is not None:
            return exports.get(name)
    except ValueError as error:
        raise Misuse(str(error)) from None
    suffixes = {one.suffix: one for one in exports.FORMATS.values()}
    fitting = [one for one in suffixes if output and output.endswith(f".{one}")]
    if not fitting:
        known = ", ".join(exports.FORMATS)
        raise Misuse(f"which --format? There are {known}")
    return suffixes[max(fitting, key=len)]


def check(output: str, *, force: bool) -> Path:
    """Where to write *output*; raises `Failure` where that can't be."""
    if output in ("", "-"):
        raise Misuse(f"--output {output!r} names no file; name one, or leave it out")
    path = Path(os.path.realpath(output))
    try:
        if path.is_dir():
            raise Failure(f"{output}: is a folder; name a file in it")
        if path.exists() and not path.is_file():
            raise Failure(
                f"{output}: is no regular file; leave --output out, and use >"
            )
        if path.exists() and not force:
            raise Failure(f"{output}: exists; --force replaces it")
        if not path.parent.is_dir():
            raise Failure(f"{output}: there is no folder {path.parent}; make it first")
    except OSError as error:
        raise of_os(error, output) from None
    return path


def to_file(pieces: Iterable[str], path: Path) -> None:
    """Write *pieces* to *path*. Until all of it is written, it is under another name:
    what fails leaves nothing behind, and the file that was there before."""
    temporary = path.with_name(f".{path.name[:200]}.{os.getpid()}.tmp")
    try:
        try:
            with temporary.open(
                "x", encoding="utf-8", errors="backslashreplace", newline="\n"
            ) as file:
                with suppress(OSError):  # There may be none, or none that has modes.
                    shutil.copymode(path, temporary)
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise of_os(error, path) from None


def to_stream(pieces: Iterable[str], stream: TextIO) -> None:
    """Write *pieces* to *stream*, in UTF-8 whatever it is set to."""
    binary = getattr(stream, "buffer", None)
    if binary is None:
        stream.writelines(pieces)
        return
    stream.flush()
    for piece in pieces:
        binary.write(piece.encode("utf-8", "backslashreplace"))
