"""What a `signal_trace.Trace` consists of: immutable, and with plain values only.

All times are integer nanoseconds of a monotonic clock, counted from the trace's start.
Ids are unique among the sends and calls of a trace.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# Why a receiver was not called.
EARLIER_RAISED = "earlier receiver raised"
SEND_FAILED = "send failed or was cancelled"
OTHER_SENDER = "connected for another sender"

# What a sender is to another one that was listened to.
CHILD = "child"
PARENT = "parent"
PROXY = "proxy"

# How a call ended.
RETURNED = "returned"
RAISED = "raised"
SWALLOWED = "swallowed"
CANCELLED = "cancelled"
CANCELLED_BY_SIBLING = "cancelled by a sibling"

# The type of the exception by which asyncio cancels, as an `Error` names it.
CANCELLATION = "asyncio.exceptions.CancelledError"
UNFINISHED = "never finished"

# What became of the transaction that a send was made in.
COMMITTED = "committed"
ROLLED_BACK = "rolled back"
OPEN = "open"

# What happened besides sends.
MAIL = "mail"
TASK = "task"
ON_COMMIT = "on_commit"
UPDATE = "update"
BULK_CREATE = "bulk_create"
BULK_UPDATE = "bulk_update"
RAW_DELETE = "_raw_delete"
BULK_WRITES = (UPDATE, BULK_CREATE, BULK_UPDATE, RAW_DELETE)

# What stands for the value of an argument of which only the name is told.
NOT_TOLD = "…"

# How much a finding matters, the most first.
PROBLEM = "problem"
WARNING = "warning"
HINT = "hint"


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of running code, as in a traceback."""

    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class Error:
    """An exception: its dotted type, its message, and the frames it came through.

    ``message`` is None where the text could not be had without running the
    application's code. ``frames`` are ordered as Python prints them, the line that
    raised last.
    """

    type: str
    message: str | None
    frames: tuple[Frame, ...]

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type


@dataclass(frozen=True, slots=True)
class Statement:
    """An SQL statement without its parameters, and how often it was executed."""

    sql: str
    count: int


@dataclass(frozen=True, slots=True)
class Queries:
    """SQL queries: how many, and their time.

    ``count`` and ``duration_ns`` are of those made here, ``nested_count`` and
    ``nested_ns`` of those made by the sends nested in it. ``writes`` is how many of
    ``count`` write, as far as their first word tells. ``repeated`` is the statement
    that was executed most of those made here, even if but once, `BEGIN` and the like
    aside; None where there was none.
    """

    count: int = 0
    duration_ns: int = 0
    nested_count: int = 0
    nested_ns: int = 0
    writes: int = 0
    repeated: Statement | None = None


NO_QUERIES = Queries()


@dataclass(frozen=True, slots=True)
class Connection:
    """How a receiver is connected to the signal.

    ``dispatch_uid`` is None where none was given, and the name of its type where it is
    no string. ``weak`` says whether the signal lets go of it once nobody else holds
    it. ``sender`` is whom it listens to, None for everybody. ``place`` is where in the
    order of those that hear this sender it stands, from 1.
    """

    dispatch_uid: str | None
    weak: bool
    sender: str | None
    place: int


@dataclass(frozen=True, slots=True)
class Call:
    """One receiver's run inside a send.

    ``duration_ns`` is its wall time, ``self_ns`` the same less the time covered by the
    sends nested in it, ``suspended_ns``, of async receivers only, how long of it the
    receiver waited for something else; they are None where the call never finished.
    ``outcome`` is one of `RETURNED`, `RAISED`, `SWALLOWED` (it raised, and a robust
    send went on), `CANCELLED`, `CANCELLED_BY_SIBLING` and `UNFINISHED`; ``error`` is
    the exception that it raised, whether the send passed it on or not. ``app`` is the
    label of the receiver's app, or the top package of its module. ``connection`` is
    None where the receiver was not connected any more when the trace was made.
    """

    id: int
    receiver: str
    file: str | None
    line: int | None
    start_ns: int
    duration_ns: int | None
    self_ns: int | None
    is_async: bool
    error: Error | None
    outcome: str = RETURNED
    suspended_ns: int | None = None
    queries: Queries = NO_QUERIES
    connection: Connection | None = None
    app: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """One call of ``send``, ``send_robust``, ``asend`` or ``asend_robust``, its
    ``method``, that some receiver was to hear.

    ``parent`` is the id of the call that it was sent from, None where it was sent
    from outside of any receiver. ``duration_ns`` is None where it never finished.
    ``call_site`` is the application's line that caused it, ``stack`` all that led to
    it, the line itself last (empty unless ``STACKS`` is set). ``arguments`` holds, by
    name, what of the send's arguments is safe to show; where ``ARGUMENTS`` is
    ``"names"``, `NOT_TOLD` for each value. ``queries`` adds up those of its calls.

    ``transaction`` is None outside of a transaction, and else what became of it, or of
    the savepoint around the send: `COMMITTED`, `ROLLED_BACK`, or `OPEN` where the
    trace ended first. ``on_commit`` says whether an ``on_commit`` callback sent it.
    ``error`` is the exception that it raised.
    """

    id: int
    signal: str
    sender: str
    method: str
    parent: int | None
    start_ns: int
    duration_ns: int | None
    calls: tuple[Call, ...]
    error: Error | None
    call_site: Frame | None = None
    stack: tuple[Frame, ...] = ()
    arguments: dict[str, Any] = field(default_factory=dict)
    queries: Queries = NO_QUERIES
    transaction: str | None = None
    on_commit: bool = False


