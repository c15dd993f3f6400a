"""Real requests, with the spans that opentelemetry-instrumentation-django makes."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.missing import need_instrumentation

ROOT = Path(__file__).parents[2]
Span = dict[str, Any]

# The outer span's times are the wall clock's, ours are counted from one look at it: in
# so short a time the two clocks drift apart by less.
TOLERANCE_NS = 1_000_000


@functools.cache
def printed() -> str:
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.otel_requests"],
        cwd=ROOT,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    return finished.stdout


@pytest.fixture
def spans() -> list[Span]:
    need_instrumentation()
    found: list[Span] = json.loads(printed())
    return found


def requests(spans: list[Span]) -> dict[str, Span]:
    return {span["path"]: span for span in spans if span["kind"] == "SERVER"}


def below(spans: list[Span], top: Span) -> list[Span]:
    """All spans inside *top*, however deep."""
    nested: dict[int | None, list[Span]] = defaultdict(list)
    for span in spans:
        nested[span["parent"]].append(span)
    found = [top]
    for span in found:
        found += nested[span["id"]]
    return found[1:]


# Traced from outside of Django, from before the request's span to after it.
WHOLE = ["/send/whole/", "/asend/whole/"]
PATHS = [
    *("/send/sync/", "/send/called/", *WHOLE),
    *(f"/asend/n{n}/" for n in range(5)),
]


@pytest.mark.parametrize("path", PATHS)
def test_spans_are_inside_that_of_their_own_request(
    spans: list[Span], path: str
) -> None:
    request = requests(spans)[path]
    inside = below(spans, request)
    (signals,) = [span for span in inside if span["parent"] == request["id"]]
    assert signals["name"] == "signals"
    sender = "tests.senders." + path.split("/")[2]
    names = [span["name"] for span in inside if span is not signals]
    if path in WHOLE:
        # And what Django sends before and after.
        names = [name for name in names if sender in name or "app.receivers" in name]
    # Twice `opened` with two receivers, in each of which `closed` is sent to one.
    assert sorted(names) == sorted(
        [
            *([f"opened from {sender}"] * 2),
            *(["tests.app.receivers.close", "tests.app.receivers.close_later"] * 2),
            *([f"closed from {sender}"] * 4),
            *(["tests.app.receivers.note"] * 4),
        ]
    )
    assert {span["trace"] for span in inside} == {request["trace"]}


def test_every_span_has_its_place(spans: list[Span]) -> None:
    tops = requests(spans).values()
    assert len(tops) == len(PATHS)
    inside = [span for top in tops for span in below(spans, top)]
    assert len(inside) + len(tops) == len(spans)


def test_spans_nest_in_time(spans: list[Span]) -> None:
    known = {span["id"]: span for span in spans}
    for span in spans:
        outer = known.get(span["parent"])
        if outer is not None and outer["path"] not in WHOLE:
            slack = TOLERANCE_NS if outer["kind"] == "SERVER" else 0
            assert outer["start"] - slack <= span["start"], (outer, span)
            assert span["end"] <= outer["end"] + slack, (outer, span)


def test_a_callers_trace_goes_on(spans: list[Span]) -> None:
    request = requests(spans)["/send/called/"]
    assert request["trace"] == "0af7651916cd43dd8448eb211c80319c"
    assert len(below(spans, request)) == 15


def test_what_a_caller_has_not_sampled_has_no_spans(spans: list[Span]) -> None:
    assert spans
    assert not any(span["trace"].startswith("1af7") for span in spans)
