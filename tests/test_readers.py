"""The exports of the demo's largest traces, opened by those that they are for."""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from google.protobuf.json_format import ParseDict
from jsonschema import Draft7Validator, Draft202012Validator
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from signal_trace import Trace, exports, json_lines
from signal_trace.parts import Send
from tests.exports.trace_schema import PATH
from tests.reading import download, open_panel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.conftest import DemoServer

pytestmark = pytest.mark.browser

# With the most sends and calls; and with receivers that run at the same time.
PAGES = ("/trouble/repeated-call/", "/checkout/")


class Span(NamedTuple):
    """What has a name and a time, in nanoseconds, and what it is in."""

    name: str
    start: int
    end: int
    around: Span | None

    def when(self) -> tuple[str, int, int]:
        return self[:3]

    def how_long(self) -> tuple[str, int]:
        return self.name, self.end - self.start


def spans_of(trace: Trace) -> list[Span]:
    """Those that any reader should find in a trace."""
    whole = Span(trace.name, 0, trace.duration_ns, None)
    known: dict[int | None, Span] = {None: whole}
    for send in trace.sends:
        known[send.id] = _span(trace, send, known[send.parent])
        for call in send.calls:
            known[call.id] = _span(trace, call, known[send.id])
    return list(known.values())


def _span(trace: Trace, node: Any, around: Span) -> Span:
    if isinstance(node, Send):
        signal = node.signal.rpartition(".")[2]
        name = f"{signal} from {node.sender.partition('(')[0]}"
    else:
        name = node.receiver
    return Span(name, node.start_ns, trace.end_of(node), around)


@pytest.fixture(params=PAGES)
def exported(
    request: pytest.FixtureRequest, page: Page, demo_server: DemoServer
) -> dict[str, Path]:
    """The files that the panel's menu gives, by format."""
    page.goto(f"{demo_server.url}{request.param}")
    page.locator("main form").get_by_role("button").first.click()
    page.wait_for_load_state()
    panel = open_panel(page)
    return {name: download(page, panel, name) for name in exports.FORMATS}


def in_speedscope(page: Page, app: Path, file: Path) -> list[dict[str, Any]]:
    """What speedscope has made of a file: profiles as it saves them itself, and their
    frames by name."""
    page.goto("about:blank")
    page.goto(app.as_uri())
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_text("Sandwich").wait_for()
    with page.expect_download() as saving:
        page.keyboard.press("Control+s")
    saved = json.loads(saving.value.path().read_text())
    frames = saved["shared"]["frames"]
    for profile in saved["profiles"]:
        for event in profile["events"]:
            event["frame"] = frames[event["frame"]]
    found: list[dict[str, Any]] = saved["profiles"]
    return found


def shown(profile: dict[str, Any], ns: int) -> list[Span]:
    """The spans of a profile, of which a unit is so many nanoseconds."""
    found: list[list[Any]] = []
    waiting: list[int] = []
    for event in profile["events"]:
        at = round(event["at"] * ns)
        if event["type"] == "C":
            found[waiting.pop()][2] = at
            continue
        # Of trace events it shows the details behind the name.
        name = event["frame"]["name"].partition(' {"data"')[0]
        found.append([name, at, None, waiting[-1] if waiting else None])
        waiting.append(len(found) - 1)
    assert not waiting
    spans: list[Span] = []
    for name, start, end, around in found:
        spans.append(Span(name, start, end, None if around is None else spans[around]))
    return spans


def test_speedscope_shows_the_trace_in_true_time(
    page: Page, exported: dict[str, Path], speedscope: Path
) -> None:
    trace = Trace.load(exported["json"])
    expected = spans_of(trace)
    schema = json.loads((speedscope.parent / "file-format-schema.json").read_text())
    Draft7Validator(schema).validate(json.loads(exported["speedscope"].read_text()))
    profiles = in_speedscope(page, speedscope, exported["speedscope"])
    found = [shown(profile, 1) for profile in profiles]
    assert Counter(one.when() for spans in found for one in spans) == Counter(
        one.when() for one in expected
    )
    assert found[0][0] == expected[0]
    assert inside(found, Span.when) <= inside([expected], Span.when)
    # What is not drawn inside of its cause ran while something else of that did.
    for outermost in [one for spans in found for one in spans if not one.around][1:]:
        (cause,) = [one.around for one in expected if one.when() == outermost.when()]
        assert any(
            one.start < outermost.end and outermost.start < one.end
            for one in expected
            if one.around == cause and one.when() != outermost.when()
        )
    assert (len(found) > 1) == (trace.name == "POST /checkout/")


def test_speedscope_shows_the_trace_from_trace_events(
    page: Page, exported: dict[str, Path], speedscope: Path
) -> None:
    trace = Trace.load(exported["json"])
    expected = spans_of(trace)
    profiles = in_speedscope(page, speedscope, exported["perfetto"])
    found = [shown(profile, 1000) for profile in profiles]
    assert found[0][0] == expected[0]
    # It shows each track from its first event on, so that only durations are the same.
    assert Counter(one.how_long() for spans in found for one in spans) == Counter(
        one.how_long() for one in expected
    )
    assert inside(found, Span.how_long) <= inside([expected], Span.how_long)
    assert (len(found) > 1) == (trace.name == "POST /checkout/")


def inside(found: list[list[Span]], told: Callable[[Span], Any]) -> Counter[Any]:
    """What each of the spans that are nested is, and what it is nested in."""
    return Counter(
        (told(one), told(one.around)) for spans in found for one in spans if one.around
    )


def test_opentelemetry_reads_the_trace(exported: dict[str, Path]) -> None:
    trace = Trace.load(exported["json"])
    spans = []
    for line in exported["otlp"].read_text().removesuffix("\n").split("\n"):
        document = json.loads(line)
        for span in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            # OTLP has ids in hexadecimal; other bytes in protobuf's JSON are in base64.
            for key in {"traceId", "spanId", "parentSpanId"} & span.keys():
                span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
        request = ParseDict(document, ExportTraceServiceRequest())
        spans += request.resource_spans[0].scope_spans[0].spans
    first, *_ = spans
    began = first.start_time_unix_nano
    assert began == round(trace.started_at.timestamp() * 1_000_000) * 1000
    known: dict[bytes, Span] = {}
    for span in spans:
        start, end = (
            at - began for at in (span.start_time_unix_nano, span.end_time_unix_nano)
        )
        name = trace.name if span is first else span.name
        known[span.span_id] = Span(name, start, end, known.get(span.parent_span_id))
    assert list(known.values()) == spans_of(trace)
    assert {span.trace_id.hex() for span in spans} == {trace.id}


def test_the_document_is_what_the_schema_says(exported: dict[str, Path]) -> None:
    document = json.loads(exported["json"].read_text())
    Draft202012Validator(json.loads(PATH.read_text())).validate(document)
    trace = Trace.from_dict(document)
    with exported["jsonl"].open("rb") as file:
        assert list(json_lines.read(file)) == [trace]
