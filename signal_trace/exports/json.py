"""The trace's own document, which `Trace.from_json` reads back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from signal_trace.documents import json_pieces
from signal_trace.exports.formats import only
from signal_trace.trace import Trace


def pieces(traces: Iterable[Trace]) -> Iterator[str]:
    yield from json_pieces(only(traces, "json", "write more of them as jsonl"))
