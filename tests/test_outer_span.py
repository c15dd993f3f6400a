from __future__ import annotations

import logging
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace as api
from opentelemetry.sdk.trace import TracerProvider

import signal_trace
from signal_trace import recording as recording_module
from signal_trace.outer_span import note_span

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE = 0x0AF7651916CD43DD8448EB211C80319C
SPAN = 0x00F067AA0BA902B7


def span(flags: int = 1, state: str = "") -> api.Span:
    return api.NonRecordingSpan(
        api.SpanContext(
            TRACE,
            SPAN,
            is_remote=False,
            trace_flags=api.TraceFlags(flags),
            trace_state=api.TraceState.from_header([state]),
        )
    )


@pytest.fixture
def tracer() -> Iterator[api.Tracer]:
    return TracerProvider(shutdown_on_exit=False).get_tracer("x")


def noted(attributes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in attributes.items() if key.startswith("otel")}


@pytest.mark.parametrize(
    ("flags", "state", "more"),
    [
        (1, "", {"otel.trace_flags": "01"}),
        (0, "", {"otel.trace_flags": "00"}),
        (3, "a=1", {"otel.trace_flags": "03", "otel.trace_state": "a=1"}),
    ],
)
def test_current_span_is_noted(flags: int, state: str, more: dict[str, str]) -> None:
    with api.use_span(span(flags, state)):
        with signal_trace.record(shop="north") as recording:
            pass
    assert recording.trace.attributes == {
        "shop": "north",
        "otel.trace_id": "0af7651916cd43dd8448eb211c80319c",
        "otel.span_id": "00f067aa0ba902b7",
        **more,
    }


def test_without_a_span_nothing_is_noted() -> None:
    with signal_trace.record() as recording:
        pass
    assert recording.trace.attributes == {}


def test_span_that_the_recording_began_in_counts(tracer: api.Tracer) -> None:
    recording = signal_trace.record()
    with api.use_span(span()):
        recording.__enter__()
        with tracer.start_as_current_span("inner"):
            recording.__exit__(None, None, None)
    assert recording.trace.attributes["otel.span_id"] == "00f067aa0ba902b7"


def test_span_that_began_inside_and_goes_on_is_noted_at_the_end() -> None:
    recording = signal_trace.record()
    recording.__enter__()
    with api.use_span(span()):
        recording.__exit__(None, None, None)
    assert recording.trace.attributes["otel.span_id"] == "00f067aa0ba902b7"


def test_span_that_began_and_ended_inside_is_not_the_outer_one() -> None:
    with signal_trace.record() as recording:
        with api.use_span(span()):
            pass
    assert recording.trace.attributes == {}


def test_each_call_of_a_decorated_function_has_its_own(tracer: api.Tracer) -> None:
    recording = signal_trace.record()

    @recording
    def work() -> None: ...

    found = []
    for name in ("first", "second"):
        with tracer.start_as_current_span(name) as outer:
            work()
        ours = recording.trace.attributes["otel.span_id"]
        assert ours == f"{outer.get_span_context().span_id:016x}"
        found.append(ours)
    assert len(set(found)) == 2
    assert recording.attributes == {}


def test_module_that_is_being_imported_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    half = types.ModuleType("opentelemetry.trace")
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", half)
    attributes: dict[str, Any] = {}
    note_span(attributes)
    assert attributes == {}
    assert caplog.records == []


def test_span_that_raises_does_not_reach_the_application(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> api.Span:
        raise RuntimeError("no context")

    monkeypatch.setattr(recording_module, "_reported", set())
    monkeypatch.setattr(api, "get_current_span", fail)
    with signal_trace.record() as recording:
        pass
    assert recording.trace.attributes == {}
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("signal_trace.bugs", logging.ERROR)
