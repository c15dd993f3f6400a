"""Which one of the traces that are read: by its id, the slowest, or the only one."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from signal_trace.cli.failing import Failure
from signal_trace.trace import Trace

SEE = "'signaltrace list' shows what there is"

#: So many of those that an id may mean are told.
MOST_TOLD = 5


def add_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "given",
        nargs="*",
        metavar="[ID] FILE",
        help="the trace's id, or its first digits; then files, folders, or - for"
        " standard input",
    )


def split(given: Sequence[str]) -> tuple[str, list[str]]:
    """The id that is asked for, or nothing, and the files."""
    if given and is_id(given[0]):
        return given[0].lower(), list(given[1:])
    return "", list(given)


def is_id(given: str) -> bool:
    """Whether this is an id, or the beginning of one, rather than a file."""
    is_hex = re.fullmatch("[0-9a-f]{1,32}", given, re.IGNORECASE) is not None
    return is_hex and not Path(given).exists()


def containing(*ids: str) -> list[str]:
    """What a line has in it that holds a trace of one of these ids, if there are any:
    the beginning of its id, as JSON."""
    return [f'"{id}' for id in ids if id]


def by_ids(traces: Iterable[Trace], ids: Sequence[str]) -> list[Trace]:
    """For each of *ids* the trace whose id begins with it."""
    found: dict[str, dict[str, Trace | str]] = {id: {} for id in ids}
    for trace in traces:
        for id, like in found.items():
            if trace.id.startswith(id) and trace.id not in like:
                # Of those that are only told there may be many.
                like[trace.id] = trace.name if like else trace
        if all(id in like for id, like in found.items()):
            break  # Each is a whole id.
    return [_only_like(id, found[id]) for id in ids]


def by_id(traces: Iterable[Trace], id: str) -> Trace:
    """The trace whose id begins with *id*."""
    return by_ids(traces, [id])[0]


def _only_like(id: str, found: dict[str, Trace | str]) -> Trace:
    if not found:
        raise Failure(f"no trace has an id that begins with {id}; {SEE}")
    first, *others = found.items()
    trace = first[1]
    assert isinstance(trace, Trace)
    if others and id != trace.id:
        every = [(trace.id, trace.name), *others]
        told = ", ".join(f"{one[:12]} ({name})" for one, name in every[:MOST_TOLD])
        more = f" and {len(every) - MOST_TOLD:,} more" * (len(every) > MOST_TOLD)
        raise Failure(f"which of those that begin with {id}: {told}{more}?")
    return trace


def slowest(traces: Iterable[Trace]) -> Trace | None:
    """The trace that took longest."""
    return max(traces, key=lambda trace: trace.duration_ns, default=None)


def only(traces: Iterable[Trace], remedy: str) -> Trace | None:
    """The one that there is; with more than that it takes a *remedy*."""
    found: Trace | None = None
    for trace in traces:
        if found is not None:
            raise Failure(f"there are several traces: {remedy}")
        found = trace
    return found
