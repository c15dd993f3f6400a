"""What stands out in a trace: its slowest calls, and where it failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signal_trace.parts import CANCELLATION, Call, Error, Send
from signal_trace.trace import Trace


def slowest(trace: Trace, count: int) -> list[Call]:
    """The *count* finished calls with the most self time, the slowest first."""
    finished = [call for call in trace.calls if call.self_ns is not None]
    return sorted(finished, key=lambda call: call.self_ns or 0, reverse=True)[:count]


def failures(trace: Trace) -> list[tuple[Send, Call, Error]]:
    """The calls that raised, each with its send and exception.

    A call through which an exception merely passed, on its way up from a send
    inside, is not one of them: each exception counts once.
    """
    passing = {(send.parent, origin(send.error)) for send in trace.sends if send.error}
    return [
        (send, call, call.error)
        for send in trace.sends
        for call in send.calls
        if call.error and (call.id, origin(call.error)) not in passing
    ]


def has_failed(trace: Trace) -> bool:
    """Whether an exception ended it, a receiver raised, or the response is a server's
    error. What was cancelled, as where a client went away, has not failed."""
    return (
        _has_raised(trace)
        or is_servers_error(trace.attributes)
        or trace.omitted_failures > 0
        or any(map(_has_raised, trace.calls))
    )


def is_servers_error(attributes: Mapping[str, Any]) -> bool:
    """Whether *attributes*, those of a trace, are of such a response."""
    status = attributes.get("status_code")
    return type(status) is int and status >= 500


def _has_raised(what: Trace | Call) -> bool:
    return what.error is not None and what.error.type != CANCELLATION


def all_queries(trace: Trace) -> tuple[int, int]:
    """How many queries there were, those of receivers included, and their time."""
    queries = trace.queries
    return (
        queries.count + queries.nested_count,
        queries.duration_ns + queries.nested_ns,
    )


def origin(error: Error) -> object:
    """What tells one exception from another, wherever on its way it was described."""
    return error.type, error.message, error.frames[-1:]
