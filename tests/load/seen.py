"""What came of a load: the traces in a server's file, its log and its spans."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from signal_trace import Trace, json_lines
from tests.load.serving import Server
from tests.load.visits import Answer

Shape = list[tuple[str, tuple[str, ...]]]

LOST = re.compile(r"(?:Traces lost[^:]*|Traces dropped[^:]*): (\d+)\.")


def traces(file: Path) -> list[Trace]:
    """Those in a file of JSON Lines."""
    with file.open("rb") as lines:
        return list(json_lines.read(lines))


def summaries(server: Server) -> list[dict[str, Any]]:
    """The log's records of traces."""
    return [one for one in server.log if one.get("signal_trace_record") == "trace"]


def ids_of(traces: Iterable[Trace]) -> Counter[str]:
    return Counter(trace.id for trace in traces)


def named_in(answers: Iterable[Answer]) -> Counter[str]:
    """The ids of the traces that responses named, as often as they did."""
    return Counter(str(answer.trace) for answer in answers)


def said(server: Server) -> int:
    """How many traces its log says were lost."""
    counts = (LOST.search(one["message"]) for one in server.log)
    return sum(int(count[1]) for count in counts if count)


def processes(server: Server) -> set[int]:
    """The ids of those that have had an order."""
    files = server.folder.glob("of-*.sqlite3")
    return {int(file.name.split("-")[1]) for file in files}


def orders(folder: Path) -> dict[str, int]:
    """The primary keys of all orders, by their numbers."""
    found: dict[str, int] = {}
    for file in folder.glob("of-*.sqlite3"):
        with closing(sqlite3.connect(file)) as connection:
            found |= connection.execute("SELECT number, id FROM shop_order").fetchall()
    return found


def orders_named(text: str) -> set[int]:
    """The primary keys of the orders that a text names."""
    return {int(pk) for pk in re.findall(r"shop\.Order\(pk=(\d+)\)", text)}


def shape(trace: Trace) -> Shape:
    """What was sent to whom, in any order."""
    return sorted(
        (send.signal, tuple(sorted(call.receiver for call in send.calls)))
        for send in trace.sends
    )
