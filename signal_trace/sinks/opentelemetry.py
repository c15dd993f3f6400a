"""Spans and metrics, through OpenTelemetry's API and the project's own set-up of it."""

from __future__ import annotations

from signal_trace.highlights import failures
from signal_trace.sinks.choosing import Choice, choose
from signal_trace.sinks.extras import MissingExtra
from signal_trace.span_attributes import ERROR_TYPE, FUNCTION, PREFIX, SCHEMA
from signal_trace.spans import OuterSpan, Span, outer_span, span_of, spans_inside
from signal_trace.trace import Trace

try:
    from opentelemetry import metrics
    from opentelemetry import trace as api
    from opentelemetry.context import Context
except ModuleNotFoundError as error:
    raise MissingExtra("OpenTelemetry", "otel") from error

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
        # One of our own, even if empty: where this runs, some other span may be
        # current.
        around = Context()
        if outer := outer_span(trace):
            around = api.set_span_in_context(_not_ours(outer), around)
        told = span_of(trace)
        top = self._start(told, around)
        inside = api.set_span_in_context(top, Context())
        if top.is_recording():
            choice = choose(trace, self.max_spans - 1)
            contexts: dict[int | None, Context] = {None: inside}
            for one in spans_inside(trace, choice.nodes, choice.alike):
                span = self._start(one, contexts[one.around])
                contexts[one.id] = api.set_span_in_context(span, Context())
                _end(span, one, choice)
            _end(top, told, choice)
        else:
            top.end(told.end)
        return inside

    def _start(self, told: Span, around: Context) -> api.Span:
        return self._tracer.start_span(
            told.name, around, attributes=told.attributes, start_time=told.start
        )

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


def _not_ours(outer: OuterSpan) -> api.Span:
    context = api.SpanContext(
        outer.trace_id,
        outer.span_id,
        is_remote=False,
        trace_flags=api.TraceFlags(outer.flags),
        trace_state=api.TraceState.from_header([outer.state]),
    )
    return api.NonRecordingSpan(context)


def _end(span: api.Span, told: Span, choice: Choice) -> None:
    if told.error is not None:
        span.set_status(api.Status(api.StatusCode.ERROR, str(told.error)))
    for name, attributes, at in told.events:
        span.add_event(name, attributes, at)
    if choice.left_out[told.id]:
        span.set_attribute(f"{PREFIX}left_out", choice.left_out[told.id])
    span.end(told.end)
