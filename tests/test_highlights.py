from __future__ import annotations

from typing import Any

import pytest
from django.dispatch import Signal

import signal_trace
from signal_trace.highlights import failures, slowest
from tests.fake_clock import FakeClock
from tests.traces import EMPTY


def connected(*receivers: Any) -> Signal:
    signal = Signal()
    for receiver in receivers:
        signal.connect(receiver, weak=False)
    return signal


def fail(**kwargs: Any) -> None:
    raise ValueError("no")


def names(found: list[Any]) -> list[tuple[str, str | None]]:
    return [
        (call.receiver.rpartition(".")[2], error.message) for _, call, error in found
    ]


def test_nothing_stands_out_of_an_empty_trace() -> None:
    assert slowest(EMPTY, 3) == []
    assert failures(EMPTY) == []


def test_slowest_calls_by_self_time_and_not_by_total(clock: FakeClock) -> None:
    def quick(**kwargs: Any) -> None:
        clock.pass_ms(1)

    def slow(**kwargs: Any) -> None:
        clock.pass_ms(9)

    inner = connected(slow)

    def outer(**kwargs: Any) -> None:
        clock.pass_ms(5)
        inner.send(int)

    with signal_trace.record() as recording:
        connected(quick, outer).send(int)
    calls = slowest(recording.trace, 2)
    assert [call.receiver.rpartition(".")[2] for call in calls] == ["slow", "outer"]


def test_an_exception_that_passes_through_receivers_counts_once() -> None:
    inner = connected(fail)

    def pass_on(**kwargs: Any) -> None:
        inner.send(int)

    def wrap(**kwargs: Any) -> None:
        try:
            inner.send(int)
        except ValueError as error:
            raise LookupError("wrapped") from error

    with signal_trace.record() as recording:
        with pytest.raises(ValueError, match="no"):
            connected(pass_on).send(int)
        with pytest.raises(LookupError):
            connected(wrap).send(int)
        connected(fail).send_robust(int)
    assert names(failures(recording.trace)) == [
        ("fail", "no"),
        ("wrap", "wrapped"),
        ("fail", "no"),
        ("fail", "no"),
    ]
