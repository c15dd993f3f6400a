"""What is being recorded now, in this context: the hot and mutable side.

Here things are appended, and nothing else: everything that can wait is done by
`assembly` at the end.

The *position* says where in a recording the running code stands. It is a number, and
0 where nothing is recorded:

    window ‖ send, 40 bits ‖ call, 24 bits

A number names a call for good, whichever is running by now, and holds nothing. A
context that was copied (a thread's, a task's, a timer's) keeps its position for as
long as it lives, long after the recording; what that number then leads to is what
`windows` says: nothing.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
import uuid
import weakref
from collections import defaultdict
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from signal_trace.call_sites import Place, current_task
from signal_trace.captures import NOTHING, Captures
from signal_trace.events import Events
from signal_trace.ignoring import Ignores
from signal_trace.names import ReceiverName, SenderName
from signal_trace.parts import Error
from signal_trace.queries import QueryLog
from signal_trace.send_kinds import SendKind
from signal_trace.tally import Tallies

if TYPE_CHECKING:
    from signal_trace.transactions import Transaction

logger = logging.getLogger("signal_trace.bugs")

# Time is taken from here alone, so that tests can inject it.
clock = time.perf_counter_ns


def now() -> datetime:
    """The wall-clock time, for people; durations come from `clock`."""
    return datetime.now(UTC)


WINDOW_BITS = 64
SEND_BITS = 24

position: ContextVar[int] = ContextVar("signal_trace.position", default=0)

# A send that waits for its receivers. It is a list, since nothing that Python makes is
# quicker: most sends of most requests are heard by nobody, only counted, and should
# cost no more than that. SIGNAL_ID is 0 once it waits no more; HEARD is the
# `SendRecord` that it became, RECEIVERS the lists that Django iterates; OUTER is
# another one that waits meanwhile, NAMED the arguments. It is empty once the send has
# ended.
PendingSend = list[Any]
SIGNAL_ID, SENDER_ID, PARENT, METHOD, BEGUN, HEARD, RECEIVERS, OUTER, NAMED = range(9)
waiting: ContextVar[PendingSend | None] = ContextVar(
    "signal_trace.waiting", default=None
)

# The position at which callbacks of `on_commit` run; 0 while none do.
callbacks_run_at: ContextVar[int] = ContextVar(
    "signal_trace.callbacks_run_at", default=0
)

# Stands as a call's error from when its receiver is known to have raised until the
# exception itself is seen, a moment later and one frame up.
RAISED: Any = "raised"


class CallRecord(NamedTuple):
    """One receiver's run, as `SendRecord.read_calls` finds it; *end* is None where it
    hasn't ended, and *number* the position inside of it."""

    number: int
    receiver: ReceiverName
    start: int
    end: int | None
    error: Error | None
    #: Of an async receiver: how long it ran of that time; else None.
    running: int | None


class AsyncCallRecord:
    """An async receiver's run while it goes on."""

    __slots__ = (
        *("end", "error", "number", "receiver", "running", "start"),
        "was_dropped",
    )

    def __init__(self, number: int, receiver: ReceiverName) -> None:
        self.number = number
        self.receiver = receiver
        self.start = clock()
        self.end: int | None = None
        self.error: Error | None = None
        self.running = 0
        #: Whether its coroutine was thrown away: it will never end.
        self.was_dropped = False


