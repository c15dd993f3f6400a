"""Spans and metrics, through OpenTelemetry's API and the project's own set-up of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

from signal_trace.highlights import failures, origin
from signal_trace.outer_span import SPAN_ID, TRACE_FLAGS, TRACE_ID, TRACE_STATE
from signal_trace.parts import Call, Error, Send
from signal_trace.sinks.choosing import Choice, choose
from signal_trace.sinks.extras import MissingExtra
from signal_trace.sinks.span_attributes import (
    ERROR_TYPE,
    FUNCTION,
    PREFIX,
    SCHEMA,
    of_call,
    of_exception,
    of_finding,
    of_send,
    of_trace,
    send_name,
    trace_name,
)
from signal_trace.trace import Trace

try:
    from opentelemetry import metrics
    from opentelemetry import trace as api
    from opentelemetry.context import Context
except ModuleNotFoundError as error:
    raise MissingExtra("OpenTelemetry", "otel") from error

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Receivers take from microseconds to seconds; OpenTelemetry's own bounds are for
# milliseconds.
BOUNDS_S = [
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1, 2.5, 5, 10),
]

# So many series of a metric are told apart. Code has fewer receivers than that, unless
# it makes them anew each time.
MOST_SERIES = 1_000
OTHER = "_OTHER"


class OpenTelemetrySink:
    """Sends each trace as spans, and measures receivers.

    The trace is a span, under the one that was current when the recording began; below
    it are its sends, and below these their calls. Findings are events of the trace's
    span. Of a trace with more than *max_spans*, the slowest of like sends in a row
    stands for all of them, and of the rest those have spans that failed, that a finding
    is about, or that took longest. What was left out is counted on the span around it.

    Metrics are of all calls, whether they have spans or not:

    - ``signal_trace.receiver.duration``, a histogram in seconds, of those that finished
    - ``signal_trace.receiver.failures``, those that raised
    - ``signal_trace.receiver.omitted``, those beyond ``MAX_SENDS``: their times are
      known only as sums, which no histogram takes, so that they aren't in it

    *tracer_provider* and *meter_provider* are the global ones where none are given.
    Raises ValueError where *max_spans* isn't a whole number from 1.
    """

    def __init__(
        self,
        max_spans: int = 200,
        tracer_provider: api.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        if type(max_spans) is not int or max_spans < 1:
            raise ValueError(f"max_spans is {max_spans!r}, and no whole number from 1")
        self.max_spans = max_spans
        self._tracer = api.get_tracer(
            "signal_trace", tracer_provider=tracer_provider, schema_url=SCHEMA
        )
        meter = metrics.get_meter(
            "signal_trace", meter_provider=meter_provider, schema_url=SCHEMA
        )
        self._durations = meter.create_histogram(
            f"{PREFIX}receiver.duration",
            "s",
            "Wall time of receivers' calls",
            explicit_bucket_boundaries_advisory=BOUNDS_S,
        )
        self._failures = meter.create_counter(
            f"{PREFIX}receiver.failures", "{call}", "Receivers' calls that raised"
        )
        self._omitted = meter.create_counter(
            f"{PREFIX}receiver.omitted",
            "{call}",
            "Receivers' calls beyond MAX_SENDS, which are not in the histogram",
        )
        self._series: dict[tuple[str, ...], dict[str, str]] = {}

    def __call__(self, trace: Trace) -> None:
        self._measure(trace, self._send_spans(trace))

    def _send_spans(self, trace: Trace) -> Context:
        """Send the spans, and return the context of that of the trace."""
        outer = _outer_span(trace)
        began = _wall_ns(trace)
        top = self._tracer.start_span(
            trace_name(trace) if outer is None else "signals",
            # One of our own, even if empty: where this runs, some other span may be
            # current.
            Context() if outer is None else api.set_span_in_context(outer, Context()),
            attributes=of_trace(trace),
            start_time=began,
        )
        inside = api.set_span_in_context(top, Context())
        if top.is_recording():
            choice = choose(trace, self.max_spans - 1)
            self._send_inner_spans(trace, choice, inside, began)
            _add_findings(top, trace, began)
            _add_error(top, trace.error, trace.sends, began + trace.duration_ns)
            _count_left_out(top, choice, None)
        top.end(began + trace.duration_ns)
        return inside

    def _send_inner_spans(
        self, trace: Trace, choice: Choice, inside: Context, began: int
    ) -> None:
        nested: dict[int | None, list[Send]] = defaultdict(list)
        for send in trace.sends:
            nested[send.parent].append(send)
        not_called: dict[int | None, list[str]] = defaultdict(list)
        for one in trace.not_called:
            not_called[one.send].append(one.receiver)
        sent_by = {call.id: send for send in trace.sends for call in send.calls}
        contexts: dict[int | None, Context] = {None: inside}
        for node, around in choice.nodes:
            if isinstance(node, Send):
                name = send_name(node)
                attributes = of_send(
                    node, not_called.get(node.id, []), choice.alike.get(node.id)
                )
                below: list[Call] | list[Send] = list(node.calls)
            else:
                name = node.receiver
                attributes = of_call(node, sent_by[node.id])
                below = nested.get(node.id, [])
            span = self._tracer.start_span(
                name,
                contexts[around],
                attributes=attributes,
                start_time=began + node.start_ns,
            )
            contexts[node.id] = api.set_span_in_context(span, Context())
            end = began + trace.end_of(node)
            _add_error(span, node.error, below, end)
            _count_left_out(span, choice, node.id)
            span.end(end)

    def _measure(self, trace: Trace, inside: Context) -> None:
        for send in trace.sends:
            for call in send.calls:
                if call.duration_ns is not None:
                    series = self._series_of(call.receiver, send.signal)
                    self._durations.record(call.duration_ns / 1e9, series, inside)
        for send, call, error in failures(trace):
            series = self._series_of(call.receiver, send.signal, error.type)
            self._failures.add(1, series, inside)
        for one in trace.omitted:
            for calls in one.calls:
                series = self._series_of(calls.receiver, one.signal)
                self._omitted.add(calls.count, series, inside)
                if calls.failures:
                    series = self._series_of(calls.receiver, one.signal, OTHER)
                    self._failures.add(calls.failures, series, inside)

    def _series_of(self, *names: str) -> dict[str, str]:
        series = self._series.get(names)
        if series is None:
            known = len(self._series) < MOST_SERIES
            values = names if known else (OTHER,) * len(names)
            keys = (FUNCTION, f"{PREFIX}signal", ERROR_TYPE)
            series = dict(zip(keys, values, strict=False))
            if known:
                self._series[names] = series
        return series


def _wall_ns(trace: Trace) -> int:
    """When the trace began, in nanoseconds since 1970."""
    return (trace.started_at - EPOCH) // timedelta(microseconds=1) * 1000


def _outer_span(trace: Trace) -> api.Span | None:
    """The span that was current when the trace was recorded."""
    given = trace.attributes
    try:
        context = api.SpanContext(
            int(given[TRACE_ID], 16),
            int(given[SPAN_ID], 16),
            is_remote=False,
            trace_flags=api.TraceFlags(int(given[TRACE_FLAGS], 16)),
            trace_state=api.TraceState.from_header([given.get(TRACE_STATE, "")]),
        )
    except (KeyError, TypeError, ValueError):
        return None
    return api.NonRecordingSpan(context) if context.is_valid else None


def _add_findings(span: api.Span, trace: Trace, began: int) -> None:
    """Add the findings as events, each where the first of its evidence began."""
    starts: dict[int, int] = {}
    if trace.findings:
        for send in trace.sends:
            starts[send.id] = send.start_ns
            for call in send.calls:
                starts[call.id] = call.start_ns
    for finding in trace.findings:
        times = [starts[id] for id in finding.evidence if id in starts]
        at = began + min(times, default=trace.duration_ns)
        span.add_event(f"{PREFIX}finding", of_finding(finding), at)


def _add_error(
    span: api.Span,
    error: Error | None,
    below: list[Call] | list[Send] | tuple[Send, ...],
    end: int,
) -> None:
    """Say that it failed. The exception itself is an event where it was raised, and
    not of all that it passed through."""
    if error is None:
        return
    span.set_status(api.Status(api.StatusCode.ERROR, str(error)))
    if all(one.error is None or origin(one.error) != origin(error) for one in below):
        span.add_event("exception", of_exception(error), end)


def _count_left_out(span: api.Span, choice: Choice, id: int | None) -> None:
    if choice.left_out[id]:
        span.set_attribute(f"{PREFIX}left_out", choice.left_out[id])
