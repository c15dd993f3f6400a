"""What is being recorded now, in this context: the hot and mutable side.

Here things are appended, and nothing else: everything that can wait is done by
`assembly` at the end.

The *position* says where in a recording the running code stands. It is

- None, or an emptied list, where nothing is recorded: falsy, in one test;
- a *call*: a list, laid out as below, of the receiver that runs now. The window's
  root is a call as well, of no receiver;
- a `SendRecord`, only from a send's beginning until its dispatch loop has been
  given its receivers to watch.

A context that was copied (a thread's, a task's, a timer's) keeps its position for
as long as it lives, long after the recording. So closing a recording empties every
call in place: what is left holds nothing, and records nothing.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from signal_trace.names import ReceiverName, SenderName
from signal_trace.signal_names import SignalName
from signal_trace.trace import Error

logger = logging.getLogger("signal_trace.bugs")

# Time is taken from here alone, so that tests can inject it.
clock = time.perf_counter_ns


def now() -> datetime:
    """The wall-clock time, for people; durations come from `clock`."""
    return datetime.now(UTC)


# A call is a list, since nothing that Python makes is quicker, and there is one for
# every receiver that runs. END is None while it runs.
CallRecord = list[Any]
WINDOW, SEND, RECEIVER, START, END, ERROR, IS_ASYNC = range(7)

# Stands as a call's error from when its receiver is known to have raised until the
# exception itself is seen, a moment later and one frame up.
RAISED: Any = "raised"


class SendRecord:
    """One send. ``calls`` are in the order in which they began.

    ``signal`` and ``sender`` are there once the send is kept. Most sends of most
    requests are heard by nobody, only counted, and should cost no more than that.
    """

    __slots__ = (
        "async_errors",
        "async_receivers",
        "calls",
        "end",
        "error",
        "method",
        "never_ran",
        "parent",
        "sender",
        "signal",
        "signal_id",
        "start",
        "was_heard",
        "window",
    )

    signal: SignalName
    sender: SenderName

    def __init__(self, signal_id: int, method: str, parent: CallRecord) -> None:
        self.signal_id = signal_id
        self.method = method
        self.parent = parent
        self.window: Window = parent[WINDOW]
        self.was_heard = False
        self.end: int | None = None
        self.error: Error | None = None
        self.calls: list[CallRecord] = []
        self.never_ran: Sequence[ReceiverName] = ()
        # Held only while Django's own frame holds them: until the send ends.
        self.async_receivers: Any = None
        # ids of exceptions that async receivers raised and that are on their way
        # to the send: tells them from one that a sync receiver raised.
        self.async_errors: Sequence[int] = ()
        self.start = clock()


position: ContextVar[CallRecord | SendRecord | None] = ContextVar(
    "signal_trace.position", default=None
)


def standing_call(here: CallRecord | SendRecord | None) -> CallRecord | None:
    """The call at a position, a window's root included; None outside of any."""
    call = here.parent if type(here) is SendRecord else here
    return call or None  # type: ignore[return-value]


class Window:
    """What one open recording sees.

    A window opened inside another holds the sends of its own time and context. The
    outer one reads them there when it closes, so each is appended once.
    """

    __slots__ = (
        "closed",
        "end",
        "id",
        "inner",
        "outer",
        "outer_call",
        "root",
        "sends",
        "start",
        "started_at",
        "unreceived",
    )

    def __init__(self, outer_call: CallRecord | None = None) -> None:
        self.id = uuid.uuid4().hex
        self.outer_call = outer_call
        self.outer: Window | None = outer_call[WINDOW] if outer_call else None
        self.inner: list[Window] = []
        self.sends: list[SendRecord] = []
        self.unreceived: dict[tuple[SignalName, SenderName], int] = {}
        self.root: CallRecord = [self, None, None, 0, None, None, False]
        self.closed = False
        if self.outer is not None:
            self.outer.inner.append(self)
        self.started_at = now()
        self.start = clock()
        self.end = self.start

    def close(self) -> None:
        """End the window's time; what it holds can still be read."""
        self.end = clock()
        self.closed = True

    def forget(self) -> None:
        """Empty every position of this window and of closed ones inside it, unless
        an open window around it is still to read them."""
        outer = self.outer
        while outer is not None:
            if not outer.closed:
                return
            outer = outer.outer
        self._empty()

    def _empty(self) -> None:
        for inner in self.inner:
            if inner.closed:
                inner._empty()
        for send in self.sends:
            for call in send.calls:
                call.clear()
            send.async_receivers = None
        self.root.clear()
        self.inner = []
        self.sends = []
        self.unreceived = {}


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
