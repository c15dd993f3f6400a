"""The tables of docs/opentelemetry.md are complete, and its figures right."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import pytest

from signal_trace.sinks.opentelemetry import BOUNDS_S, MOST_SERIES, OpenTelemetrySink
from signal_trace.span_attributes import of_finding
from tests.sinks.test_opentelemetry import Telemetry
from tests.test_docs import tables, text_of
from tests.traces import CHECKOUT, IMPORT, LARGE, MS

PAGE = "docs/opentelemetry.md"


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
