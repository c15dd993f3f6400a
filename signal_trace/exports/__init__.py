"""Formats in which other programs, and people, read a trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from signal_trace.exports import html, json, perfetto, text
from signal_trace.trace import Trace


@dataclass(frozen=True, slots=True)
class Format:
    """A way of writing a trace: ``write`` turns a `Trace` into text."""

    name: str
    write: Callable[[Trace], str]
    media_type: str
    suffix: str

    def file_name(self, trace: Trace) -> str:
        """What to call a file that holds *trace*."""
        return f"signal-trace-{trace.id[:8]}.{self.suffix}"


FORMATS = {
    one.name: one
    for one in (
        Format("html", html.write, "text/html; charset=utf-8", "html"),
        Format("json", json.write, "application/json", "json"),
        Format("perfetto", perfetto.write, "application/json", "perfetto.json"),
        Format("text", text.write, "text/plain; charset=utf-8", "txt"),
    )
}


def get(name: str) -> Format:
    """The format called *name*; raises ValueError, which lists them all."""
    try:
        return FORMATS[name]
    except KeyError:
        known = ", ".join(FORMATS)
        raise ValueError(f"no format {name!r}; the formats are {known}") from None
