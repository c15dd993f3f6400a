"""The sends of a trace, with their calls, and how they hang together."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator

from signal_trace import arguments
from signal_trace.call_sites import Place, line_of
from signal_trace.connected import Connections
from signal_trace.durations import covered
from signal_trace.ignoring import ignores_kind
from signal_trace.missed import SentSignals
from signal_trace.names import app_label
from signal_trace.parts import (
    CANCELLATION,
    CANCELLED,
    CANCELLED_BY_SIBLING,
    EARLIER_RAISED,
    RAISED,
    RETURNED,
    SEND_FAILED,
    SWALLOWED,
    UNFINISHED,
    Call,
    Connection,
    Error,
    Frame,
    NotCalled,
    Send,
)
from signal_trace.queries import Sums, TraceQueries, add_up
from signal_trace.recording import RAISED as RAISED_UNSEEN
from signal_trace.recording import CallRecord, SendRecord, Window
from signal_trace.send_kinds import SendKind

# On Django before 6.1 two receivers of one `asend` may raise at once, and only the
# first exception is ever seen.
DROPPED_ERROR = Error("an exception that was dropped", None, ())


def inner_windows(windows: list[Window]) -> dict[int, int]:
    """By the number of each window inside the first one, open or not, the position at
    which it was opened."""
    opened_at: dict[int, int] = {}
    for one in windows:
        opened_at |= one.stands_for
    return opened_at | {one.number: one.outer_position for one in windows[1:]}


class SendTree:
    """The sends that a trace keeps, in the order of their start, each after what it was
    sent from."""

    def __init__(self, windows: list[Window], connections: Connections) -> None:
        """The first of *windows* is the trace's own, the others are open inside it."""
        self.window = window = windows[0]
        self.ignores = window.ignores
        self.connections = connections
        self.signals = SentSignals()
        self.not_called: list[NotCalled] = []
        #: The ids of calls by their numbers, once all `sends` have been asked for.
        self.call_ids: dict[int, int] = {}
        self.opened_at = inner_windows(windows)
        self.queries = TraceQueries(self._sums(windows))
        # With the call that each was sent from, by its number, and its own calls.
        self._kept: list[tuple[SendRecord, int, list[CallRecord]]] = []
        self._ignored: set[int] = set()
        # By the number of a call: when it was busy with sends.
        self._nested: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        self._lines: dict[tuple[int, int], Frame] = {}
        self._signal_of = functools.cache(_signal_of)
        self._keep(windows)

    def resolve(self, position: int) -> int:
        """The call at a *position*, or the window's own number."""
        while position in self.opened_at:
            position = self.opened_at[position]
        return position

    @functools.cached_property
    def _made_by(self) -> dict[int, tuple[str, int]]:
        """By the number of a call its receiver, and what it was sent from."""
        return {
            call.number: (call.receiver.name, parent)
            for _, parent, calls in self._kept
            for call in calls
        }

    def receivers_at(self, position: int) -> Iterator[str]:
        """The receivers that were running at a *position*, the innermost first."""
        number = self.resolve(position)
        while number in self._made_by:
            receiver, number = self._made_by[number]
            yield receiver

    def line_of(self, place: Place | None) -> Frame | None:
        """A place as people read it."""
        if place is None:
            return None
        key = id(place[0]), place[1]  # Hashing code takes its time.
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = line_of(place)
        return line

    def _sums(self, windows: list[Window]) -> dict[int, Sums]:
        """All queries by the call in which they were made."""
        sums: dict[int, Sums] = {}
        for window in windows:
            for position, some in dict(window.queries.sums()).items():
                number = self.resolve(position)
                if number in sums:
                    sums[number] = Sums.of(sums[number], some)
                else:
                    sums[number] = some
        return sums

    def _keep(self, windows: list[Window]) -> None:
        records = [record for one in windows for record in list(one.sends)]
        records.sort(key=lambda record: record.start)
        ignores_kind_of = functools.cache(
            functools.partial(ignores_kind, ignores=self.ignores)
        )
        all_calls: list[tuple[list[CallRecord], int]] = []
        for record in records:
            kind, sender = record.kind, record.sender
            parent = record.parent
            if parent in self.opened_at:
                parent = self.resolve(parent)
            calls = record.read_calls()
            all_calls.append((calls, parent))
            if (
                parent in self._ignored
                or ignores_kind_of(kind)
                or (sender is not kind.sender and self.ignores(sender.name))
            ):
                self._ignored.update([call.number for call in calls])
                continue
            self._kept.append((record, parent, calls))
            if parent != self.window.number:
                end = self.window.end if record.end is None else record.end
                self._nested[parent].append((record.start, end))
            self._ignored.update(
                [call.number for call in calls if self.ignores(call.receiver.name)]
            )
        self._nest_queries(all_calls)

    def _nest_queries(self, all_calls: list[tuple[list[CallRecord], int]]) -> None:
        """Count the queries of calls in what they were sent from, those of calls that
        are ignored too."""
        whole = self.window.number
        places = self.queries.places() - {whole}
        if not places:
            return
        known = {call.number for calls, _ in all_calls for call in calls}
        for calls, parent in reversed(all_calls):
            # A window that is closed has handed its sends on: they hang on another's.
            around = parent if parent in known else whole
            for call in calls:
                self.queries.nest(call.number, around)
        # Those of a call that was forgotten before they were made.
        for number in places - known:
            self.queries.nest(number, whole)

    def sends(self) -> Iterator[Send]:
        """Each send, with its id and those of its calls."""
        ids, ignored = self.call_ids, self._ignored
        next_id = 1
        for record, parent, made in self._kept:
            own_id = next_id
            calls: list[Call] = []
            kept = [call for call in made if call.number not in ignored]
            for call, connection in zip(
                kept, self._connected(record, kept), strict=True
            ):
                next_id += 1
                ids[call.number] = next_id
                calls.append(self._call(next_id, call, connection, record, made))
            missed = self._missed(own_id, record) if record.never_ran else ()
            if not (calls or missed) and (made or record.never_ran):
                continue  # All of it is ignored.
            next_id += 1
            self.not_called += missed
            self.signals.add(record.kind, [call.receiver for call in made])
            # None too where it is forgotten, past the limit.
            yield self._send(own_id, record, ids.get(parent), tuple(calls))

    def _connected(
        self, record: SendRecord, calls: list[CallRecord]
    ) -> list[Connection | None]:
        kind = record.kind
        sender_id = record.sender_id if kind.sender_id is None else kind.sender_id
        receivers = [call.receiver for call in calls]
        return self.connections.of_calls(kind.signal, sender_id, receivers)

    def _send(
        self,
        own_id: int,
        record: SendRecord,
        parent: int | None,
        calls: tuple[Call, ...],
    ) -> Send:
        transaction = record.transaction
        signal, is_djangos = self._signal_of(record.kind)
        return Send(
            own_id,
            signal,
            record.sender.name,
            record.method,
            parent,
            record.start - self.window.start,
            None if record.end is None else record.end - record.start,
            calls,
            record.error,
            self.line_of(record.place),
            tuple(map(line_of, record.stack)),
            arguments.describe(record.arguments, are_djangos=is_djangos),
            add_up([call.queries for call in calls]),
            None if transaction is None else transaction.outcome_at(record.start),
            record.on_commit,
        )

    def _call(
        self,
        own_id: int,
        call: CallRecord,
        connection: Connection | None,
        record: SendRecord,
        siblings: list[CallRecord],
    ) -> Call:
        number, receiver, start, end, error, running = call
        duration = own = None
        if end is not None:
            duration = own = end - start
            if number in self._nested:
                nested = self._nested[number]
                inside = [(max(begin, start), min(stop, end)) for begin, stop in nested]
                own -= covered(inside)
            if record.nested_ns:
                # Recordings that were open in it at the same time may each have folded
                # what they had at the same time.
                own = max(0, own - record.nested_ns.get(number, 0))
        suspended = None
        if running is not None and duration is not None:
            suspended = max(0, duration - running)
        return Call(
            own_id,
            receiver.name,
            receiver.file,
            receiver.line,
            start - self.window.start,
            duration,
            own,
            running is not None,
            DROPPED_ERROR if error is RAISED_UNSEEN else error,
            RETURNED
            if error is None and end is not None
            else _outcome(call, record, siblings),
            suspended,
            self.queries.at(number),
            connection,
            app_label(receiver.name),
        )

    def _missed(self, send: int, record: SendRecord) -> list[NotCalled]:
        """The receivers of a send that never ran."""
        reason = _reason(record)
        return [
            NotCalled(
                *(send, record.kind.signal.name, name.name, name.file, name.line),
                reason,
            )
            for name in record.never_ran
            if not self.ignores(name.name)
        ]


