"""Real servers under load: each request that is kept is in the file, in the log and in
the spans exactly once, and whole."""

from __future__ import annotations

from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.load import seen
from tests.load.serving import GUNICORN, UVICORN, Server, seed, serve, wait_for
from tests.load.visits import CALLER, Answer, Visits, visit
from tests.missing import need_instrumentation
from tests.otlp import Received, plain, receive

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

REQUESTS = 72
# Every so many requests one is no checkout: nothing fails in it, and it isn't kept.
LOOKS = 6

# By the middleware alone, or as a whole.
FOUR = f"{GUNICORN} --workers=4"
SERVERS = {
    "sync": f"{FOUR} tests.load.wsgi:application",
    "sync, preloaded": f"{FOUR} --preload tests.load.wsgi:whole",
    "threads": f"{FOUR} --threads=2 tests.load.wsgi:whole",
    "threads, preloaded": f"{FOUR} --threads=2 --preload tests.load.wsgi:application",
    "uvicorn": f"{UVICORN} tests.load.asgi:whole",
    "uvicorn, two workers": f"{UVICORN} --workers=2 tests.load.asgi:application",
}


@dataclass(frozen=True)
class Loaded:
    """A server that has ended, and what it has done."""

    server: Server
    received: Received
    answers: list[Answer]

    @property
    def kept(self) -> list[Answer]:
        return [one for one in self.answers if is_checkout(one.number)]


def is_checkout(number: int) -> bool:
    return number % LOOKS != 0


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Loaded]]:
    """All servers at once, so that none has the machine for itself."""
    need_instrumentation()
    folder = tmp_path_factory.mktemp("load")
    seeded = seed(folder)
    with ExitStack() as stack:
        served = []
        for name, command in SERVERS.items():
            received = stack.enter_context(receive())
            own = folder / name
            file = {"path": str(own / "traces.jsonl")}
            tracing = {
                "SAMPLE_RATE": 0,
                "KEEP": {"failed": True},
                "SINKS": [
                    {"BACKEND": "signal_trace.sinks.FileSink", "OPTIONS": file},
                    {"BACKEND": "signal_trace.sinks.LogSink"},
                    {"BACKEND": "signal_trace.sinks.OpenTelemetrySink"},
                ],
            }
            variables = {
                "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
                "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
            }
            server = serve(command, own, seeded, tracing, **variables)
            served.append((name, stack.enter_context(server), received))
        for _, server, _ in served:
            wait_for(server)
        with ThreadPoolExecutor() as pool:
            all_answers = list(pool.map(load, served))
            list(pool.map(lambda one: one[1].stop(), served))
        yield {
            name: Loaded(server, received, answers)
            for (name, server, received), answers in zip(
                served, all_answers, strict=True
            )
        }


def load(one: tuple[str, Server, Received]) -> list[Answer]:
    name, server, _ = one
    path = "/checkout/async/" if name.startswith("uvicorn") else "/checkout/"

    def look_or_buy(port: int, number: int) -> Answer:
        method = "POST" if is_checkout(number) else "GET"
        return visit(port, number, path, method)

    return Visits(server.port, range(1, REQUESTS + 1), look_or_buy).answers()


@pytest.fixture(params=SERVERS)
def one(request: pytest.FixtureRequest, loaded: dict[str, Loaded]) -> Loaded:
    return loaded[request.param]


def test_every_request_is_answered(one: Loaded) -> None:
    assert {answer.status for answer in one.answers} == {200}, one.server.output
    assert len(one.kept) == REQUESTS - REQUESTS // LOOKS
    assert set(seen.named_in(one.answers).values()) == {1}
    assert one.server.output == ""
    assert seen.said(one.server) == 0


def test_every_kept_request_is_a_line_of_the_file_and_has_its_own_sends(
    one: Loaded,
) -> None:
    traces = seen.traces(one.server.folder / "traces.jsonl")
    assert seen.ids_of(traces) == seen.named_in(one.kept)
    by_id = {trace.id: trace for trace in traces}
    orders = seen.orders(one.server.folder)
    for answer in one.kept:
        trace = by_id[str(answer.trace)]
        assert trace.attributes["traceparent"] == answer.traceparent
        assert seen.orders_named(trace.to_json()) == {orders[str(answer.order)]}
    shapes = Counter(str(seen.shape(trace)) for trace in traces)
    assert len(shapes) == 1, shapes


def test_every_kept_request_is_a_record_of_the_log(one: Loaded) -> None:
    records = seen.summaries(one.server)
    ids = Counter(record["signal_trace_id"] for record in records)
    assert ids == seen.named_in(one.kept)
    assert len(one.server.log) == len(records)
    by_id = {record["signal_trace_id"]: record for record in records}
    for answer in one.kept:
        record = by_id[str(answer.trace)]
        attributes = record["signal_trace_attributes"]
        assert attributes["traceparent"] == answer.traceparent
        assert record["signal_trace_failures"] == 1
    sends = {record["signal_trace_sends"] for record in records}
    assert len(sends) == 1, sends


def test_every_kept_request_is_a_tree_of_spans(one: Loaded) -> None:
    orders = seen.orders(one.server.folder)
    by_trace: dict[str, list[Any]] = defaultdict(list)
    for span in one.received.spans:
        by_trace[span.trace_id.hex()].append(span)
    tops = {
        plain(span.attributes)["signal_trace.id"]: span
        for span in one.received.spans
        if span.name == "signals"
    }
    assert Counter(tops.keys()) == seen.named_in(one.kept)
    shapes: Counter[str] = Counter()
    for answer in one.answers:
        spans = by_trace.pop(answer.id)
        (request,) = [span for span in spans if span.kind == span.SPAN_KIND_SERVER]
        assert request.parent_span_id.hex() == CALLER
        spans.remove(request)
        top = tops.get(str(answer.trace))
        if top is None:
            assert spans == []
            continue
        assert top.parent_span_id == request.span_id
        by_id = {span.span_id: span for span in spans}
        assert len(by_id) == len(spans)
        del by_id[top.span_id]
        inside = list(by_id.values())
        assert {span.parent_span_id for span in inside} <= {top.span_id, *by_id}
        told = str([plain(span.attributes) for span in inside])
        assert seen.orders_named(told) == {orders[str(answer.order)]}
        assert plain(top.attributes)["signal_trace.attribute.traceparent"] == (
            answer.traceparent
        )
        shapes[str(sorted(span.name.partition(" from ")[0] for span in inside))] += 1
    assert by_trace == {}
    assert len(shapes) == 1, shapes
