from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace as api
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
)

import signal_trace
from signal_trace import sinks
from signal_trace.outer_span import SPAN_ID, TRACE_FLAGS, TRACE_ID, TRACE_STATE
from signal_trace.parts import Finding
from signal_trace.sinks import opentelemetry
from signal_trace.sinks.opentelemetry import MOST_SERIES, OTHER, OpenTelemetrySink
from tests.otlp import plain, receive
from tests.traces import CHECKOUT, EMPTY, FAILURE, IMPORT, LARGE, MS, saves, traces

if TYPE_CHECKING:
    from pytest_django import Settings

    from signal_trace import Trace

# When CHECKOUT began, in seconds since 1970.
BEGAN_S = 1767323045


def sent_at(ms: float) -> int:
    return BEGAN_S * 1_000_000_000 + round(ms * MS)


@dataclass
class Telemetry:
    """A sink with an SDK that keeps what it is sent."""

    sampler: Any = ALWAYS_ON
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        tracers = TracerProvider(sampler=self.sampler, shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.sink = OpenTelemetrySink(
            tracer_provider=tracers,
            meter_provider=MeterProvider([self.reader], shutdown_on_exit=False),
            **self.options,
        )

    def spans(self, trace: Trace) -> list[ReadableSpan]:
        """The spans of *trace*, its own first."""
        self.exporter.clear()
        self.sink(trace)
        return sorted(
            self.exporter.get_finished_spans(), key=lambda span: span.parent is not None
        )

    def points(self, name: str) -> dict[tuple[Any, ...], Any]:
        """The data points of a metric by the values of their attributes."""
        data = self.reader.get_metrics_data()
        return {
            tuple(point.attributes.values()): point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == f"signal_trace.receiver.{name}"
            for point in metric.data.data_points
        }


def tree(spans: list[ReadableSpan]) -> dict[str, str | None]:
    """The names of spans, each with that of the one around it."""
    names = {span.context.span_id: span.name for span in spans if span.context}
    return {
        span.name: names.get(span.parent.span_id) if span.parent else None
        for span in spans
    }


def by_name(spans: list[ReadableSpan]) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans}


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_trace_sends_and_calls_are_spans_inside_each_other() -> None:
    assert tree(Telemetry().spans(CHECKOUT)) == {
        "POST": None,
        "post_save from shop.Order": "POST",
        "shop.receivers.announce": "post_save from shop.Order",
        "shop.receivers.take_from_stock": "post_save from shop.Order",
        "order_placed from shop.Order": "shop.receivers.announce",
        "shop.receivers.Mailer.send": "order_placed from shop.Order",
        "shop.receivers.poll": "order_placed from shop.Order",
    }


def test_times_are_those_of_the_recording() -> None:
    spans = by_name(Telemetry().spans(CHECKOUT))
    times = {name: (span.start_time, span.end_time) for name, span in spans.items()}
    assert times["POST"] == (sent_at(0), sent_at(20))
    assert times["post_save from shop.Order"] == (sent_at(2), sent_at(12))
    assert times["shop.receivers.take_from_stock"] == (sent_at(9), sent_at(9.05))
    # It never finished.
    assert times["shop.receivers.poll"] == (sent_at(4), sent_at(20))
    unfinished = [
        name
        for name, span in spans.items()
        if "signal_trace.unfinished" in attributes_of(span)
    ]
    assert unfinished == ["shop.receivers.poll"]


def test_microseconds_of_the_start_are_exact() -> None:
    start = CHECKOUT.started_at.replace(microsecond=123457)
    (top, *_) = Telemetry().spans(replace(CHECKOUT, started_at=start))
    assert top.start_time == sent_at(123.457)


