from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from signal_trace import exports
from signal_trace.exports import otlp
from signal_trace.outer_span import SPAN_ID, TRACE_FLAGS, TRACE_ID, TRACE_STATE
from signal_trace.trace import Trace
from tests.otlp import plain
from tests.sinks.test_opentelemetry import Telemetry
from tests.traces import CHECKOUT, EMPTY, IMPORT, LARGE, traces

IDS = ("traceId", "spanId", "parentSpanId")


def text_of(*several: Trace) -> str:
    return "".join(exports.get("otlp").pieces(several))


def requests(text: str) -> list[Any]:
    """What OpenTelemetry's own classes read in each line."""
    found = []
    # Not `splitlines`, which has other ends of lines besides.
    for line in text.removesuffix("\n").split("\n"):
        document = json.loads(line)
        # OTLP has ids in hexadecimal; other bytes in protobuf's JSON are in base64.
        for span in spans_of(document):
            for key in span.keys() & set(IDS):
                span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
        found.append(ParseDict(document, ExportTraceServiceRequest()))
    return found


def spans_of(document: Any) -> list[Any]:
    return [
        span
        for resource in document["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def spans(*several: Trace) -> list[Any]:
    return [
        span
        for request in requests(text_of(*several))
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def told(span: Any, names: dict[Any, str]) -> Any:
    """What is known of a span that was read, as of one of the SDK."""
    return (
        span.name,
        names.get(span.parent_span_id),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        plain(span.attributes),
        [
            (event.name, event.time_unix_nano, plain(event.attributes))
            for event in span.events
        ],
        (span.status.code, span.status.message),
    )


def as_sent(trace: Trace) -> list[Any]:
    """The same of what the sink sends of a trace."""
    sent = Telemetry(options={"max_spans": 1_000_000}).spans(trace)
    names = {span.context.span_id: span.name for span in sent if span.context}
    return [
        (
            span.name,
            names.get(span.parent.span_id) if span.parent else None,
            span.start_time,
            span.end_time,
            as_read(span.attributes),
            [
                (event.name, event.timestamp, as_read(event.attributes))
                for event in span.events
            ],
            (2 if span.status.description else 0, span.status.description or ""),
        )
        for span in sent
    ]


def as_read(attributes: Any) -> dict[str, Any]:
    return {
        key: list(value)
        if type(value) is tuple
        else value
        if type(value) is not int or -(2**63) <= value < 2**63
        else str(value)
        for key, value in (attributes or {}).items()
    }


@pytest.mark.slow
@given(traces())
def test_spans_that_are_read_are_those_that_the_sink_sends(trace: Trace) -> None:
    # OTLP has no time before 1970.
    trace = replace(trace, started_at=CHECKOUT.started_at)
    found = spans(trace)
    names = {span.span_id: span.name for span in found}
    written = [told(span, names) for span in found]
    assert sorted(written, key=str) == sorted(as_sent(trace), key=str)


def test_known_trace_is_read_as_it_is_sent() -> None:
    for trace in (CHECKOUT, LARGE, EMPTY):
        found = spans(trace)
        names = {span.span_id: span.name for span in found}
        written = [told(span, names) for span in found]
        assert sorted(written, key=str) == sorted(as_sent(trace), key=str)


def test_ids_times_and_counts_are_written_as_the_specification_has_them() -> None:
    document = json.loads(text_of(CHECKOUT))
    (resource,) = document["resourceSpans"]
    assert resource["resource"]["attributes"] == [
        {"key": "service.name", "value": {"stringValue": "unknown_service"}}
    ]
    top, post_save, announce, *_ = spans_of(document)
    assert top["traceId"] == CHECKOUT.id
    assert "parentSpanId" not in top
    assert post_save["parentSpanId"] == top["spanId"]
    assert announce["parentSpanId"] == post_save["spanId"]
    assert len(bytes.fromhex(announce["spanId"])) == 8
    assert announce["startTimeUnixNano"] == "1767323045002000000"
    assert announce["kind"] == 1
    assert {"key": "signal_trace.queries", "value": {"intValue": "3"}} in (
        announce["attributes"]
    )
    assert {"key": "signal_trace.async", "value": {"boolValue": False}} in (
        announce["attributes"]
    )
    assert post_save["status"] == {"code": 2, "message": "ValueError: no stock"}


def test_span_ids_are_the_same_each_time_and_differ_between_traces() -> None:
    first = [span.span_id for span in spans(IMPORT)]
    assert first == [span.span_id for span in spans(IMPORT)]
    other = [span.span_id for span in spans(replace(IMPORT, id="f" * 32))]
    assert len({*first, *other}) == len(first) + len(other)


def test_trace_of_a_span_goes_on_under_it() -> None:
    outer = {
        TRACE_ID: "a" * 32,
        SPAN_ID: "b" * 16,
        TRACE_FLAGS: "01",
        TRACE_STATE: "vendor=x",
    }
    trace = replace(CHECKOUT, attributes=CHECKOUT.attributes | outer)
    first, *others = spans(trace)
    assert first.parent_span_id.hex() == "b" * 16
    assert first.name == "signals"
    assert {one.trace_id.hex() for one in (first, *others)} == {"a" * 32}
    assert {one.trace_state for one in (first, *others)} == {"vendor=x"}


def test_service_has_the_name_that_the_environment_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", 'shop "1"')
    (request,) = requests(text_of(CHECKOUT))
    resource = request.resource_spans[0].resource
    assert plain(resource.attributes) == {"service.name": 'shop "1"'}


def test_each_trace_begins_a_line() -> None:
    first, second = requests(text_of(CHECKOUT, EMPTY))
    assert len(first.resource_spans[0].scope_spans[0].spans) == 7
    assert len(second.resource_spans[0].scope_spans[0].spans) == 1


def test_large_trace_is_on_lines_that_a_collector_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = spans(IMPORT)
    monkeypatch.setattr(otlp, "LONGEST_LINE", 10_000)
    lines = text_of(IMPORT).splitlines()
    assert len(lines) > 10
    assert max(map(len, lines)) < 11_000
    assert spans(IMPORT) == whole


def test_lines_are_no_longer_in_bytes_where_names_are_not_ascii(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(otlp, "LONGEST_LINE", 20_000)
    sends = tuple(replace(send, sender="注文" * 1_000) for send in IMPORT.sends)
    lines = text_of(replace(IMPORT, sends=sends)).encode().splitlines()
    assert max(map(len, lines)) < 21_000


def test_what_is_no_text_or_no_integer_of_64_bits_is_a_text_that_tells_it() -> None:
    trace = replace(
        CHECKOUT, attributes={"file": "caf\udce9", "large": 2**63, "small": -(2**63)}
    )
    top, *_ = spans(trace)
    attributes = plain(top.attributes)
    assert attributes["signal_trace.attribute.file"] == r"caf\udce9"
    assert attributes["signal_trace.attribute.large"] == str(2**63)
    assert attributes["signal_trace.attribute.small"] == -(2**63)


def test_nothing_of_opentelemetry_is_needed() -> None:
    code = """
import sys
sys.modules["opentelemetry"] = None
from signal_trace import Trace
print(Trace.from_json(sys.stdin.read()).export("otlp"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=CHECKOUT.to_json(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == text_of(CHECKOUT).strip()
