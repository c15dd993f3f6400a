"""A trace as spans: what tools of tracing, such as OpenTelemetry's, are given of it.

The trace is a span, below it are its sends, and below these their calls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from signal_trace.highlights import origin
from signal_trace.outer_span import SPAN_ID, TRACE_FLAGS, TRACE_ID, TRACE_STATE
from signal_trace.parts import Call, Error, Send
from signal_trace.runs import Run
from signal_trace.span_attributes import (
    PREFIX,
    Attributes,
    of_call,
    of_exception,
    of_finding,
    of_send,
    of_trace,
    send_name,
    trace_name,
)
from signal_trace.trace import Trace

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SpanEvent(NamedTuple):
    name: str
    attributes: Attributes
    at: int


@dataclass(slots=True)
class Span:
    """A span of the trace itself, a send or a call, with that one's ``id``; None is the
    trace's. ``around`` is the id of the one that it is in. Times are nanoseconds since
    1970. Where it failed, ``error`` says how.
    """

    id: int | None
    around: int | None
    name: str
    start: int
    end: int
    attributes: Attributes
    error: Error | None
    events: list[SpanEvent] = field(default_factory=list)


class OuterSpan(NamedTuple):
    """The span that was current when a trace was recorded."""

    trace_id: int
    span_id: int
    flags: int
    state: str


def outer_span(trace: Trace) -> OuterSpan | None:
    given = trace.attributes
    try:
        outer = OuterSpan(
            int(given[TRACE_ID], 16),
            int(given[SPAN_ID], 16),
            int(given[TRACE_FLAGS], 16),
            str(given.get(TRACE_STATE, "")),
        )
    except (KeyError, TypeError, ValueError):
        return None
    is_valid = 0 < outer.trace_id < 1 << 128 and 0 < outer.span_id < 1 << 64
    return outer if is_valid else None


def span_of(trace: Trace) -> Span:
    """The span of the trace itself. Findings are its events, each where the first of
    its evidence began."""
    began = _wall_ns(trace)
    end = began + trace.duration_ns
    starts: dict[int, int] = {}
    if trace.findings:
        for send in trace.sends:
            starts[send.id] = send.start_ns
            for call in send.calls:
                starts[call.id] = call.start_ns
    events = []
    for finding in trace.findings:
        times = [starts[id] for id in finding.evidence if id in starts]
        at = began + min(times, default=trace.duration_ns)
        events.append(SpanEvent(f"{PREFIX}finding", of_finding(finding), at))
    return Span(
        None,
        None,
        # A name of its own would be the outer span's once more.
        trace_name(trace) if outer_span(trace) is None else "signals",
        began,
        end,
        of_trace(trace),
        trace.error,
        [*events, *_exception(trace.error, trace.sends, end)],
    )


def spans_inside(
    trace: Trace,
    nodes: Iterable[tuple[Send | Call, int | None]],
    alike: Mapping[int, Run] | None = None,
) -> Iterator[Span]:
    """The spans of *nodes*, sends and calls, each given with the id of the one that it
    is in. *alike* are the runs for which a send stands, by its id."""
    alike = alike or {}
    began = _wall_ns(trace)
    nested: dict[int | None, list[Send]] = defaultdict(list)
    for send in trace.sends:
        nested[send.parent].append(send)
    not_called: dict[int | None, list[str]] = defaultdict(list)
    for one in trace.not_called:
        not_called[one.send].append(one.receiver)
    sent_by = {call.id: send for send in trace.sends for call in send.calls}
    for node, around in nodes:
        below: Sequence[Call | Send]
        if isinstance(node, Send):
            name = send_name(node)
            missed = not_called.get(node.id, [])
            attributes = of_send(node, missed, alike.get(node.id))
            below = node.calls
        else:
            name = node.receiver
            attributes = of_call(node, sent_by[node.id])
            below = nested.get(node.id, ())
        start, end = began + node.start_ns, began + trace.end_of(node)
        events = _exception(node.error, below, end)
        yield Span(node.id, around, name, start, end, attributes, node.error, events)


def _exception(
    error: Error | None, below: Sequence[Call | Send], end: int
) -> list[SpanEvent]:
    """The exception itself is an event where it was raised, and not of all that it
    passed through."""
    if error is None or any(
        one.error is not None and origin(one.error) == origin(error) for one in below
    ):
        return []
    return [SpanEvent("exception", of_exception(error), end)]


def _wall_ns(trace: Trace) -> int:
    """When the trace began, in nanoseconds since 1970."""
    return (trace.started_at - EPOCH) // timedelta(microseconds=1) * 1000