def test_attributes_of_a_trace() -> None:
    trace = replace(
        CHECKOUT,
        attributes={
            **CHECKOUT.attributes,
            "route": "checkout/",
            "tags": ["a", "b"],
            "options": {"dry": True},
            "nothing": None,
        },
    )
    (top, *_) = Telemetry().spans(trace)
    assert top.name == "POST checkout/"
    assert attributes_of(top) == {
        "signal_trace.id": CHECKOUT.id,
        "signal_trace.kind": "request",
        "signal_trace.name": "POST /checkout/",
        "signal_trace.receivers_ms": 18.0,
        "signal_trace.sends": 2,
        "signal_trace.calls": 4,
        "signal_trace.unreceived": 2101,
        "signal_trace.failures": 1,
        "signal_trace.not_called": 1,
        "signal_trace.rolled_back": 2,
        "signal_trace.queries": 9,
        "signal_trace.queries_ms": 6.0,
        "signal_trace.receivers_queries": 4,
        "signal_trace.omitted": 0,
        "signal_trace.slowest_receiver": "shop.receivers.Mailer.send",
        "signal_trace.slowest_receiver_ms": 4.0,
        "signal_trace.attribute.tags": ("a", "b"),
        "signal_trace.attribute.options": '{"dry": true}',
        "http.request.method": "POST",
        "http.route": "checkout/",
        "http.response.status_code": 500,
        "url.path": "/checkout/",
        "error.type": "ValueError",
    }


def test_attributes_of_a_send() -> None:
    span = by_name(Telemetry().spans(CHECKOUT))["post_save from shop.Order"]
    assert attributes_of(span) == {
        "signal_trace.signal": "django.db.models.signals.post_save",
        "signal_trace.sender": "shop.Order",
        "signal_trace.method": "send",
        "signal_trace.transaction": "rolled back",
        "signal_trace.not_called": ("shop.receivers.reindex",),
        "signal_trace.argument.instance": "shop.Order(pk=7)",
        "signal_trace.argument.created": True,
        "signal_trace.argument.raw": False,
        "signal_trace.argument.using": "default",
        "code.function.name": "checkout",
        "code.file.path": "/srv/shop/views.py",
        "code.line.number": 12,
        "error.type": "ValueError",
    }


def test_attributes_of_calls() -> None:
    spans = by_name(Telemetry().spans(CHECKOUT))
    assert attributes_of(spans["shop.receivers.announce"]) == {
        "code.function.name": "shop.receivers.announce",
        "code.file.path": "shop/receivers.py",
        "code.line.number": 10,
        "signal_trace.signal": "django.db.models.signals.post_save",
        "signal_trace.app": "shop",
        "signal_trace.outcome": "returned",
        "signal_trace.async": False,
        "signal_trace.self_ms": 3.0,
        "signal_trace.queries": 3,
        "signal_trace.queries_ms": 2.0,
        "signal_trace.repeated_query": (
            'SELECT COUNT(*) FROM "shop_line" WHERE "order_id" = %s'
        ),
        "signal_trace.repeated_queries": 2,
    }
    mailer = attributes_of(spans["shop.receivers.Mailer.send"])
    assert mailer["signal_trace.suspended_ms"] == 3.0
    assert mailer["signal_trace.async"] is True
    assert "code.file.path" not in mailer


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"method": "GET", "route": "orders/<int:pk>/"}, "GET orders/<int:pk>/"),
        ({"method": "GET", "route": ""}, "GET"),
        ({"method": 5}, "POST /checkout/"),
        ({}, "POST /checkout/"),
    ],
)
def test_requests_span_has_no_path_in_its_name(
    attributes: dict[str, Any], name: str
) -> None:
    (top, *_) = Telemetry().spans(replace(CHECKOUT, attributes=attributes))
    assert top.name == name


def test_span_of_a_block_has_its_name_or_else_its_kind() -> None:
    assert Telemetry().spans(replace(EMPTY, name="import"))[0].name == "import"
    assert Telemetry().spans(EMPTY)[0].name == "block"


def test_span_of_a_send_has_no_primary_key_in_its_name() -> None:
    one = replace(CHECKOUT.sends[0], sender="shop.Order(pk=7)", calls=())
    (_, span) = Telemetry().spans(replace(CHECKOUT, sends=(one,)))
    assert span.name == "post_save from shop.Order"
    assert attributes_of(span)["signal_trace.sender"] == "shop.Order(pk=7)"


