from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from signal_trace.aggregates import Aggregate, by_app, by_receiver, by_signal
from signal_trace.parts import SWALLOWED, Omitted, OmittedCalls, Queries
from signal_trace.trace import Trace
from tests.findings.building import MODELS, error, failed, ran, saved, sent, traced
from tests.traces import EMPTY, MS, traces

SAVED = f"{MODELS}.post_save"
QUERIES = Queries(count=2, duration_ns=MS, nested_count=7, nested_ns=7 * MS)

INNER = sent(
    "shop.placed",
    ran("note", ms=3, app="audit"),
    failed("label", SWALLOWED, app="shop"),
    hop_ms=0.5,
)
TRACE = traced(
    saved(1, ran("announce", INNER, ms=2, queries=QUERIES, app="shop")),
    saved(2, ran("announce", ms=1, app="shop"), error=error()),
)


def test_calls_are_added_up_by_receiver() -> None:
    assert by_receiver(TRACE) == [
        Aggregate(
            name="shop.receivers.announce",
            count=2,
            total_ns=round(7.5 * MS),
            self_ns=3 * MS,
            max_ns=round(6.5 * MS),
            queries=2,
            queries_ns=MS,
            failures=0,
        ),
        Aggregate("shop.receivers.note", 1, 3 * MS, 3 * MS, 3 * MS, 0, 0, 0),
        Aggregate("shop.receivers.label", 1, MS, MS, MS, 0, 0, 1),
    ]


def test_sends_are_added_up_by_signal() -> None:
    inner = round(4.5 * MS)
    assert by_signal(TRACE) == [
        Aggregate(
            SAVED, 2, round(7.5 * MS), 3 * MS, round(6.5 * MS), 2, MS, failures=0
        ),
        Aggregate("shop.placed", 1, inner, 4 * MS, inner, 0, 0, failures=1),
    ]


def test_calls_are_added_up_by_app() -> None:
    shop, audit = by_app(TRACE)
    assert (shop.name, shop.count, shop.self_ns) == ("shop", 3, 4 * MS)
    assert (audit.name, audit.count, audit.self_ns) == ("audit", 1, 3 * MS)


def test_what_was_left_out_is_added_too() -> None:
    calls = OmittedCalls(
        receiver="shop.receivers.announce",
        file=None,
        line=None,
        count=10,
        failures=4,
        total_ns=50 * MS,
        self_ns=40 * MS,
        max_ns=20 * MS,
        queries=30,
        queries_ns=5 * MS,
        app="shop",
    )
    one = Omitted(SAVED, "shop.Order", 8, 3, 60 * MS, 25 * MS, 0, (calls,))
    trace = replace(TRACE, omitted=(one, replace(one, sender="shop.Line")))
    of_receiver = by_receiver(trace)[0]
    assert of_receiver == Aggregate(
        name="shop.receivers.announce",
        count=22,
        total_ns=round(107.5 * MS),
        self_ns=83 * MS,
        max_ns=20 * MS,
        queries=62,
        queries_ns=11 * MS,
        failures=8,
    )
    of_signal = by_signal(trace)[0]
    assert of_signal == replace(
        of_receiver, name=SAVED, count=18, total_ns=round(127.5 * MS), max_ns=25 * MS
    )
    of_app = by_app(trace)[0]
    assert (of_app.name, of_app.count, of_app.failures) == ("shop", 23, 9)


def test_what_never_finished_counts_without_time() -> None:
    hanging = ran("hangs", duration_ns=None, self_ns=None)
    trace = traced(sent("shop.placed", hanging, duration_ns=None))
    [of_receiver], [of_signal] = by_receiver(trace), by_signal(trace)
    assert of_receiver == Aggregate("shop.receivers.hangs", 1, 0, 0, 0, 0, 0, 0)
    assert of_signal == Aggregate("shop.placed", 1, 0, 0, 0, 0, 0, 0)


def test_nothing_adds_up_to_nothing() -> None:
    assert by_receiver(EMPTY) == by_signal(EMPTY) == by_app(EMPTY) == []


@pytest.mark.slow
@given(traces())
def test_sums_agree_with_each_other_and_with_the_trace(trace: Trace) -> None:
    receivers, signals, apps = by_receiver(trace), by_signal(trace), by_app(trace)
    assert sum(one.count for one in receivers) == trace.call_count
    assert sum(one.count for one in apps) == trace.call_count
    assert sum(one.count for one in signals) == trace.send_count
    for field in ("self_ns", "queries", "queries_ns", "failures"):
        sums = {
            sum(getattr(one, field) for one in aggregates)
            for aggregates in (receivers, signals, apps)
        }
        assert len(sums) == 1
    assert [one.self_ns for one in receivers] == sorted(
        (one.self_ns for one in receivers), reverse=True
    )
    assert [one.total_ns for one in signals] == sorted(
        (one.total_ns for one in signals), reverse=True
    )
