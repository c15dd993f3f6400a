"""Files of JSON Lines, such as `signal_trace.sinks.FileSink` writes: a trace a line."""

from __future__ import annotations

import warnings
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator

from signal_trace.trace import Trace, TraceError


class TraceWarning(UserWarning):
    """A line of a file is no trace that can be read, and was passed over."""


def read(lines: Iterable[bytes], source: str = "") -> Iterator[Trace]:
    """The traces in *lines*, one at a time: those of a file opened in binary mode.

    A line that was cut off, as the last one of a process that was killed may be, or
    that is no trace, is passed over with a `TraceWarning`, which names the file and the
    line. *source* is what to call the file, where it has no name of its own.

        with gzip.open("traces.jsonl.1.gz") as file:
            for trace in json_lines.read(file):
                print(trace.export("text"))
    """
    source = source or str(getattr(lines, "name", "") or "the file")
    for number, line in enumerate(lines, start=1):
        if not line.removeprefix(BOM_UTF8).strip():
            continue
        try:
            yield read_line(line, f"{source}, line {number}")
        except TraceError as error:
            warnings.warn(f"Passed over: {error}", TraceWarning, stacklevel=2)


def read_line(line: bytes, source: str = "") -> Trace:
    """The trace in *line*; raises `TraceError`, which begins with *source*."""
    try:
        # Some editors write a byte order mark in front.
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TraceError(f"{source}: not a trace: no text at byte {error.start}") from (
            None
        )
    return Trace.from_json(text, source)