def test_exception_is_an_event_where_it_was_raised_and_a_status_further_up() -> None:
    spans = Telemetry().spans(CHECKOUT)
    failed = [span.name for span in spans if not span.status.is_ok]
    assert sorted(failed) == [
        "POST",
        "post_save from shop.Order",
        "shop.receivers.take_from_stock",
    ]
    assert {span.status.description for span in spans} == {
        "ValueError: no stock",
        None,
    }
    ((where, event),) = [
        (span.name, event)
        for span in spans
        for event in span.events
        if event.name == "exception"
    ]
    assert where == "shop.receivers.take_from_stock"
    assert event.timestamp == sent_at(9.05)
    assert dict(event.attributes or {}) == {
        "exception.type": "ValueError",
        "exception.message": "no stock",
        "exception.stacktrace": (
            "Traceback (most recent call last):\n"
            '  File "shop/receivers.py", line 30, in take_from_stock\n'
            "ValueError: no stock\n"
        ),
    }


def test_exception_outside_of_sends_is_an_event_of_the_trace() -> None:
    error = replace(FAILURE, message=None, frames=())
    (top,) = Telemetry().spans(replace(EMPTY, error=error))
    (event,) = top.events
    assert dict(event.attributes or {}) == {
        "exception.type": "ValueError",
        "exception.stacktrace": "ValueError\n",
    }


def test_findings_are_events_of_the_trace_where_their_evidence_began() -> None:
    (top, *others) = Telemetry().spans(CHECKOUT)
    assert [event.name for event in top.events] == ["signal_trace.finding"] * 2
    assert [event.timestamp for event in top.events] == [sent_at(9), sent_at(20)]
    assert dict(top.events[0].attributes or {}) == {
        "signal_trace.finding.id": "failed-receiver",
        "signal_trace.finding.level": "problem",
        "signal_trace.finding.message": (
            "shop.receivers.take_from_stock raised, and 1 receiver never ran."
        ),
        "signal_trace.finding.advice": (
            "Send with send_robust, or catch the exception in the receiver."
        ),
        "signal_trace.finding.receivers": ("shop.receivers.take_from_stock",),
        "code.function.name": "take_from_stock",
        "code.file.path": "/srv/shop/receivers.py",
        "code.line.number": 29,
    }
    assert not any("finding" in event.name for span in others for event in span.events)


# The span around.

OUTER = {TRACE_ID: "0af7651916cd43dd8448eb211c80319c", SPAN_ID: "b7ad6b7169203331"}


def inside_a_span(trace: Trace, flags: str = "01", **more: str) -> Trace:
    outer = {**OUTER, TRACE_FLAGS: flags, **more}
    return replace(trace, attributes={**trace.attributes, **outer})


def test_spans_are_inside_the_one_that_was_current() -> None:
    spans = Telemetry().spans(inside_a_span(CHECKOUT))
    top = by_name(spans)["signals"]
    assert top.parent is not None
    assert top.parent.span_id == int(OUTER[SPAN_ID], 16)
    assert {span.context.trace_id for span in spans if span.context} == {
        int(OUTER[TRACE_ID], 16)
    }
    assert not any("otel" in key for span in spans for key in attributes_of(span))


def test_state_of_the_outer_trace_is_handed_on() -> None:
    given = inside_a_span(CHECKOUT, **{TRACE_STATE: "ot=th:8,shop=7"})
    for span in Telemetry().spans(given):
        assert span.context is not None
        assert span.context.trace_state.to_header() == "ot=th:8,shop=7"


@pytest.mark.parametrize(
    "attributes",
    [
        OUTER,
        {**OUTER, TRACE_FLAGS: None},
        {**OUTER, TRACE_FLAGS: "01", SPAN_ID: 5},
        {**OUTER, TRACE_FLAGS: "01", SPAN_ID: "no number"},
        {**OUTER, TRACE_FLAGS: "01", TRACE_ID: "0" * 32},
    ],
)
def test_outer_span_that_is_none_is_passed_over(attributes: dict[str, Any]) -> None:
    (top,) = Telemetry().spans(replace(EMPTY, attributes=attributes))
    assert top.parent is None


