"""What `LogSink` logs of single sends and calls: their fields, and what people read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from signal_trace import telling
from signal_trace.durations import in_ms, shown
from signal_trace.highlights import failures
from signal_trace.parts import Call, Send
from signal_trace.trace import Trace
from signal_trace.tree import short_name

NONE = "none"
FAILED = "failed"
SLOW = "slow"
SENDS = "sends"


class Detail(NamedTuple):
    """One record: what people read, its fields, and whether something failed."""

    message: str
    fields: dict[str, Any]
    failed: bool


def details(trace: Trace, which: str, slow_ns: float) -> Iterator[Detail]:
    """Those of *which*: a detail for each send (`SENDS`), for each call that failed
    (`FAILED`), or for each that failed or took *slow_ns* of its own (`SLOW`)."""
    if which == SENDS:
        yield from (_send(trace, send) for send in trace.sends)
    elif which != NONE:
        failed = {call.id for _, call, _ in failures(trace)}
        for send in trace.sends:
            for call in send.calls:
                is_slow = which == SLOW and (call.self_ns or 0) >= slow_ns
                if call.id in failed or is_slow:
                    yield _call(trace, send, call, call.id in failed)


def _send(trace: Trace, send: Send) -> Detail:
    failed = sum(call.error is not None for call in send.calls)
    count = f"{len(send.calls)} call{'s' * (len(send.calls) != 1)}"
    message = f"{_what(send)}: {count}, {shown(send.duration_ns)}"
    if send.error:
        message += f", raised {send.error.type}"
    fields = {
        "record": "send",
        "id": trace.id,
        "name": trace.name,
        "send": send.id,
        "parent": send.parent,
        "signal": send.signal,
        "sender": send.sender,
        "method": send.method,
        "location": send.call_site and telling.full_place(send.call_site),
        "start_ms": in_ms(send.start_ns),
        "duration_ms": _ms(send.duration_ns),
        "calls": len(send.calls),
        "failures": failed,
        "queries": send.queries.count + send.queries.nested_count,
        "queries_ms": in_ms(send.queries.duration_ns + send.queries.nested_ns),
        "transaction": send.transaction,
        "called_receivers": [
            {
                "receiver": call.receiver,
                "self_ms": _ms(call.self_ns),
                "outcome": call.outcome,
                "error": call.error and call.error.type,
            }
            for call in send.calls
        ],
        "error": send.error and send.error.type,
    }
    return Detail(message, fields, failed > 0 or send.error is not None)


def _call(trace: Trace, send: Send, call: Call, failed: bool) -> Detail:
    message = f"{call.receiver}"
    if failed and call.error:
        message += f" raised {call.error.type} and"
    message += f" took {shown(call.self_ns)} of its own, on {_what(send)}"
    fields = {
        "record": "call",
        "id": trace.id,
        "name": trace.name,
        "send": send.id,
        "call": call.id,
        "signal": send.signal,
        "sender": send.sender,
        "receiver": call.receiver,
        "location": telling.full_place(call) or None,
        "start_ms": in_ms(call.start_ns),
        "duration_ms": _ms(call.duration_ns),
        "self_ms": _ms(call.self_ns),
        "outcome": call.outcome,
        "queries": call.queries.count,
        "queries_ms": in_ms(call.queries.duration_ns),
        "error": call.error and call.error.type,
    }
    return Detail(message, fields, failed)


def _what(send: Send) -> str:
    return f"{short_name(send.signal)} from {telling.sender(send)}"


def _ms(ns: int | None) -> float | None:
    return None if ns is None else in_ms(ns)
