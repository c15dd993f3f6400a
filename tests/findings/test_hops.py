from __future__ import annotations

from typing import Any

import pytest

from signal_trace.parts import HINT
from tests.findings.building import Sent, found, only, ran, sent, traced
from tests.traces import MS

PAID = "shop.signals.order_paid"
SYNC, ASYNC = "sync-receiver-in-asend", "async-receiver-in-send"


def hopping(method: str = "asend", *, hop_ms: float = 0.5, **facts: Any) -> Sent:
    is_async = not method.startswith("a")
    receiver = ran("index", is_async=is_async, ms=2)
    same = ran("other", is_async=not is_async)
    signal = facts.pop("signal", PAID)
    return sent(signal, receiver, same, method=method, hop_ms=hop_ms, **facts)


def test_sync_receivers_in_asend_are_named_with_what_the_hop_cost() -> None:
    finding = only(traced(hopping(), hopping("asend_robust")), SYNC)
    assert finding.level == HINT
    assert finding.message == (
        "order_paid was sent with asend and asend_robust to sync receivers"
        " (shop.receivers.index), which are run in a thread: 2 hops, which cost"
        " 1.00 ms."
    )
    assert finding.evidence == (1, 4)
    assert finding.receivers == ("shop.receivers.index",)


def test_async_receivers_in_send_are_named_with_what_the_loop_cost() -> None:
    finding = only(traced(hopping("send_robust")), ASYNC)
    assert finding.level == HINT
    assert finding.message == (
        "order_paid was sent with send_robust to async receivers"
        " (shop.receivers.index), which are run in an event loop made for them: 1 hop,"
        " which cost 0.50 ms."
    )


def test_time_in_which_several_receivers_ran_counts_once() -> None:
    overlapping = traced(
        sent(
            PAID,
            ran("index", ms=4),
            ran("other", ms=4, is_async=True, duration_ns=9 * MS),
            method="asend",
            duration_ns=10 * MS,
        )
    )
    # From 0 to 4 and from 4 to 13 ms, which is after the end.
    assert "cost 0.000 ms" in only(overlapping, SYNC).message
    assert "cost 0.50 ms" in only(traced(hopping()), SYNC).message


def test_unfinished_send_has_no_cost() -> None:
    trace = traced(hopping(), hopping(duration_ns=None))
    assert "2 hops, which cost 0.50 ms" in only(trace, SYNC).message


@pytest.mark.parametrize(
    ("method", "is_async"),
    [("send", False), ("send_robust", False), ("asend", True), ("asend_robust", True)],
)
def test_receivers_of_the_sends_own_kind_are_ordinary(
    method: str, is_async: bool
) -> None:
    trace = traced(sent(PAID, ran("index", is_async=is_async), method=method))
    assert found(trace, SYNC) == []
    assert found(trace, ASYNC) == []


def test_hop_that_django_makes_for_its_own_receivers_is_ordinary() -> None:
    started = sent(
        "django.core.signals.request_started",
        ran("django.db.reset_queries"),
        ran("note_request"),
        method="asend",
        hop_ms=1,
    )
    assert found(traced(started), SYNC) == []


def test_signals_that_cost_most_come_first() -> None:
    cheap = hopping(hop_ms=0.1, signal="shop.cheap")
    first, second = found(traced(cheap, hopping(hop_ms=3)), SYNC)
    assert (first.evidence, second.evidence) == ((4,), (1,))
