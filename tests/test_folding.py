"""What is beyond the limit adds up to what it would have been."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import threading
import tracemalloc
from collections import defaultdict
from typing import Any

import pytest
from django.dispatch import Signal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

import signal_trace
from signal_trace import Trace, folding, recording
from signal_trace.recording import windows
from signal_trace.tally import Tally
from tests.app.models import Book
from tests.fake_clock import FakeClock

HERE = __name__

ordered, counted, awaited, lonely = Signal(), Signal(), Signal(), Signal()
SIGNALS = [ordered, counted]

# A plan is what a receiver is to do: let time pass, fail, or send with another plan.
Plan = list[Any]


class Shop:
    """Who sends."""


def follow(plan: Plan) -> None:
    for step, *rest in plan:
        if step == "work":
            clock().pass_ms(*rest)
        elif step == "fail":
            raise ValueError("planned")
        else:
            method, signal, inner = rest
            if signal < len(SIGNALS):
                getattr(SIGNALS[signal], method)(Shop, plan=inner)


async def follow_async(plan: Plan) -> None:
    for step in plan:
        await asyncio.sleep(0)
        if step[0] == "send" and step[2] == len(SIGNALS):
            method = {"send": "asend", "send_robust": "asend_robust"}[step[1]]
            await getattr(awaited, method)(Shop, plan=step[3])
        else:
            follow([step])


def clock() -> Any:
    return recording.clock


def first(plan: Plan, **kwargs: Any) -> None:
    follow(plan)


def second(plan: Plan, **kwargs: Any) -> None:
    follow(plan[:2])


async def third(plan: Plan, **kwargs: Any) -> None:
    await follow_async(plan)


async def fourth(plan: Plan, **kwargs: Any) -> None:
    await follow_async(plan[::-1])


LINKS = [
    *((ordered, receiver) for receiver in (first, second)),
    (counted, first),
    *((awaited, receiver) for receiver in (third, fourth)),
]


@pytest.fixture(autouse=True)
def connected() -> Any:
    for signal, receiver in LINKS:
        signal.connect(receiver)
    yield
    for signal, receiver in LINKS:
        signal.disconnect(receiver)


plans: st.SearchStrategy[Plan] = st.recursive(
    st.just([]),
    lambda inner: st.lists(
        st.tuples(st.just("work"), st.integers(1, 9))
        | st.tuples(
            st.just("send"),
            st.sampled_from(["send", "send_robust"]),
            st.integers(0, 2),
            inner,
        )
        | st.sampled_from([("fail",)]),
        max_size=4,
    ),
    max_leaves=12,
)


def run(plan: Plan, *, is_async: bool) -> Trace:
    recording.clock = FakeClock()  # type: ignore[assignment]
    with signal_trace.record() as traced:
        with contextlib.suppress(ValueError, ExceptionGroup):
            if is_async:
                asyncio.run(follow_async([*plan, ("work", 1)]))
            else:
                follow(plan)
    return traced.trace


def sums(trace: Trace) -> dict[Any, tuple[int, ...]]:
    """What sends and calls add up to, whether kept one by one or not."""
    added: defaultdict[Any, Tally] = defaultdict(Tally)
    for send in trace.sends:
        kind = send.signal, send.sender
        added[kind].add(send.duration_ns, 0, send.error is not None)
        for call in send.calls:
            added[*kind, call.receiver].add(
                call.duration_ns, call.self_ns or 0, call.error is not None
            )
    for one in trace.omitted:
        kind = one.signal, one.sender
        added[kind] += tally(one)
        for calls in one.calls:
            added[*kind, calls.receiver] += tally(calls)
    return {key: values(tally) for key, tally in added.items()}


def tally(omitted: Any) -> Tally:
    result = Tally()
    for name in Tally.__slots__:
        setattr(result, name, getattr(omitted, name, 0))
    return result


def values(tally: Tally) -> tuple[int, ...]:
    return tuple(getattr(tally, name) for name in Tally.__slots__)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Any:
    """Sets the limit, and folds after every few sends."""
    monkeypatch.setattr(recording, "clock", recording.clock)

    def set_limit(limit: int, batch: int = 1) -> None:
        settings.SIGNAL_TRACE = {"MAX_SENDS": limit}
        monkeypatch.setattr(folding, "BATCH", batch)

    return set_limit


@given(
    plan=plans,
    limit=st.integers(0, 4),
    batch=st.integers(1, 3),
    is_async=st.booleans(),
)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_sums_are_the_same_with_any_limit(
    small: Any, plan: Plan, limit: int, batch: int, is_async: bool
) -> None:
    small(1_000)
    whole = run(plan, is_async=is_async)
    small(limit, batch)
    limited = run(plan, is_async=is_async)
    assert whole.omitted == ()
    assert len(limited.sends) == min(limit, len(whole.sends))
    assert (limited.send_count, limited.call_count) == (
        len(whole.sends),
        len(whole.calls),
    )
    assert sums(limited) == sums(whole)
    if not is_async:
        assert limited.receivers_ns == whole.receivers_ns
        assert [(s.signal, s.start_ns) for s in limited.sends] == [
            (s.signal, s.start_ns) for s in whole.sends[:limit]
        ]
    assert {call.id: call.self_ns for call in limited.calls} == {
        call.id: call.self_ns for call in whole.calls[: len(limited.calls)]
    }