@dataclass(frozen=True, slots=True)
class Unreceived:
    """How often a signal was sent that no receiver heard, by sender."""

    signal: str
    sender: str
    count: int


@dataclass(frozen=True, slots=True)
class NotCalled:
    """A receiver that is connected to a signal that was sent, and did not run.

    ``reason`` is `EARLIER_RAISED`, `SEND_FAILED` where no receiver is to blame, or
    `OTHER_SENDER`. ``send`` is the id of the send that it was to hear, and None for
    `OTHER_SENDER`; then ``sender`` is whom it listens to (None where that can't be
    known, which is so on Django before 6.0 unless it is a model or has sent something),
    and ``near_miss`` is a parent, child or proxy of that sender which did send the
    signal, or None, and ``relation`` which of these it is: `CHILD`, `PARENT` or
    `PROXY`.
    """

    send: int | None
    signal: str
    receiver: str
    file: str | None
    line: int | None
    reason: str
    sender: str | None = None
    near_miss: str | None = None
    relation: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened besides sends, and how often.

    ``kind`` is `MAIL` (messages sent), `TASK` (enqueued), `ON_COMMIT` (a callback
    registered) or one of `BULK_WRITES`, the methods of a QuerySet that write without
    sending the signals that saving or deleting sends, where some receiver is connected
    to these. ``subject`` is the mail backend,
    the task, the callback or the model. ``call`` is the id of the call in which it
    happened, None outside of receivers. ``in_transaction`` says whether that was in an
    open transaction; ``in_callback`` whether an ``on_commit`` callback did it.
    ``receivers`` are those that a bulk write went past.
    """

    kind: str
    subject: str
    call: int | None
    call_site: Frame | None
    count: int
    in_transaction: bool
    in_callback: bool
    receivers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OmittedCalls:
    """What the calls of one receiver add up to, in sends that were left out.

    ``failures`` counts those that raised. ``total_ns``, ``self_ns`` and ``max_ns``, the
    longest, are of those that finished. ``queries`` and ``queries_ns`` are of their own
    queries.
    """

    receiver: str
    file: str | None
    line: int | None
    count: int
    failures: int
    total_ns: int
    self_ns: int
    max_ns: int
    queries: int = 0
    queries_ns: int = 0
    app: str = ""


@dataclass(frozen=True, slots=True)
class Omitted:
    """What the sends of one signal by one kind of sender add up to that were left out,
    beyond the ``MAX_SENDS`` that a trace keeps one by one.

    ``failures`` counts those that raised. ``total_ns`` and ``max_ns``, the longest, are
    of those that finished. ``receivers_ns`` is the time that receivers took of those
    sends that were not sent from another receiver.
    """

    signal: str
    sender: str
    count: int
    failures: int
    total_ns: int
    max_ns: int
    receivers_ns: int
    calls: tuple[OmittedCalls, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a trace that deserves attention.

    ``id`` says which kind of finding it is, ``title`` the same in words. ``level`` is
    `PROBLEM`, `WARNING` or `HINT`. ``message`` names the culprit, ``advice`` says what
    to do. ``evidence`` are the ids of the sends and calls that show it, ``receivers``
    the receivers that it is about. ``location`` is the line to open first, None where
    none is known.
    """

    id: str
    title: str
    level: str
    message: str
    advice: str
    evidence: tuple[int, ...]
    receivers: tuple[str, ...]
    location: Frame | None = None
