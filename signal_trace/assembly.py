"""Builds the Trace of a window when it closes: cold, so here is time for names."""

from __future__ import annotations

import asyncio
import functools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from signal_trace.durations import covered
from signal_trace.ignoring import ignores_kind
from signal_trace.names import (
    encodable,
    type_name,
)
from signal_trace.parts import (
    EARLIER_RAISED,
    SEND_FAILED,
    Call,
    Error,
    NotCalled,
    Omitted,
    OmittedCalls,
    Send,
    Unreceived,
)
from signal_trace.recording import (
    RAISED,
    CallRecord,
    SendRecord,
    Window,
)
from signal_trace.tally import SendTally, Tallies
from signal_trace.trace import VERSION, Trace

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
    tree = _Tree(window, windows)
    sends = tuple(tree.sends())
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
        sends=sends,
        unreceived=tuple(_unreceived(windows)),
        not_called=tuple(tree.not_called),
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


def _with_inner(window: Window) -> Iterator[Window]:
    """The window, and those still open that were opened inside it."""
    yield window
    for inner in list(window.inner):
        yield from _with_inner(inner)


def _inner_windows(windows: list[Window]) -> dict[int, int]:
    """By the number of each window inside the first one, open or not, the position at
    which it was opened."""
    opened_at: dict[int, int] = {}
    for one in windows:
        opened_at |= one.stands_for
    return opened_at | {one.number: one.outer_position for one in windows[1:]}


class _Tree:
    """The sends that a trace keeps, in the order of their start, each after what it was
    sent from."""

    def __init__(self, window: Window, windows: list[Window]) -> None:
        self.window = window
        self.ignores = window.ignores
        self.not_called: list[NotCalled] = []
        # With the call that each was sent from, by its number.
        self._kept: list[tuple[SendRecord, int]] = []
        self._ignored: set[int] = set()
        # By the number of a call: when it was busy with sends.
        self._nested: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        self._keep(windows)

    def _keep(self, windows: list[Window]) -> None:
        records = [record for one in windows for record in list(one.sends)]
        records.sort(key=lambda record: record.start)
        opened_at = _inner_windows(windows)
        ignores_kind_of = functools.cache(
            functools.partial(ignores_kind, ignores=self.ignores)
        )
        for record in records:
            parent, kind, sender = record.parent, record.kind, record.sender
            while parent in opened_at:
                parent = opened_at[parent]
            if (
                parent in self._ignored
                or ignores_kind_of(kind)
                or (sender is not kind.sender and self.ignores(sender.name))
            ):
                self._ignored.update([call.number for call in record.read_calls()])
                continue
            self._kept.append((record, parent))
            if parent != self.window.number:
                end = self.window.end if record.end is None else record.end
                self._nested[parent].append((record.start, end))
            for call in record.read_calls():
                if self.ignores(call.receiver.name):
                    self._ignored.add(call.number)

    def sends(self) -> Iterator[Send]:
        """Each send, with its id and those of its calls."""
        begun, ids, ignored = self.window.start, dict[int, int](), self._ignored
        next_id = 1
        for record, parent in self._kept:
            own_id = next_id
            calls = []
            made = record.read_calls()
            for call in made:
                if call.number not in ignored:
                    next_id += 1
                    ids[call.number] = next_id
                    calls.append(self._call(next_id, call, record))
            missed = self._missed(own_id, record) if record.never_ran else ()
            if not (calls or missed) and (made or record.never_ran):
                continue  # All of it is ignored.
            next_id += 1
            self.not_called += missed
            yield Send(
                own_id,
                record.kind.signal.name,
                record.sender.name,
                record.method,
                ids.get(parent),  # None too where it is forgotten, past the limit.
                record.start - begun,
                None if record.end is None else record.end - record.start,
                tuple(calls),
                record.error,
            )

    def _call(self, own_id: int, call: CallRecord, record: SendRecord) -> Call:
        number, receiver, start, end, error, is_async = call
        duration = own = None
        if end is not None:
            duration = own = end - start
            if number in self._nested:
                nested = self._nested[number]
                inside = [(max(begin, start), min(stop, end)) for begin, stop in nested]
                own -= covered(inside)
            if record.nested_ns:
                own -= record.nested_ns.get(number, 0)
        return Call(
            own_id,
            receiver.name,
            receiver.file,
            receiver.line,
            start - self.window.start,
            duration,
            own,
            is_async,
            DROPPED_ERROR if error is RAISED else error,
        )

    def _missed(self, send: int, record: SendRecord) -> list[NotCalled]:
        """The receivers of a send that never ran."""
        reason = _reason(record)
        return [
            NotCalled(
                send,
                record.kind.signal.name,
                name.name,
                name.file,
                name.line,
                reason,
            )
            for name in record.never_ran
            if not self.ignores(name.name)
        ]


def _reason(record: SendRecord) -> str:
    """Why some receivers of a send never ran."""
    cancelled = record.error is not None and record.error.type == CANCELLED
    raised = any(call.error is not None for call in record.read_calls())
    return EARLIER_RAISED if raised and not cancelled else SEND_FAILED


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
        )
        for (receiver, file, line), calls in tally.calls.items()
    ]
    return tuple(sorted(calls, key=lambda one: (-one.count, one.receiver)))
