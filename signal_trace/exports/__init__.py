"""Formats in which other programs, and people, read a trace."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from django.utils.module_loading import import_string
from django.utils.translation.trans_null import gettext_noop  # Asks no settings.

from signal_trace.exports import html, json, jsonl, otlp, perfetto, speedscope, text
from signal_trace.exports.formats import Format
from signal_trace.trace import Trace

__all__ = ["FORMATS", "Format", "get", "write"]

JSON = "application/json"
# No type is registered for them; this is what others use.
JSON_LINES = "application/x-ndjson"

FORMATS = {
    one.name: one
    for one in (
        Format(
            "html",
            html.pieces,
            "text/html; charset=utf-8",
            "html",
            gettext_noop("HTML report"),
            holds_many=False,
        ),
        Format("json", json.pieces, JSON, "json", "JSON", holds_many=False),
        Format("jsonl", jsonl.pieces, JSON_LINES, "jsonl", "JSON Lines"),
        Format("otlp", otlp.pieces, JSON_LINES, "otlp.jsonl", "OpenTelemetry (OTLP)"),
        Format("perfetto", perfetto.pieces, JSON, "perfetto.json", "Perfetto"),
        Format("speedscope", speedscope.pieces, JSON, "speedscope.json", "speedscope"),
        Format(
            "text",
            text.pieces,
            "text/plain; charset=utf-8",
            "txt",
            gettext_noop("plain text"),
        ),
    )
}


def get(name: str) -> Format:
    """The format called *name*, or the `Format` at that dotted path.

    Raises ValueError, which lists the formats or says what is wrong with the path.
    """
    if name in FORMATS:
        return FORMATS[name]
    problem = f"; the formats are {', '.join(FORMATS)}"
    cause: Exception | None = None
    if "." in name and all(name.split(".")):
        try:
            found = import_string(name)
        except ImportError as error:
            cause, problem = error, f": {error}"
        except Exception as error:  # The module may do anything, and ask for settings.
            cause, problem = error, f": {type(error).__name__}: {error}"
        else:
            if isinstance(found, Format):
                return found
            problem = ", which is no signal_trace.exports.Format"
    raise ValueError(f"no format {name!r}{problem}") from cause


def write(traces: Iterable[Trace], format: str, file: TextIO) -> None:
    """Write *traces* to *file*, which is open for text, in one of the formats.

    Traces are taken one at a time, so that many of them may come from a generator,
    such as `signal_trace.json_lines.read`.

    Raises ValueError for a format that does not exist, and for a second trace where a
    file of that format holds one only.
    """
    file.writelines(get(format).pieces(traces))
