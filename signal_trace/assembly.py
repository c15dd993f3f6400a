"""Builds the Trace of a window when it closes: cold, so here is time for names."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from signal_trace.durations import covered
from signal_trace.ignoring import ignores_kind, ignores_send
from signal_trace.names import (
    ReceiverName,
    encodable,
    type_name,
)
from signal_trace.recording import (
    RAISED,
    CallRecord,
    SendRecord,
    Window,
)
from signal_trace.tally import SendTally, Tallies
from signal_trace.trace import (
    EARLIER_RAISED,
    SEND_FAILED,
    VERSION,
    Call,
    Error,
    NotCalled,
    Omitted,
    OmittedCalls,
    Send,
    Trace,
    Unreceived,
)

# On Django before 6.1 two receivers of one `asend` may raise at once, and only the
# first exception is ever seen.
DROPPED_ERROR = Error("an exception that was dropped", None, ())

CANCELLED = type_name(asyncio.CancelledError)

DEEPEST_ATTRIBUTE = 5
LARGEST_NUMBER = 2**63 - 1  # What whoever reads the JSON can be expected to hold.


def assemble(
    window: Window,
    *,
    kind: str,
    name: str,
    attributes: dict[str, Any],
    error: Error | None,
) -> Trace:
    """Build the trace of a closed *window*, without what it ignores: with a send go its
    calls, and with a call the sends nested in it."""
    windows = list(_with_inner(window))
    kept = _keep(window, windows)
    attributes = {
        encodable(key if type(key) is str else type_name(type(key))): plain_value(value)
        for key, value in attributes.items()
    }
    if window.outer_id is not None:
        attributes["outer"] = window.outer_id
    return Trace(
        version=VERSION,
        id=window.id,
        kind=encodable(kind),
        name=encodable(name),
        started_at=window.started_at,
        duration_ns=window.end - window.start,
        attributes=attributes,
        error=error,
        sends=tuple(_sends(window, kept)),
        unreceived=tuple(_unreceived(windows)),
        not_called=tuple(
            NotCalled(one.id, name.name, name.file, name.line, _reason(one.record))
            for one in kept
            for name in one.never_ran
        ),
        omitted=tuple(_omitted(windows)),
    )


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


@dataclass(slots=True)
class _Kept:
    """A send that the trace keeps, with the ids it gives."""

    id: int
    parent: int | None
    record: SendRecord
    calls: list[tuple[int, CallRecord]]
    never_ran: list[ReceiverName]


def _with_inner(window: Window) -> Iterator[Window]:
    """The window, and those still open that were opened inside it."""
    yield window
    for inner in list(window.inner):
        yield from _with_inner(inner)


def _keep(window: Window, windows: list[Window]) -> list[_Kept]:
    """The sends in the order of their start, each after what it was sent from."""
    records = [record for one in windows for record in list(one.sends)]
    records.sort(key=lambda record: record.start)
    opened_at = _inner_windows(windows)
    ignores = window.ignores
    ids: dict[int, int | None] = {window.number: None}
    ignored: set[int] = set()
    next_id = 1
    kept = []
    for record in records:
        parent = record.parent
        while parent in opened_at:
            parent = opened_at[parent]
        made = list(record.read_calls())
        if parent in ignored or ignores_send(record.kind, record.sender, ignores):
            ignored.update(call.number for call in made)
            continue
        calls = [call for call in made if not ignores(call.receiver.name)]
        never_ran = [name for name in record.never_ran if not ignores(name.name)]
        if len(calls) < len(made):
            ignored.update(
                {call.number for call in made}.difference(call.number for call in calls)
            )
        if (made or record.never_ran) and not (calls or never_ran):
            continue
        numbered = list(enumerate(calls, next_id + 1))
        # What it was sent from may be forgotten, past the limit.
        kept.append(_Kept(next_id, ids.get(parent), record, numbered, never_ran))
        ids.update((call.number, number) for number, call in numbered)
        next_id += 1 + len(calls)
    return kept


def _inner_windows(windows: list[Window]) -> dict[int, int]:
    """By the number of each window inside the first one, open or not, the position at
    which it was opened."""
    opened_at: dict[int, int] = {}
    for one in windows:
        opened_at |= one.stands_for
    return opened_at | {one.number: one.outer_position for one in windows[1:]}


def _reason(record: SendRecord) -> str:
    """Why some receivers of a send never ran."""
    cancelled = record.error is not None and record.error.type == CANCELLED
    raised = any(call.error is not None for call in record.read_calls())
    return EARLIER_RAISED if raised and not cancelled else SEND_FAILED


def _sends(window: Window, kept: list[_Kept]) -> Iterator[Send]:
    nested: dict[int | None, list[tuple[int, int]]] = defaultdict(list)
    for one in kept:
        end = window.end if one.record.end is None else one.record.end
        nested[one.parent].append((one.record.start, end))
    for one in kept:
        record = one.record
        yield Send(
            id=one.id,
            signal=record.kind.signal.name,
            sender=record.sender.name,
            method=record.method,
            parent=one.parent,
            start_ns=record.start - window.start,
            duration_ns=None if record.end is None else record.end - record.start,
            calls=tuple(
                _call(
                    number,
                    call,
                    window,
                    nested[number],
                    record.nested_ns.get(call.number, 0),
                )
                for number, call in one.calls
            ),
            error=record.error,
        )


def _call(
    number: int,
    call: CallRecord,
    window: Window,
    nested: list[tuple[int, int]],
    nested_ns: int,
) -> Call:
    duration = own = None
    if call.end is not None:
        duration = call.end - call.start
        inside = ((max(begin, call.start), min(end, call.end)) for begin, end in nested)
        own = duration - nested_ns - covered(inside)
    return Call(
        id=number,
        receiver=call.receiver.name,
        file=call.receiver.file,
        line=call.receiver.line,
        start_ns=call.start - window.start,
        duration_ns=duration,
        self_ns=own,
        is_async=call.is_async,
        error=DROPPED_ERROR if call.error is RAISED else call.error,
    )


def _unreceived(windows: list[Window]) -> list[Unreceived]:
    counts: Counter[tuple[str, str]] = Counter()
    for window in windows:
        for kind, count in list(window.unreceived.items()):
            if not ignores_kind(kind, window.ignores):
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
        tallies += window.tallies
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
        )
        for (receiver, file, line), calls in tally.calls.items()
    ]
    return tuple(sorted(calls, key=lambda one: (-one.count, one.receiver)))