class SendRecord:
    """One send that was heard.

    ``calls`` holds name, start and end of each synchronous call, one after the other;
    the last may lack its end. Objects of their own would cost as much again, and the
    garbage collector's time. What few sends have stands on the class until one has it.
    """

    end: int | None = None
    error: Error | None = None
    never_ran: Sequence[ReceiverName] = ()
    #: How synchronous calls failed, by their place: when, and with what.
    failures: dict[int, tuple[int, Error]] = {}  # noqa: RUF012  # Never added to.
    async_calls: Sequence[AsyncCallRecord] = ()
    #: ids of exceptions that async receivers raised and that are on their way to the
    #: send: tells them from one that a sync receiver raised.
    async_errors: Sequence[int] = ()
    #: Whether its coroutine was thrown away: it will never end.
    was_dropped = False
    #: What folded sends (see `folding`) took of calls, by their numbers.
    nested_ns: dict[int, int] = {}  # noqa: RUF012  # Never added to.
    # What was taken down of it: see `captures`.
    place: Place | None = None
    stack: tuple[Place, ...] = ()
    arguments: Sequence[Any] = ()
    transaction: Transaction | None = None
    on_commit = False
    #: The sender's id where the kind doesn't have it.
    sender_id: int | None = None

    def __init__(
        self,
        number: int,
        signal_id: int,
        kind: SendKind,
        sender: SenderName,
        parent: int,
        method: str,
        start: int,
    ) -> None:
        self.number = number
        self.signal_id = signal_id
        self.parent = parent
        self.method = method
        self.start = start
        self.kind = kind
        self.sender = sender
        self.calls: list[Any] = []

    def fail_call(self, place: int, end: int, error: Error) -> None:
        """Note that the synchronous call at *place* ended by raising."""
        self.failures = {**self.failures, place: (end, error)}

    def add_nested(self, number: int, ns: int) -> None:
        """Note that sends of the call *number* took so long, which are forgotten."""
        self.nested_ns = {**self.nested_ns, number: self.nested_ns.get(number, 0) + ns}

    @property
    def is_over(self) -> bool:
        """Whether it and all its calls have ended."""
        return (
            (self.end is not None or self.was_dropped)
            and len(self.calls) % 3 == 0
            and all(
                call.end is not None or call.was_dropped for call in self.async_calls
            )
        )

    def read_calls(self) -> list[CallRecord]:
        """The calls so far, in the order in which they began."""
        flat = [*self.calls, None]  # Others may append meanwhile.
        failures, number = self.failures, self.number
        calls = []
        for at in range(0, len(flat) - 2, 3):
            name, start, end = flat[at : at + 3]
            number += 1
            error = None
            if failures:
                end, error = failures.get(at // 3, (end, None))
            calls.append(CallRecord(number, name, start, end, error, None))
        if self.async_calls:
            calls += [
                CallRecord(
                    *(one.number, one.receiver, one.start, one.end, one.error),
                    one.running,
                )
                for one in self.async_calls
            ]
            calls.sort(key=lambda call: call.start)
        return calls


class Window:
    """What one open recording sees.

    A window opened inside another holds the sends of its own time and context, and
    hands them on to the other when it closes: each is appended once.
    """

    def __init__(
        self, limit: int, ignores: Ignores, captures: Captures = NOTHING
    ) -> None:
        """*limit* is how many sends are kept one by one, *ignores* what is not kept at
        all, *captures* what is taken down of each."""
        self.limit = limit
        self.ignores = ignores
        self.captures = captures
        self.queries = QueryLog()
        self.events = Events()
        task = current_task() if captures.call_sites else None
        self.task = None if task is None else weakref.ref(task)
        #: How often `causes` is to do without the tasks of a loop that has many.
        self.not_to_count_tasks = 0
        self.id = uuid.uuid4().hex
        self.number = next(_numbers) << WINDOW_BITS
        self.outer_position = position.get()
        outer = window_at(self.outer_position)
        self.outer_id = None if outer is None else outer.id
        self.send_numbers = itertools.count(self.number, 1 << SEND_BITS)
        next(self.send_numbers)  # The window's own, where no call stands.
        self.sends: list[SendRecord] = []
        self.unreceived: defaultdict[SendKind, int] = defaultdict(int)
        # Of use to `folding`: how many of the sends are kept for good, those of them
        # that hadn't ended by then, and at how many it is called.
        self.settled = 0
        self.late: list[SendRecord] = []
        self.fold_at = limit
        self.most_kinds = MOST_KINDS
        self.folding = threading.RLock()
        self.is_folding = False
        self.tallies = Tallies()
        #: What folded sends took that were sent from no call in here.
        self.folded_ns = 0
        self.taking_over = threading.RLock()
        self.inner: set[Window] = set()
        #: The windows that have closed inside this one, by number: where they were
        #: opened. What outlives them goes on here.
        self.stands_for: dict[int, int] = {}
        if outer is not None:
            outer.inner.add(self)
        windows[self.number >> WINDOW_BITS] = self
        self.started_at = now()
        self.start = clock()
        self.end = self.start

    def close(self) -> Window | None:
        """End: what is sent from here on is the outer window's, if one is open, which
        is returned."""
        self.end = clock()
        outer = window_at(self.outer_position)
        for number in (self.number, *self.stands_for):
            if outer is None:
                windows.pop(number >> WINDOW_BITS, None)
            else:
                windows[number >> WINDOW_BITS] = outer
        return outer

    def take_over(self, inner: Window) -> None:
        """Add what *inner* recorded, which was opened in here and has closed."""
        with self.taking_over:
            opened_at = self.resolve(inner.outer_position)
            self.inner.discard(inner)
            self.inner |= inner.inner
            self.stands_for |= {**inner.stands_for, inner.number: opened_at}
            while len(self.stands_for) > MOST_INNER:
                first = next(iter(self.stands_for))
                self.stands_for.pop(first, None)
                windows.pop(first >> WINDOW_BITS, None)
            for send in inner.sends:
                if send.parent == inner.number:
                    send.parent = opened_at
            self.sends += inner.sends
            self._take_over_sums(inner, opened_at)

    def _take_over_sums(self, inner: Window, opened_at: int) -> None:
        in_a_call = opened_at != self.number
        for key, tally in inner.tallies:
            self.tallies.add(key, tally, with_receivers_ns=not in_a_call)
        if in_a_call and inner.folded_ns:
            for send in list(self.sends):
                if send.number >> SEND_BITS == opened_at >> SEND_BITS:
                    send.add_nested(opened_at, inner.folded_ns)
        else:
            self.folded_ns += inner.folded_ns
        for kind, count in dict(inner.unreceived).items():
            self.unreceived[kind] += count
        self.queries.take_over(inner.queries, inner.number, opened_at)
        self.events.take_over(inner.events, inner.number, opened_at)

    def resolve(self, number: int) -> int:
        """The position *number*; that at which a window was opened in here, where it
        stands for one that has closed."""
        while (opened_at := self.stands_for.get(number)) is not None:
            number = opened_at
        return number


# So many windows that have closed inside another are remembered: what outlives an
# earlier one is not recorded.
MOST_INNER = 1_000

# So many kinds of unreceived sends are counted apart before `folding` puts those of the
# same names together: signals and classes may be made anew for each send.
MOST_KINDS = 10_000

_numbers = itertools.count(1)

#: Where what is sent from a position is recorded: the windows by their number. For one
#: that has closed inside another stands the other one.
windows: dict[int, Window] = {}


def window_at(here: int) -> Window | None:
    """The open window that records what is sent from a position."""
    return windows.get(here >> WINDOW_BITS)


def leave() -> None:
    """Let nothing be recorded that is sent from this context."""
    position.set(0)
    waiting.set(None)
    callbacks_run_at.set(0)


_reported: set[str] = set()


def report_bug(doing: str) -> None:
    """Log the exception that is being handled: a bug of ours, which must not reach
    the application. Each is logged once, where it first happens."""
    if doing not in _reported:
        _reported.add(doing)
        logger.exception(
            "A bug in signal_trace, while %s. The application is not affected;"
            " this is logged once.",
            doing,
        )
