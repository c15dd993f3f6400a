"""What docs/staging.md tells people to paste works, and its tables are complete."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from signal_trace.sinks.opentelemetry import BOUNDS_S, MOST_SERIES, OpenTelemetrySink
from signal_trace.sinks.span_attributes import of_finding
from tests.missing import need_instrumentation
from tests.otlp import Received, receive
from tests.sinks.test_opentelemetry import Telemetry
from tests.test_docs import blocks, tables, text_of
from tests.traces import CHECKOUT, IMPORT, LARGE, MS

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "docs/staging.md"

# As servers do it, each in its way.
UNDER_WSGI = """
from wsgiref.util import setup_testing_defaults
from mysite.wsgi import application
environ = {"PATH_INFO": "/admin/login/"}
setup_testing_defaults(environ)
for part in application(environ, lambda status, headers: print(status)):
    pass
"""
UNDER_ASGI = """
import asyncio, os
from mysite.asgi import application

async def talk(scope, *messages):
    waiting, answers = list(messages), []

    async def receive():
        if not waiting:
            await asyncio.Event().wait()  # The client stays.
        return waiting.pop(0)

    async def send(message):
        answers.append(message)

    await application(scope, receive, send)
    return answers

async def main():
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1",
        "method": "GET", "scheme": "http", "path": "/admin/login/",
        "raw_path": b"/admin/login/", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    print((await talk(scope, {"type": "http.request", "body": b""}))[0]["status"])
    life = [{"type": f"lifespan.{event}"} for event in ("startup", "shutdown")]
    answers = await talk({"type": "lifespan"}, *life)
    print([answer["type"] for answer in answers], flush=True)

asyncio.run(main())
os._exit(0)  # As after a signal: no exit handlers run.
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A new project, with what the page says pasted into it."""
    need_instrumentation()
    run(tmp_path, "-m", "django", "startproject", "mysite", ".")
    found = {file: block for file, block in blocks(PAGE, "python") if file}
    assert list(found) == ["settings.py", "telemetry.py", "wsgi.py", "asgi.py"]
    for file, block in found.items():
        mode = "a" if file == "settings.py" else "w"
        with (tmp_path / "mysite" / file).open(mode) as opened:
            opened.write(f"\n{block}")
    run(tmp_path, "manage.py", "migrate", "--verbosity=0")
    return tmp_path


def run(folder: Path, *command: str, **variables: str) -> str:
    finished = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "mysite.settings"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    return finished.stdout


def send_one(project: Path, code: str) -> tuple[str, Received]:
    with receive() as received:
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
            "OTEL_SERVICE_NAME": "mysite",
        }
        return run(project, "-c", code, **variables), received


def expect_one_request(received: Received) -> None:
    by_id = {span.span_id: span for span in received.spans}
    (request,) = [span for span in by_id.values() if span.kind == span.SPAN_KIND_SERVER]
    (signals,) = [span for span in by_id.values() if span.name == "signals"]
    assert signals.parent_span_id == request.span_id
    assert signals.trace_id == request.trace_id
    inside = [span for span in by_id.values() if span not in (request, signals)]
    assert all(span.parent_span_id in by_id for span in inside)


def test_spans_arrive_under_wsgi_as_the_page_says(project: Path) -> None:
    printed, received = send_one(project, UNDER_WSGI)
    assert printed == "200 OK\n"
    expect_one_request(received)


def test_spans_arrive_under_asgi_as_the_page_says(project: Path) -> None:
    printed, received = send_one(project, UNDER_ASGI)
    assert printed.splitlines() == [
        "200",
        "['lifespan.startup.complete', 'lifespan.shutdown.complete']",
    ]
    expect_one_request(received)


def test_system_checks_have_nothing_against_it(project: Path) -> None:
    assert "no issues" in run(project, "manage.py", "check")


# The tables.


def keys(name: str) -> set[str]:
    """The names in a table's first column; what ends with … stands for many."""
    return set(tables(PAGE)[name])


def sent() -> dict[str, set[str]]:
    """The attributes of the spans of traces that have everything."""
    first = CHECKOUT.sends[0]
    everything = replace(
        LARGE,
        attributes={**CHECKOUT.attributes, "route": "checkout/", "user": "anna"},
        sends=(
            *LARGE.sends,
            replace(
                first,
                id=50,
                signal="x.unfinished",
                duration_ns=None,
                on_commit=True,
                calls=(),
                start_ns=13 * MS,
            ),
        ),
    )
    found: dict[str, set[str]] = {"trace": set(), "send": set(), "call": set()}
    for span in [
        *Telemetry().spans(everything),
        *Telemetry().spans(IMPORT),
        *Telemetry(options={"max_spans": 2}).spans(CHECKOUT),
    ]:
        kind = "call"
        if span.parent is None:
            kind = "trace"
        elif " from " in span.name:
            kind = "send"
        for key in span.attributes or {}:
            for many in ("signal_trace.attribute.", "signal_trace.argument."):
                if key.startswith(many):
                    key = f"{many}…"
            found[kind].add(key)
    return found


# Which any span may have, and which the page describes once.
ANYWHERE = {"error.type", "signal_trace.left_out"}


@pytest.mark.parametrize("kind", ["trace", "send", "call"])
def test_every_attribute_is_documented(kind: str) -> None:
    heading = {"trace": "of the trace's span"}.get(kind, f"of a {kind}'s span")
    assert sent()[kind] - ANYWHERE == keys(heading) - ANYWHERE
    assert keys("of the trace's span") >= ANYWHERE


def test_every_attribute_of_a_finding_is_documented() -> None:
    assert keys("of a finding") == set(of_finding(CHECKOUT.findings[0]))


def test_every_metric_is_documented_with_kind_and_unit() -> None:
    telemetry = Telemetry()
    telemetry.sink(LARGE)
    data: Any = telemetry.reader.get_metrics_data()
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    documented = {name: cells[0] for name, cells in tables(PAGE)["metric"].items()}
    kinds = {"Histogram": "histogram", "Sum": "counter"}
    assert documented == {
        metric.name: f"{kinds[type(metric.data).__name__]}, `{metric.unit}`"
        for metric in metrics
    }


def test_every_option_is_documented_with_its_default() -> None:
    documented = {
        name: cells[0].strip("`") for name, cells in tables(PAGE)["option"].items()
    }
    parameters = inspect.signature(OpenTelemetrySink).parameters
    assert documented == {name: str(one.default) for name, one in parameters.items()}


def test_figures_of_the_metrics_are_right() -> None:
    text = text_of(PAGE)
    assert (BOUNDS_S[0], BOUNDS_S[-1], len(BOUNDS_S)) == (0.0001, 10, 16)
    assert "from 0.1 ms to 10 s in 16 steps" in text
    assert f"{MOST_SERIES:,} series" in text.replace("\n", " ")