def test_span_that_is_current_where_the_sink_runs_is_not_taken_for_it() -> None:
    telemetry = Telemetry()
    with (
        TracerProvider(shutdown_on_exit=False)
        .get_tracer("x")
        .start_as_current_span("another request")
    ):
        assert telemetry.spans(CHECKOUT)[0].parent is None


@pytest.mark.parametrize(("flags", "count"), [("00", 0), ("01", 7)])
def test_sampling_follows_the_outer_span(flags: str, count: int) -> None:
    telemetry = Telemetry(ParentBased(ALWAYS_ON))
    assert len(telemetry.spans(inside_a_span(CHECKOUT, flags))) == count
    assert len(telemetry.points("duration")) == 3


def test_metrics_are_of_traces_too_that_are_not_sampled() -> None:
    telemetry = Telemetry(ALWAYS_OFF)
    assert telemetry.spans(CHECKOUT) == []
    assert len(telemetry.points("duration")) == 3


class NotTheTraces(Sampler):
    """Samples what is inside of the trace's span, and not that itself."""

    def should_sample(self, parent: Any, *_: Any, **__: Any) -> SamplingResult:
        return SamplingResult(Decision.RECORD_AND_SAMPLE if parent else Decision.DROP)

    def get_description(self) -> str:
        return "not the trace's"


def test_inside_a_span_that_is_not_sampled_no_more_are_made() -> None:
    assert Telemetry(NotTheTraces()).spans(CHECKOUT) == []


def test_without_an_sdk_nothing_happens(caplog: pytest.LogCaptureFixture) -> None:
    OpenTelemetrySink()(CHECKOUT)
    assert caplog.records == []


# Large traces.


def test_trace_that_is_small_enough_has_a_span_for_everything() -> None:
    small = replace(IMPORT, sends=tuple(saves(49)))
    spans = Telemetry().spans(small)
    assert len(spans) == 1 + 2 * 98
    assert "signal_trace.left_out" not in attributes_of(spans[0])


def test_slowest_of_like_sends_stands_for_all_where_there_are_too_many() -> None:
    spans = by_name(Telemetry().spans(IMPORT))
    assert tree(list(spans.values())) == {
        "import": None,
        "pre_save from shop.Line": "import",
        "shop.receivers.check": "pre_save from shop.Line",
        "post_save from shop.Line": "import",
        "shop.receivers.count_lines": "post_save from shop.Line",
    }
    assert attributes_of(spans["import"])["signal_trace.left_out"] == 2 * 479 - 2
    saved = attributes_of(spans["post_save from shop.Line"])
    assert saved["signal_trace.argument.instance"] == "shop.Line(pk=239)"
    assert saved["signal_trace.alike"] == 240
    assert saved["signal_trace.alike_ms"] == 2.892


@given(traces(), st.integers(1, 12))
@settings(max_examples=100)
def test_any_trace_has_its_spans_and_counts_the_others(trace: Trace, most: int) -> None:
    complaints: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = complaints.append  # type: ignore[method-assign]
    logging.getLogger("opentelemetry").addHandler(handler)
    try:
        spans = Telemetry(options={"max_spans": most}).spans(trace)
    finally:
        logging.getLogger("opentelemetry").removeHandler(handler)
    assert complaints == []
    assert len(spans) <= most
    ids = {span.context.span_id for span in spans if span.context}
    assert [span.parent for span in spans].count(None) == 1
    assert all(span.parent is None or span.parent.span_id in ids for span in spans)
    left_out = sum(
        attributes_of(span).get("signal_trace.left_out", 0) for span in spans
    )
    assert len(spans) - 1 + left_out == len(trace.sends) + len(trace.calls)
    for span in spans:
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time <= span.end_time


# Metrics.

ANNOUNCE = ("shop.receivers.announce", "django.db.models.signals.post_save")
STOCK = ("shop.receivers.take_from_stock", "django.db.models.signals.post_save")
MAILER = ("shop.receivers.Mailer.send", "shop.signals.order_placed")
RECOUNT = ("shop.receivers.recount", "django.db.models.signals.post_save")


