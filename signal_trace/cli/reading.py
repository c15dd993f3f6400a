"""Traces from files, folders and standard input, one at a time.

A file holds one trace as JSON, or any number as JSON Lines; it may be compressed by
gzip. What can't be read among what can is passed over, and remembered.
"""

from __future__ import annotations

import gzip
import io
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from signal_trace import json_lines
from signal_trace.cli.failing import Failure, Misuse, of_os
from signal_trace.trace import Trace, TraceError

STDIN = "-"
STANDARD_INPUT = "standard input"

#: So many of the places that were passed over are told one by one.
MOST_TOLD = 10

_GZIP = b"\x1f\x8b"


@dataclass(slots=True)
class PassedOver:
    """What was no trace that can be read: how much, and the first of it."""

    count: int = 0
    told: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        self.count += 1
        if len(self.told) < MOST_TOLD:
            self.told.append(problem)


class Reader:
    """Reads what is *given*: paths of files and folders, or `STDIN`.

    ``advance`` is called after each line with how many bytes have been read so far;
    ``size`` is how many there are, None where that can't be known.
    """

    def __init__(self, given: Sequence[str], stdin: Callable[[], BinaryIO]) -> None:
        self._stdin = stdin
        self._paths = [path for one in given for path in _files(one)]
        self.size = _size(self._paths)
        self.passed_over = PassedOver()
        self.count = 0
        self.advance: Callable[[int], object] = lambda done: None
        self._done = 0

    def traces(self, containing: Sequence[str] = ()) -> Iterator[Trace]:
        """Each trace; lines that have none of the texts *containing*, where there are
        some, are not looked at.

        Raises `Failure` where there is nothing to read, or it can't be had.
        """
        marks = [one.encode() for one in containing]
        for path in self._paths:
            try:
                if path is None:
                    stream = self._stdin()
                    yield from self._stream(stream, STANDARD_INPUT, marks)
                    continue
                with path.open("rb") as file:
                    yield from self._stream(file, str(path), marks)
                    if file.seekable():
                        self._done += file.tell()
            except OSError as error:
                if isinstance(error, BrokenPipeError):
                    raise  # It isn't ours: somebody stopped to read what we write.
                raise of_os(error, path or STANDARD_INPUT) from None
        if not self.count and (not marks or self.passed_over.count):
            raise Failure(self._why_nothing())

    def _why_nothing(self) -> str:
        if not self.passed_over.count:
            return "there is no trace in what was given"
        first, count = self.passed_over.told[0], self.passed_over.count
        more = f" (and {count - 1:,} more like it)" if count > 1 else ""
        return f"{first}{more}; {_remedy(first)}"

    def _stream(
        self, raw: BinaryIO, name: str, marks: Sequence[bytes]
    ) -> Iterator[Trace]:
        stream = _buffered(raw)
        try:
            if stream.peek(2)[:2] == _GZIP:
                stream = _buffered(gzip.GzipFile(fileobj=stream))
            beginning = stream.peek(1)
            if not beginning:
                self.passed_over.add(f"{name}: empty")
            elif b"\0" in beginning:
                self.passed_over.add(f"{name}: not a trace: a binary file")
            else:
                yield from self._lines(stream, raw, name, marks)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            self.passed_over.add(f"{name}: compressed by gzip, and cut off or damaged")

    def _lines(
        self,
        stream: io.BufferedReader,
        raw: BinaryIO,
        name: str,
        marks: Sequence[bytes],
    ) -> Iterator[Trace]:
        has_begun = False
        for number, line in enumerate(stream, start=1):
            source = f"{name}, line {number:,}"
            text = line.removeprefix(BOM_UTF8).strip()
            if text and not has_begun:
                has_begun = True
                if text == b"{":
                    line += stream.read()  # One trace, on many lines.
                    source = name
                elif not stream.peek(1):
                    source = name
            wanted = not marks or any(mark in line for mark in marks)
            if wanted and text:
                try:
                    trace = json_lines.read_line(line, source)
                except TraceError as error:
                    told = str(error).replace("at line 1 column", "at column")
                    self.passed_over.add(told)
                else:
                    self.count += 1
                    yield trace
            if raw.seekable():
                self.advance(self._done + raw.tell())


def _files(given: str) -> list[Path | None]:
    if given == STDIN:
        return [None]
    if not given:  # To Path it is the folder that one is in.
        raise Misuse("the name of a file is empty")
    path = Path(given)
    try:
        if path.is_dir():
            found = sorted(
                one for one in path.iterdir() if ".json" in one.name and one.is_file()
            )
            if not found:
                raise Failure(f"{given}: no .json or .jsonl files in this folder")
            return [*found]
        path.stat()
    except OSError as error:
        raise of_os(error, given) from None
    except ValueError:
        raise Misuse(f"{given}: no file's name") from None
    return [path]


def _size(paths: Sequence[Path | None]) -> int | None:
    try:
        if not all(path is not None and path.is_file() for path in paths):
            return None  # A pipe has no size.
        return sum(path.stat().st_size for path in paths if path is not None)
    except OSError:
        return None


def _buffered(raw: BinaryIO | gzip.GzipFile) -> io.BufferedReader:
    if isinstance(raw, io.BufferedReader):
        return raw
    return io.BufferedReader(raw)  # type: ignore[arg-type]


def _remedy(problem: str) -> str:
    if problem == f"{STANDARD_INPUT}: empty":
        return "name files or folders with traces, or pipe some in"
    if "cut off" in problem:
        return "copy it, or export it, again"
    if "a trace of version" in problem:
        return "upgrade django-signal-trace, or export it with the older one"
    return "give traces as the formats json and jsonl, or FileSink, have them"
