"""How calls end, how long they wait, and whose they are."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import django
import pytest
from asgiref.sync import markcoroutinefunction, sync_to_async
from django.contrib.auth.models import update_last_login
from django.dispatch import Signal

import signal_trace
from signal_trace import Trace
from signal_trace.parts import (
    CANCELLED,
    CANCELLED_BY_SIBLING,
    EARLIER_RAISED,
    RAISED,
    RETURNED,
    SEND_FAILED,
    SWALLOWED,
    UNFINISHED,
)
from tests.app import receivers

if TYPE_CHECKING:
    from tests.fake_clock import FakeClock

MS = 1_000_000

SIBLINGS_ARE_CANCELLED = SYNC_ONES_COME_FIRST = django.VERSION >= (6, 1)

METHODS = ["send", "send_robust", "asend", "asend_robust"]


class Sender:
    pass


class Stop(BaseException):
    """Nothing that a robust send catches."""


def note(**kwargs: Any) -> None:
    pass


def fail(**kwargs: Any) -> None:
    raise ValueError("no")


def stop(**kwargs: Any) -> None:
    raise Stop


async def note_later(**kwargs: Any) -> None:
    await asyncio.sleep(0)


async def fail_later(**kwargs: Any) -> None:
    await asyncio.sleep(0)
    raise ValueError("no")


async def fail_at_last(**kwargs: Any) -> None:
    for _ in range(5):
        await asyncio.sleep(0)
    raise LookupError("no")


async def wait(**kwargs: Any) -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def wait_for_ever(**kwargs: Any) -> None:
    await asyncio.get_running_loop().create_future()


async def cancel_itself(**kwargs: Any) -> None:
    await asyncio.sleep(0)
    raise asyncio.CancelledError


def connected(*receivers: Callable[..., Any]) -> Signal:
    signal = Signal()
    for receiver in receivers:
        signal.connect(receiver)
    return signal


def record(method: str, *receivers: Callable[..., Any]) -> Trace:
    """Record a send, whatever comes of it."""
    signal = connected(*receivers)

    async def run() -> None:
        await getattr(signal, method)(Sender)

    with signal_trace.record() as recording, contextlib.suppress(BaseException):
        if method[0] == "a":
            asyncio.run(run())
        else:
            getattr(signal, method)(Sender)
    assert Trace.from_json(recording.trace.to_json()) == recording.trace
    return recording.trace


def outcomes(trace: Trace) -> dict[str, str]:
    """How the call of each receiver ended, by its last name."""
    (send,) = trace.sends
    return {call.receiver.rpartition(".")[2]: call.outcome for call in send.calls}


# How a call ended.


@pytest.mark.parametrize("method", METHODS)
def test_returned(method: str) -> None:
    trace = record(method, note, note_later)
    assert outcomes(trace) == {"note": RETURNED, "note_later": RETURNED}
    assert all(call.error is None for call in trace.calls)


@pytest.mark.parametrize("method", ["send", "asend"])
def test_raised(method: str) -> None:
    trace = record(method, note, fail)
    assert outcomes(trace) == {"note": RETURNED, "fail": RAISED}
    (error,) = [call.error for call in trace.calls if call.error]
    assert (error.type, error.message) == ("ValueError", "no")


@pytest.mark.parametrize("method", ["send", "asend"])
def test_raised_by_an_async_receiver(method: str) -> None:
    assert outcomes(record(method, fail_later)) == {"fail_later": RAISED}


@pytest.mark.parametrize("method", ["send_robust", "asend_robust"])
def test_swallowed(method: str) -> None:
    trace = record(method, fail, note, fail_later, note_later)
    assert outcomes(trace) == {
        "fail": SWALLOWED,
        "note": RETURNED,
        "fail_later": SWALLOWED,
        "note_later": RETURNED,
    }
    errors = [call.error and call.error.type for call in trace.calls]
    assert errors.count("ValueError") == 2
    assert trace.sends[0].error is None


@pytest.mark.parametrize("method", ["send_robust", "asend_robust"])
def test_swallowed_before_another_raised_what_no_send_catches(method: str) -> None:
    trace = record(method, fail, stop)
    assert outcomes(trace) == {"fail": SWALLOWED, "stop": RAISED}


@pytest.mark.parametrize("method", ["send", "asend"])
def test_a_sibling_of_one_that_raises(method: str) -> None:
    found = outcomes(record(method, wait, fail_later))
    # Before Django 6.1 the loop cancels what is left when it ends: that of `send` ends
    # inside of it, and that of `asend` after it.
    by_sibling = SIBLINGS_ARE_CANCELLED or method == "send"
    assert found == {
        "wait": CANCELLED_BY_SIBLING if by_sibling else CANCELLED,
        "fail_later": RAISED,
    }


@pytest.mark.skipif(SIBLINGS_ARE_CANCELLED, reason="cancelled since Django 6.1")
def test_a_sibling_of_one_that_raises_finishes_where_there_is_time() -> None:
    async def run() -> None:
        with contextlib.suppress(ValueError):
            await signal.asend(Sender)
        for _ in range(30):
            await asyncio.sleep(0)

    signal = connected(wait, fail_later, fail_at_last)
    with signal_trace.record() as recording:
        asyncio.run(run())
    assert outcomes(recording.trace) == {
        "wait": RETURNED,
        "fail_later": RAISED,
        "fail_at_last": RAISED,
    }


def test_no_sibling_is_cancelled_in_a_robust_send() -> None:
    trace = record("asend_robust", wait, fail_later, fail_at_last)
    assert outcomes(trace) == {
        "wait": RETURNED,
        "fail_later": SWALLOWED,
        "fail_at_last": SWALLOWED,
    }


@pytest.mark.parametrize("method", ["asend", "asend_robust"])
def test_cancelled_from_outside(method: str) -> None:
    async def run() -> None:
        task = asyncio.create_task(getattr(signal, method)(Sender))
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    signal = connected(wait_for_ever, wait)
    with signal_trace.record() as recording:
        asyncio.run(run())
    assert outcomes(recording.trace) == {"wait_for_ever": CANCELLED, "wait": CANCELLED}
    (send,) = recording.trace.sends
    assert send.error is not None
    assert send.error.type == "asyncio.exceptions.CancelledError"


@pytest.mark.parametrize("method", ["asend", "asend_robust"])
def test_cancelled_by_itself(method: str) -> None:
    found = outcomes(record(method, cancel_itself, note_later))
    assert found["cancel_itself"] == CANCELLED


def test_one_that_swallowed_its_cancellation_returned() -> None:
    async def stubborn(**kwargs: Any) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await wait_for_ever()

    async def run() -> None:
        task = asyncio.create_task(signal.asend(Sender))
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    signal = connected(stubborn)
    with signal_trace.record() as recording:
        asyncio.run(run())
    assert outcomes(recording.trace) == {"stubborn": RETURNED}


def test_never_finished_when_the_trace_ends() -> None:
    async def run() -> Trace:
        async with signal_trace.record() as recording:
            task = asyncio.create_task(signal.asend(Sender))
            for _ in range(3):
                await asyncio.sleep(0)
        task.cancel()
        return recording.trace

    signal = connected(wait_for_ever, note_later)
    trace = asyncio.run(run())
    (send,) = trace.sends
    assert send.duration_ns is None
    assert outcomes(trace)["wait_for_ever"] == UNFINISHED
    waiting = send.calls[0]
    assert (waiting.duration_ns, waiting.self_ns, waiting.suspended_ns) == (None,) * 3


def test_a_recording_that_ends_inside_of_a_receiver() -> None:
    recording = signal_trace.record()

    def end(**kwargs: Any) -> None:
        recording.__exit__(None, None, None)

    signal = connected(end)
    recording.__enter__()
    signal.send(Sender)
    assert outcomes(recording.trace) == {"end": UNFINISHED}


# Who did not run.


@pytest.mark.parametrize("method", ["send", "asend"])
def test_those_after_one_that_raised(method: str) -> None:
    trace = record(method, note, fail, stop)
    assert [(one.send, one.receiver, one.reason) for one in trace.not_called] == [
        (trace.sends[0].id, f"{__name__}.stop", EARLIER_RAISED)
    ]


def test_those_of_a_send_that_was_cancelled_before() -> None:
    begun, gate = threading.Event(), threading.Event()

    def block(**kwargs: Any) -> None:
        begun.set()
        gate.wait(10)

    async def run() -> None:
        task = asyncio.create_task(signal.asend(Sender))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        gate.set()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    signal = connected(block, note_later)
    with signal_trace.record() as recording:
        asyncio.run(run())
    missed = [(one.receiver, one.reason) for one in recording.trace.not_called]
    # Before Django 6.1 both kinds of receivers are called at once.
    late = [(f"{__name__}.note_later", SEND_FAILED)] if SYNC_ONES_COME_FIRST else []
    assert missed == late


# How long a call waited.


def test_time_suspended_is_that_between_steps(clock: FakeClock) -> None:
    async def busy(**kwargs: Any) -> None:
        clock.pass_ms(2)
        await asyncio.sleep(0)  # Here the other one takes three.
        clock.pass_ms(1)

    async def other(**kwargs: Any) -> None:
        clock.pass_ms(3)

    trace = record("asend", busy, other)
    times = [(call.duration_ns, call.suspended_ns) for call in trace.calls]
    assert times == [(6 * MS, 3 * MS), (3 * MS, 0)]


def test_time_suspended_of_one_that_only_waits(clock: FakeClock) -> None:
    async def waiting(**kwargs: Any) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(clock.pass_ms, 7)
        await asyncio.sleep(0)
        loop.call_soon(clock.pass_ms, 4)
        await asyncio.sleep(0)

    (call,) = record("asend", waiting).calls
    assert (call.duration_ns, call.suspended_ns) == (11 * MS, 11 * MS)


def test_time_suspended_of_one_that_fails(clock: FakeClock) -> None:
    async def fail(**kwargs: Any) -> None:
        asyncio.get_running_loop().call_soon(clock.pass_ms, 7)
        await asyncio.sleep(0)
        clock.pass_ms(1)
        raise ValueError

    (call,) = record("asend_robust", fail).calls
    assert (call.duration_ns, call.suspended_ns) == (8 * MS, 7 * MS)


def test_time_suspended_counts_what_runs_in_a_thread(clock: FakeClock) -> None:
    is_suspended = threading.Event()

    def work() -> None:
        # A thread may be quicker than what awaits it.
        is_suspended.wait()
        clock.pass_ms(5)

    async def waiting(**kwargs: Any) -> None:
        asyncio.get_running_loop().call_soon(is_suspended.set)
        await sync_to_async(work)()
        clock.pass_ms(1)

    (call,) = record("asend", waiting).calls
    assert (call.duration_ns, call.suspended_ns) == (6 * MS, 5 * MS)


def test_time_suspended_of_an_async_receiver_of_a_sync_send(clock: FakeClock) -> None:
    async def waiting(**kwargs: Any) -> None:
        asyncio.get_running_loop().call_soon(clock.pass_ms, 7)
        await asyncio.sleep(0)
        clock.pass_ms(1)

    (call,) = record("send", waiting).calls
    assert (call.duration_ns, call.suspended_ns) == (8 * MS, 7 * MS)


def test_a_receiver_waits_while_those_run_to_whom_it_sends(
    clock: FakeClock,
) -> None:
    async def inner(**kwargs: Any) -> None:
        asyncio.get_running_loop().call_soon(clock.pass_ms, 7)
        await asyncio.sleep(0)
        clock.pass_ms(1)

    async def outer(**kwargs: Any) -> None:
        clock.pass_ms(2)
        await inner_signal.asend(Sender)

    inner_signal = connected(inner)
    first, second = record("asend", outer).calls
    assert (first.duration_ns, first.suspended_ns, first.self_ns) == (
        10 * MS,
        8 * MS,  # They run in tasks of their own.
        2 * MS,
    )
    assert (second.duration_ns, second.suspended_ns) == (8 * MS, 7 * MS)


def test_time_suspended_of_one_that_returns_a_task(clock: FakeClock) -> None:
    def start(**kwargs: Any) -> Any:
        async def work() -> None:
            clock.pass_ms(3)

        clock.pass_ms(1)
        return asyncio.ensure_future(work())

    markcoroutinefunction(start)
    (call,) = record("asend", start).calls
    assert (call.duration_ns, call.suspended_ns) == (4 * MS, 3 * MS)


@pytest.mark.parametrize("method", METHODS)
def test_sync_receivers_are_never_suspended(method: str) -> None:
    found = {
        call.receiver.rpartition(".")[2]: call.suspended_ns is None
        for call in record(method, note, note_later).calls
    }
    assert found == {"note": True, "note_later": False}


# Whose a receiver is.


@pytest.mark.parametrize(
    ("receiver", "expected"),
    [
        (receivers.note, "app"),
        (update_last_login, "auth"),
        (note, "tests"),
        (functools.partial(note, extra=1), "tests"),
        (json.dumps, "json"),
        (dict, "dict"),
    ],
)
def test_the_app_of_a_receiver(receiver: Any, expected: str) -> None:
    signal = Signal()
    signal.connect(receiver, weak=False)
    with signal_trace.record() as recording:
        signal.send_robust(Sender)
    (call,) = recording.trace.calls
    assert call.app == expected