def test_durations_are_measured_in_seconds_of_calls_that_finished() -> None:
    telemetry = Telemetry()
    telemetry.sink(CHECKOUT)
    telemetry.sink(CHECKOUT)
    points = telemetry.points("duration")
    assert {names: (point.count, point.sum) for names, point in points.items()} == {
        ANNOUNCE: (2, 0.014),
        STOCK: (2, 0.0001),
        MAILER: (2, 0.008),
    }
    assert points[ANNOUNCE].explicit_bounds[0] == 0.0001
    assert points[ANNOUNCE].explicit_bounds[-1] == 10
    assert list(points[ANNOUNCE].attributes) == [
        "code.function.name",
        "signal_trace.signal",
    ]


def test_measured_call_leads_to_its_trace() -> None:
    telemetry = Telemetry()
    (top, *_) = telemetry.spans(CHECKOUT)
    (exemplar,) = telemetry.points("duration")[ANNOUNCE].exemplars
    assert top.context is not None
    assert exemplar.trace_id == top.context.trace_id


def test_failures_are_counted_of_the_receivers_that_raised() -> None:
    telemetry = Telemetry()
    telemetry.sink(CHECKOUT)
    points = telemetry.points("failures")
    assert {names: point.value for names, point in points.items()} == {
        (*STOCK, "ValueError"): 1
    }


def test_receiver_that_an_exception_passed_through_has_not_failed() -> None:
    outer, inner = CHECKOUT.sends
    outer_call, inner_call = outer.calls[0], inner.calls[0]
    trace = replace(
        CHECKOUT,
        sends=(
            replace(outer, calls=(replace(outer_call, error=FAILURE),)),
            replace(inner, calls=(replace(inner_call, error=FAILURE),), error=FAILURE),
        ),
    )
    telemetry = Telemetry()
    spans = by_name(telemetry.spans(trace))
    assert list(telemetry.points("failures")) == [(*MAILER, "ValueError")]
    assert not spans["shop.receivers.announce"].status.is_ok
    assert spans["shop.receivers.announce"].events == ()


def test_what_is_beyond_max_sends_is_counted() -> None:
    telemetry = Telemetry()
    telemetry.sink(LARGE)
    omitted = telemetry.points("omitted")
    assert {names: point.value for names, point in omitted.items()} == {RECOUNT: 2400}
    assert RECOUNT not in telemetry.points("duration")
    failed = telemetry.points("failures")
    assert failed[(*RECOUNT, OTHER)].value == 1


def test_series_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_SERIES >= 100
    monkeypatch.setattr(opentelemetry, "MOST_SERIES", 3)
    telemetry = Telemetry()
    send = CHECKOUT.sends[0]
    call = replace(send.calls[0], error=None)
    for number in range(10):
        one = replace(send, calls=(replace(call, receiver=f"made.anew_{number}"),))
        telemetry.sink(replace(CHECKOUT, sends=(one,)))
    points = telemetry.points("duration")
    assert len(points) == 4
    assert points[OTHER, OTHER].count == 7


# Through OTLP, to where a collector would be.


@pytest.fixture
def exported() -> Iterator[Any]:
    """Send a trace from another thread, and give what arrives."""
    # These bring in `requests`, which is slow to import.
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
        OTLPMetricExporter,
    )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    with receive() as received:
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(f"{received.url}/v1/traces"))
        )
        reader = PeriodicExportingMetricReader(
            OTLPMetricExporter(f"{received.url}/v1/metrics")
        )
        meters = MeterProvider([reader], shutdown_on_exit=False)
        sink = OpenTelemetrySink(tracer_provider=tracers, meter_provider=meters)

        def export(trace: Trace) -> Any:
            thread = threading.Thread(target=sink, args=[trace])
            thread.start()
            thread.join()
            tracers.shutdown()
            meters.shutdown()
            return received

        yield export