def _signal_of(kind: SendKind) -> tuple[str, bool]:
    """What the signal of a kind of sends is called, and whether it is Django's."""
    name = kind.signal.name
    return name, name.startswith("django.")


def _is_cancellation(error: Error | None) -> bool:
    return (
        error is not None and error is not RAISED_UNSEEN and error.type == CANCELLATION
    )


def _outcome(call: CallRecord, record: SendRecord, siblings: list[CallRecord]) -> str:
    """How a call ended that didn't return."""
    if call.error is None:
        return UNFINISHED
    if _is_cancellation(call.error):
        # Before Django 6.1 the sibling of one that raises outlives the send.
        outlived = record.end is not None and (call.end or 0) > record.end
        by_sibling = (
            not outlived
            and not _is_cancellation(record.error)
            and any(one.error and not _is_cancellation(one.error) for one in siblings)
        )
        return CANCELLED_BY_SIBLING if by_sibling else CANCELLED
    if "robust" in record.method and not _passed_on(call, record):
        return SWALLOWED
    return RAISED


def _passed_on(call: CallRecord, record: SendRecord) -> bool:
    """Whether it was the error of a call that ended its send: what no robust send
    catches may follow on what it did catch."""
    if call.error is None or record.error is None:
        return False
    return call.error is RAISED_UNSEEN or call.error.type == record.error.type


def _reason(record: SendRecord) -> str:
    """Why some receivers of a send never ran."""
    raised = any(call.error is not None for call in record.read_calls())
    cancelled = _is_cancellation(record.error)
    return EARLIER_RAISED if raised and not cancelled else SEND_FAILED
