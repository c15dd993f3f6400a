"""The Trace: what was recorded, as an immutable document.

Everything that shows, sends or examines a recording reads a `Trace`, and one that
was loaded from a file is as good as a fresh one. All times are integer nanoseconds
of a monotonic clock, counted from the trace's start.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

from signal_trace.documents import DocumentError, from_plain, json_pieces, to_plain
from signal_trace.durations import covered
from signal_trace.parts import (
    NO_QUERIES,
    Call,
    Error,
    Event,
    Finding,
    NotCalled,
    Omitted,
    Queries,
    Send,
    Unreceived,
)

VERSION = "1.1"

_is_id = re.compile("[0-9a-f]{32}").fullmatch


class TraceError(ValueError):
    """A text is no trace that can be read; the message says why, and where."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What was recorded of one request, command or block.

    ``version`` is that of this document's form, ``id`` 32 hexadecimal digits,
    ``kind`` what was recorded (``"request"``, ``"block"``, or any other word),
    ``started_at`` an aware datetime in UTC. ``attributes`` holds plain values
    only. ``error`` is the exception that ended the recorded block. ``sends`` is
    flat, in the order of their start; ids are unique among sends and calls alike.
    ``omitted`` is what the sends add up to that are not in ``sends``, for being too
    many. ``queries`` are all of the trace, those of its receivers as nested ones.
    ``events`` are what happened besides sends, ``findings`` what deserves attention,
    what matters most first.
    """

    version: str
    id: str
    kind: str
    name: str
    started_at: datetime
    duration_ns: int
    attributes: dict[str, Any]
    error: Error | None
    sends: tuple[Send, ...]
    unreceived: tuple[Unreceived, ...]
    not_called: tuple[NotCalled, ...]
    omitted: tuple[Omitted, ...] = ()
    queries: Queries = NO_QUERIES
    events: tuple[Event, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call, send by send."""
        return tuple(call for send in self.sends for call in send.calls)

    @property
    def omitted_count(self) -> int:
        """How many sends are left out of ``sends``."""
        return sum(one.count for one in self.omitted)

    @property
    def send_count(self) -> int:
        """How many sends some receiver was to hear, those left out included."""
        return len(self.sends) + self.omitted_count

    @property
    def call_count(self) -> int:
        """How many calls there were, those left out included."""
        kept = sum(len(send.calls) for send in self.sends)
        return kept + sum(calls.count for one in self.omitted for calls in one.calls)

    @property
    def omitted_failures(self) -> int:
        """How many calls raised in the sends that are left out."""
        return sum(calls.failures for one in self.omitted for calls in one.calls)

    @property
    def unreceived_count(self) -> int:
        """How many sends nobody heard."""
        return sum(one.count for one in self.unreceived)

    @property
    def receivers_ns(self) -> int:
        """The wall time during which receivers ran: concurrent calls count once."""
        kept = covered((call.start_ns, self.end_of(call)) for call in self.calls)
        return kept + sum(one.receivers_ns for one in self.omitted)

    def end_of(self, timed: Send | Call) -> int:
        """When a send or call ended; the trace's end where it never did."""
        if timed.duration_ns is None:
            return max(self.duration_ns, timed.start_ns)
        return timed.start_ns + timed.duration_ns

    def to_dict(self) -> dict[str, Any]:
        """The trace as plain dictionaries, lists and values, ready for JSON."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    @classmethod
    def from_dict(cls, document: Any, source: str = "") -> Trace:
        """Build the trace that `to_dict` was made of.

        *source* is what an error shall call the document, such as a file's name.
        Raises `TraceError` for what is no trace or one of another major version.
        """
        try:
            _check_version(document)
            trace = from_plain(cls, document)
            _check_ids(trace)
            return trace
        except DocumentError as error:
            raise _error(source, str(error)) from None

    def to_json(self) -> str:
        """The trace as JSON text on one line."""
        return "".join(json_pieces(self))

    @classmethod
    def from_json(cls, text: str, source: str = "") -> Trace:
        """Build the trace that `to_json` was made of; raises `TraceError`."""
        if not text.strip():
            raise _error(source, "empty")
        try:
            document = json.loads(
                text, parse_constant=_refuse_constant, parse_float=_finite
            )
        except json.JSONDecodeError as error:
            at = f"line {error.lineno} column {error.colno}"
            written = text.rstrip()
            ends_early = error.pos >= len(written) or not written.endswith("}")
            if text.lstrip().startswith("{") and ends_early:
                raise _error(source, f"a trace that is cut off at {at}") from None
            raise _error(source, f"not a trace: {error.msg} at {at}") from None
        except RecursionError:
            raise _error(source, "not a trace: it is nested too deeply") from None
        except ValueError as error:
            raise _error(source, f"not a trace: {error}") from None
        return cls.from_dict(document, source)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Trace:
        """Read the trace in the JSON file *path*.

        Raises `TraceError`, which names the file, and `OSError`.
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            cut = error.reason == "unexpected end of data"
            problem = "a trace that is cut off at" if cut else "not a trace: no text at"
            raise _error(str(path), f"{problem} byte {error.start}") from None
        return cls.from_json(text, str(path))

    def export(self, format: str) -> str:
        """The trace as text in one of the formats of `signal_trace.exports`, or in that
        of a dotted path to a `signal_trace.exports.Format`.

        Raises ValueError, which lists the formats, for one that does not exist.
        """
        from signal_trace import exports

        return exports.get(format).write(self)


def _check_version(document: Any) -> None:
    given = document if type(document) is dict else {}
    version = given.get("version")
    if type(version) is str and version.partition(".")[0] != VERSION.partition(".")[0]:
        raise DocumentError(
            f"a trace of version {version[:20]}; this signal_trace reads {VERSION}"
        )
    if type(version) is not str or "sends" not in given:
        raise DocumentError("not a trace: no object with a version and sends")


def _check_ids(trace: Trace) -> None:
    """See to it that the trace's id can be that of a file or a span, and that sends and
    calls form a tree: `tree.walk` would lose what hangs on nothing, and never end in a
    circle."""
    if not _is_id(trace.id):
        raise DocumentError(f"id is not 32 hexadecimal digits: {trace.id[:40]!r}")
    sends: set[int] = set()
    calls: set[int | None] = {None}
    for i, send in enumerate(trace.sends):
        if send.parent not in calls:
            raise DocumentError(f"sends[{i}].parent is no earlier call: {send.parent}")
        sends.add(send.id)
        calls.update(call.id for call in send.calls)
    if len(sends | calls) != 1 + len(trace.sends) + len(trace.calls):
        raise DocumentError("an id is that of more than one send or call")
    for i, missed in enumerate(trace.not_called):
        if missed.send is not None and missed.send not in sends:
            raise DocumentError(f"not_called[{i}].send is no send: {missed.send}")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no value of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is larger than a number can be")
    return number


def _error(source: str, problem: str) -> TraceError:
    return TraceError(f"{source}: {problem}" if source else problem)
