"""OTLP/JSON: each line is one request of traces, as OpenTelemetry's specification of
OTLP in JSON, and that of its file exporter, have it.

Ids are hexadecimal, keys in camelCase and 64-bit integers strings. The spans are those
that `sinks.OpenTelemetrySink` sends, but all of them.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterable, Iterator
from json.encoder import encode_basestring

from signal_trace.documents import json_text
from signal_trace.parts import Call, Send
from signal_trace.span_attributes import SCHEMA, Attributes
from signal_trace.spans import Span, SpanEvent, outer_span, span_of, spans_inside
from signal_trace.trace import Trace

# OpenTelemetry's collector reads lines up to 1 MiB.
LONGEST_LINE = 500_000

INTERNAL = 1  # SpanKind
ERROR = 2  # StatusCode
INT64 = range(-(2**63), 2**63)


def pieces(traces: Iterable[Trace]) -> Iterator[str]:
    """The spans of a large trace are on several lines."""
    # As OpenTelemetry itself has it where nothing is set.
    service = os.environ.get("OTEL_SERVICE_NAME") or "unknown_service"
    opening = (
        '{"resourceSpans":[{"resource":{"attributes":['
        f'{_attribute("service.name", service)}]}},"scopeSpans":[{{'
        f'"scope":{{"name":"signal_trace"}},"schemaUrl":"{SCHEMA}","spans":['
    )
    for trace in traces:
        length = 0
        for text in _spans(trace):
            more = len(text if text.isascii() else text.encode())
            if length and length + more > LONGEST_LINE:
                yield "]}]}]}\n"
                length = 0
            yield f",{text}" if length else f"{opening}{text}"
            length += more
        yield "]}]}]}\n"


def _spans(trace: Trace) -> Iterator[str]:
    outer = outer_span(trace)
    trace_id = trace.id if outer is None else f"{outer.trace_id:032x}"
    ids = _SpanIds(trace)
    common = f'"traceId":"{trace_id}","kind":{INTERNAL}'
    if outer and outer.state:
        common += f',"traceState":{_string(outer.state)}'
    parent = f"{outer.span_id:016x}" if outer else ""
    yield _span(span_of(trace), common, ids.of(None), parent)
    for span in spans_inside(trace, _nodes(trace)):
        yield _span(span, common, ids.of(span.id), ids.of(span.around))


def _nodes(trace: Trace) -> Iterator[tuple[Send | Call, int | None]]:
    for send in trace.sends:
        yield send, send.parent
        for call in send.calls:
            yield call, send.id


class _SpanIds:
    """Ids of spans, the same each time that a trace is written."""

    def __init__(self, trace: Trace) -> None:
        digest = hashlib.blake2b(trace.id.encode(), digest_size=8).digest()
        self._first = int.from_bytes(digest)

    def of(self, id: int | None) -> str:
        # An odd factor gives each of its own, and spreads them.
        number = self._first + (id or 0) * 0x9E3779B97F4A7C15
        return f"{number % 2**64:016x}"


def _span(span: Span, common: str, id: str, around: str) -> str:
    text = f'{{{common},"spanId":"{id}","name":{_string(span.name)}'
    if around:
        text += f',"parentSpanId":"{around}"'
    text += (
        f',"startTimeUnixNano":"{span.start}","endTimeUnixNano":"{span.end}"'
        f',"attributes":[{_attributes(span.attributes)}]'
    )
    if span.events:
        text += f',"events":[{",".join(map(_event, span.events))}]'
    if span.error is not None:
        text += f',"status":{{"code":{ERROR},"message":{_string(str(span.error))}}}'
    return f"{text}}}"


def _event(event: SpanEvent) -> str:
    return (
        f'{{"timeUnixNano":"{event.at}","name":{_string(event.name)}'
        f',"attributes":[{_attributes(event.attributes)}]}}'
    )


def _attributes(attributes: Attributes) -> str:
    return ",".join(
        [
            _list_attribute(key, value)
            if type(value) is list
            else _attribute(key, value)
            for key, value in attributes.items()
        ]
    )


def _list_attribute(key: str, value: list[str]) -> str:
    items = ",".join([f'{{"stringValue":{_string(item)}}}' for item in value])
    return f'{{"key":{_string(key)},"value":{{"arrayValue":{{"values":[{items}]}}}}}}'


# Most attributes are the same on many spans. True is equal to 1, and another value.
@functools.lru_cache(maxsize=2_000, typed=True)
def _attribute(key: str, value: str | bool | int | float) -> str:
    return f'{{"key":{_string(key)},"value":{{{_value(value)}}}}}'


def _value(value: str | bool | int | float) -> str:
    if isinstance(value, str):
        return f'"stringValue":{_string(value)}'
    if isinstance(value, bool):
        return f'"boolValue":{"true" if value else "false"}'
    if isinstance(value, int):
        return f'"{"intValue" if value in INT64 else "stringValue"}":"{value}"'
    return f'"doubleValue":{json_text(value)}'


def _string(text: str) -> str:
    if not text.isascii():
        # What is no text, such as the name of a file in another encoding, is escaped:
        # protobuf takes no lone surrogates.
        text = text.encode("utf-8", "backslashreplace").decode()
    return encode_basestring(text)