def test_trace_arrives_at_a_collector(exported: Any) -> None:
    received = exported(inside_a_span(LARGE))
    spans = {span.name: span for span in received.spans}
    assert len(received.spans) == len(spans) == 7
    top = spans["signals"]
    assert top.parent_span_id.hex() == OUTER[SPAN_ID]
    assert {span.trace_id.hex() for span in received.spans} == {OUTER[TRACE_ID]}
    assert (top.start_time_unix_nano, top.end_time_unix_nano) == (
        sent_at(0),
        sent_at(20),
    )
    assert top.status.code == top.status.STATUS_CODE_ERROR
    assert [event.name for event in top.events] == ["signal_trace.finding"] * 2
    assert plain(top.attributes)["signal_trace.omitted"] == 2400
    stock = spans["shop.receivers.take_from_stock"]
    assert plain(stock.events[0].attributes)["exception.type"] == "ValueError"
    sent = spans["post_save from shop.Order"]
    assert stock.parent_span_id == sent.span_id
    assert sent.parent_span_id == top.span_id
    assert plain(sent.attributes)["signal_trace.not_called"] == [
        "shop.receivers.reindex"
    ]
    metrics = received.metrics
    assert {name: metric.unit for name, metric in metrics.items()} == {
        "signal_trace.receiver.duration": "s",
        "signal_trace.receiver.failures": "{call}",
        "signal_trace.receiver.omitted": "{call}",
    }
    points = metrics["signal_trace.receiver.duration"].histogram.data_points
    assert {
        plain(point.attributes)["code.function.name"]: point.sum for point in points
    } == {ANNOUNCE[0]: 0.007, STOCK[0]: 0.00005, MAILER[0]: 0.004}


# The recording and the settings.


def test_recording_takes_place_inside_the_current_span() -> None:
    telemetry = Telemetry()
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("x")
    with tracer.start_as_current_span("request") as outer:
        with signal_trace.record("work") as recording:
            pass
    (span,) = telemetry.spans(recording.trace)
    assert span.parent is not None
    assert span.parent.span_id == outer.get_span_context().span_id


@pytest.mark.parametrize("max_spans", [0, -1, 1.5, "many", None, True])
def test_number_of_spans_must_be_one(max_spans: Any) -> None:
    with pytest.raises(ValueError, match="no whole number from 1"):
        OpenTelemetrySink(max_spans)


def test_settings_name_it_by_its_short_path(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {
        "SINKS": [
            {
                "BACKEND": "signal_trace.sinks.OpenTelemetrySink",
                "OPTIONS": {"max_spans": 50},
            }
        ]
    }
    (sink,) = sinks.configured()
    assert isinstance(sink, OpenTelemetrySink)
    assert sink.max_spans == 50


@pytest.mark.parametrize("module", ["sinks", "sinks.opentelemetry"])
def test_check_says_how_to_install_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    from tests.test_checks import found

    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "signal_trace.sinks.opentelemetry")
    path = f"signal_trace.{module}.OpenTelemetrySink"
    settings.SIGNAL_TRACE = {"SINKS": [{"BACKEND": path}]}
    settings.MIDDLEWARE = ["signal_trace.middleware.SignalTraceMiddleware"]
    (message,) = found()
    assert message.id == "signal_trace.E003"
    assert message.msg == (
        f"SIGNAL_TRACE['SINKS'][0]: The sink {path!r} can't be imported: it needs"
        " OpenTelemetry, which isn't installed"
    )
    assert message.hint == "Run: pip install 'django-signal-trace[otel]'"


def test_core_neither_needs_nor_imports_it() -> None:
    import subprocess

    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import signal_trace.middleware, signal_trace.sinks\n"
        "with signal_trace.record() as recording: pass\n"
        "assert not recording.trace.attributes"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_module_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'FaxSink'"):
        sinks.FaxSink  # noqa: B018


def test_finding_without_known_evidence_is_at_the_traces_end() -> None:
    finding = Finding("near-miss", "t", "hint", "m", "a", (77,), ())
    (top,) = Telemetry().spans(replace(EMPTY, duration_ns=MS, findings=(finding,)))
    assert [event.timestamp for event in top.events] == [sent_at(1)]


def test_every_tracer_is_named_after_us() -> None:
    (span,) = Telemetry().spans(EMPTY)
    scope = span.instrumentation_scope
    assert scope is not None
    assert scope.name == "signal_trace"
    assert span.kind is api.SpanKind.INTERNAL
