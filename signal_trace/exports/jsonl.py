"""JSON Lines: the document of a trace on each line, as `json_lines.read` reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from signal_trace.documents import json_pieces
from signal_trace.trace import Trace


def pieces(traces: Iterable[Trace]) -> Iterator[str]:
    for trace in traces:
        yield from json_pieces(trace)
        yield "\n"
