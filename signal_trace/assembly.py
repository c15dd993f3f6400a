"""Builds the Trace of a window when it closes: cold, so here is time for names."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from signal_trace.connected import Connections
from signal_trace.happenings import happenings
from signal_trace.ignoring import ignores_kind
from signal_trace.names import app_label, encodable, type_name
from signal_trace.parts import Error, Omitted, OmittedCalls, Unreceived
from signal_trace.recording import Window
from signal_trace.send_kinds import SendKind
from signal_trace.send_tree import SendTree
from signal_trace.tally import SendTally, Tallies
from signal_trace.trace import VERSION, Trace

DEEPEST_ATTRIBUTE = 5
LARGEST_NUMBER = 2**63 - 1  # What whoever reads the JSON can be expected to hold.


def assemble(
    window: Window,
    connections: Connections,
    *,
    kind: str,
    name: str,
    attributes: dict[str, Any],
    error: Error | None,
) -> Trace:
    """Build the trace of a closed *window*, without what it ignores: with a send go its
    calls, and with a call the sends nested in it. *connections* are those of its
    signals, as far as they have been read."""
    windows = list(_with_inner(window))
    tree = SendTree(windows, connections)
    sends = tuple(tree.sends())
    unreceived = list(_unreceived_kinds(windows))
    for sent, _ in unreceived:
        tree.signals.add(sent)
    for one in windows:
        for key, tally in one.tallies:
            tree.signals.add_omitted(key, tally)
    missed = tree.signals.missed(tree.connections, window.ignores)
    if window.outer_id is not None:
        attributes = {**attributes, "outer": window.outer_id}
    return Trace(
        version=VERSION,
        id=window.id,
        kind=encodable(kind),
        name=encodable(name),
        started_at=window.started_at,
        duration_ns=window.end - window.start,
        attributes=attributes,
        error=error,
        sends=sends,
        unreceived=tuple(_unreceived(unreceived)),
        not_called=(*tree.not_called, *missed),
        omitted=tuple(_omitted(windows)),
        queries=tree.queries.at(window.number),
        events=tuple(happenings(windows, tree)),
    )


def plain_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """*attributes* as a trace may have them."""
    return {
        encodable(key if type(key) is str else type_name(type(key))): plain_value(value)
        for key, value in attributes.items()
    }


def plain_value(value: Any, depth: int = 0) -> Any:
    """*value* where JSON has a form for it, and one of reasonable size; else the
    name of its type."""
    kind = type(value)
    if kind is str:
        return encodable(value)
    if kind in (bool, type(None)) or (kind is int and abs(value) <= LARGEST_NUMBER):
        return value
    if kind is float:
        return value if math.isfinite(value) else str(value)
    if depth < DEEPEST_ATTRIBUTE:
        if kind in (list, tuple):
            return [plain_value(item, depth + 1) for item in value]
        if kind is dict and all(type(key) is str for key in value):
            return {
                encodable(key): plain_value(item, depth + 1)
                for key, item in value.items()
            }
    return type_name(kind)


def _with_inner(window: Window) -> Iterator[Window]:
    """The window, and those still open that were opened inside it."""
    yield window
    for inner in list(window.inner):
        yield from _with_inner(inner)


def _unreceived_kinds(windows: list[Window]) -> Iterator[tuple[SendKind, int]]:
    """What was sent to nobody, and how often."""
    for window in windows:
        for kind, count in dict(window.unreceived).items():
            if not ignores_kind(kind, window.ignores):
                yield kind, count


def _unreceived(kinds: list[tuple[SendKind, int]]) -> list[Unreceived]:
    counts: Counter[tuple[str, str]] = Counter()
    for kind, count in kinds:
        counts[kind.signal.name, kind.sender.name] += count
    return [
        Unreceived(signal, sender, count)
        for (signal, sender), count in sorted(
            counts.items(), key=lambda item: (-item[1], item[0])
        )
    ]


def _omitted(windows: list[Window]) -> list[Omitted]:
    """What was folded, the sends that are most first, and so with their calls."""
    tallies = Tallies()
    for window in windows:
        for key, tally in window.tallies:
            tallies.add(key, tally)
    omitted = [
        Omitted(
            signal=signal,
            sender=sender,
            count=tally.sends.count,
            failures=tally.sends.failures,
            total_ns=tally.sends.total_ns,
            max_ns=tally.sends.max_ns,
            receivers_ns=tally.receivers_ns,
            calls=_omitted_calls(tally),
        )
        for (signal, sender), tally in tallies
    ]
    return sorted(omitted, key=lambda one: (-one.count, one.signal, one.sender))


def _omitted_calls(tally: SendTally) -> tuple[OmittedCalls, ...]:
    calls = [
        OmittedCalls(
            receiver=receiver,
            file=file,
            line=line,
            count=calls.count,
            failures=calls.failures,
            total_ns=calls.total_ns,
            self_ns=calls.self_ns,
            max_ns=calls.max_ns,
            queries=calls.queries,
            queries_ns=calls.queries_ns,
            app=app_label(receiver),
        )
        for (receiver, file, line), calls in tally.calls.items()
    ]
    return tuple(sorted(calls, key=lambda one: (-one.count, one.receiver)))
