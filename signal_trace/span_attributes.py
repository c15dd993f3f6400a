"""What spans and events say of a trace, its sends and calls: names and attributes.

They follow OpenTelemetry's semantic conventions where these have a word for it, which
for signals is seldom; the rest begins with ``signal_trace.`` and ends with its unit,
counts aside. Names of spans are alike for what is alike: no ids are in them.
"""

from __future__ import annotations

from typing import Any

from signal_trace.documents import json_text
from signal_trace.durations import in_ms
from signal_trace.outer_span import SPAN_ID, TRACE_FLAGS, TRACE_ID, TRACE_STATE
from signal_trace.parts import Call, Error, Finding, Frame, Queries, Send
from signal_trace.runs import Run, without_pk
from signal_trace.summary import summary
from signal_trace.trace import Trace
from signal_trace.tree import short_name

PREFIX = "signal_trace."
#: The version of the conventions, of which the words are taken.
SCHEMA = "https://opentelemetry.io/schemas/1.33.0"

FUNCTION = "code.function.name"
ERROR_TYPE = "error.type"

# What a log record says of the whole trace, by the same names.
SUMMED_UP = (
    *("id", "kind", "name", "receivers_ms", "sends", "calls", "unreceived", "failures"),
    *("not_called", "rolled_back", "queries", "queries_ms", "receivers_queries"),
    *("omitted", "slowest_receiver", "slowest_receiver_ms"),
)
OF_REQUESTS = {
    "method": "http.request.method",
    "path": "url.path",
    "route": "http.route",
    "status_code": "http.response.status_code",
}
OF_THE_OUTER_SPAN = (TRACE_ID, SPAN_ID, TRACE_FLAGS, TRACE_STATE)

Attributes = dict[str, Any]


def trace_name(trace: Trace) -> str:
    """What the span of a trace is called: for a request the route instead of the
    path, of which there are as many as there are things."""
    if trace.kind == "request":
        words = [trace.attributes.get(key) for key in ("method", "route")]
        if known := [word for word in words if word and type(word) is str]:
            return " ".join(known)
    return trace.name or trace.kind


def send_name(send: Send) -> str:
    return f"{short_name(send.signal)} from {without_pk(send.sender)}"


def of_trace(trace: Trace) -> Attributes:
    summed_up = summary(trace)
    found = {f"{PREFIX}{key}": summed_up[key] for key in SUMMED_UP}
    for key, value in trace.attributes.items():
        if trace.kind == "request" and key in OF_REQUESTS:
            found[OF_REQUESTS[key]] = _plain(value)
        elif key not in OF_THE_OUTER_SPAN:
            found[f"{PREFIX}attribute.{key}"] = _plain(value)
    return _known(found | _of_error(trace.error))


def of_send(send: Send, not_called: list[str], run: Run | None) -> Attributes:
    """*not_called* are the receivers that it was to call and did not, *run* the like
    sends that it stands for."""
    found: Attributes = {
        f"{PREFIX}signal": send.signal,
        f"{PREFIX}sender": send.sender,
        f"{PREFIX}method": send.method,
        f"{PREFIX}transaction": send.transaction,
        f"{PREFIX}on_commit": send.on_commit or None,
        f"{PREFIX}not_called": not_called or None,
        f"{PREFIX}unfinished": send.duration_ns is None or None,
    }
    for name, value in send.arguments.items():
        found[f"{PREFIX}argument.{name}"] = _plain(value)
    if run is not None:
        found[f"{PREFIX}alike"] = run.count
        found[f"{PREFIX}alike_ms"] = in_ms(run.duration_ns)
    return _known(found | _of_frame(send.call_site) | _of_error(send.error))


def of_call(call: Call, send: Send) -> Attributes:
    found: Attributes = {
        FUNCTION: call.receiver,
        "code.file.path": call.file,
        "code.line.number": call.line,
        f"{PREFIX}signal": send.signal,
        f"{PREFIX}app": call.app or None,
        f"{PREFIX}outcome": call.outcome,
        f"{PREFIX}async": call.is_async,
        f"{PREFIX}self_ms": None if call.self_ns is None else in_ms(call.self_ns),
        f"{PREFIX}unfinished": call.duration_ns is None or None,
    }
    if call.suspended_ns is not None:
        found[f"{PREFIX}suspended_ms"] = in_ms(call.suspended_ns)
    return _known(found | _of_queries(call.queries) | _of_error(call.error))


def of_finding(finding: Finding) -> Attributes:
    found = {
        f"{PREFIX}finding.id": finding.id,
        f"{PREFIX}finding.level": finding.level,
        f"{PREFIX}finding.message": finding.message,
        f"{PREFIX}finding.advice": finding.advice,
        f"{PREFIX}finding.receivers": list(finding.receivers),
    }
    return _known(found | _of_frame(finding.location))


def of_exception(error: Error) -> Attributes:
    return _known(
        {
            "exception.type": error.type,
            "exception.message": error.message,
            "exception.stacktrace": _stacktrace(error),
        }
    )


def _stacktrace(error: Error) -> str:
    """As Python prints it, without the source."""
    lines = [
        f'  File "{frame.file}", line {frame.line}, in {frame.function}'
        for frame in error.frames
    ]
    head = ["Traceback (most recent call last):"] if lines else []
    return "\n".join([*head, *lines, str(error), ""])


def _of_error(error: Error | None) -> Attributes:
    return {} if error is None else {ERROR_TYPE: error.type}


def _of_frame(frame: Frame | None) -> Attributes:
    if frame is None:
        return {}
    return {
        FUNCTION: frame.function,
        "code.file.path": frame.file,
        "code.line.number": frame.line,
    }


def _of_queries(queries: Queries) -> Attributes:
    """Those of a call, which is no database operation itself, so not ``db.…``."""
    found: Attributes = {}
    if queries.count:
        found[f"{PREFIX}queries"] = queries.count
        found[f"{PREFIX}queries_ms"] = in_ms(queries.duration_ns)
    if queries.repeated is not None and queries.repeated.count > 1:
        found[f"{PREFIX}repeated_query"] = queries.repeated.sql
        found[f"{PREFIX}repeated_queries"] = queries.repeated.count
    return found


def _plain(value: Any) -> Any:
    """A value as every version of OpenTelemetry takes it."""
    if value is None or type(value) in (str, bool, int, float):
        return value
    if type(value) is list and all(type(item) is str for item in value):
        return value
    return json_text(value)


def _known(attributes: Attributes) -> Attributes:
    return {key: value for key, value in attributes.items() if value is not None}
