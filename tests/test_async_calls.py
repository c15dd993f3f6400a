"""Async receivers: right parents, and everything else as without a recording."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import TYPE_CHECKING, Any

import django
import pytest
from asgiref.sync import sync_to_async
from django.dispatch import Signal

import signal_trace
from signal_trace import Trace
from signal_trace import recording as recording_module
from signal_trace.async_calls import AsyncReceiver
from signal_trace.recording import position, window_at

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from tests.fake_clock import FakeClock

MS = 1_000_000


class Sender:
    pass


def connected(*receivers: Callable[..., Any]) -> Signal:
    signal = Signal()
    for receiver in receivers:
        signal.connect(receiver, weak=False)
    return signal


def marked(receiver: Callable[..., Any]) -> Callable[..., Any]:
    """As coroutine function, whatever it returns."""
    # asgiref's mark is what Django 5.2 and 6.0 look for, inspect's what 6.1 does.
    from asgiref.sync import markcoroutinefunction

    markcoroutinefunction(receiver)
    return receiver


async def note(**kwargs: Any) -> None:
    await asyncio.sleep(0)


def parents(trace: Trace) -> dict[str, str | None]:
    """For each send, by its sender, the receiver that it was sent from."""
    receivers = {call.id: call.receiver.rpartition(".")[2] for call in trace.calls}
    return {
        send.sender: None if send.parent is None else receivers[send.parent]
        for send in trace.sends
    }


@pytest.mark.parametrize("method", ["asend", "asend_robust", "send", "send_robust"])
def test_twelve_concurrent_receivers_are_the_parents_of_what_they_send(
    method: str,
) -> None:
    inner = connected(note)
    outer = Signal()
    expected: dict[str, str | None] = {}

    def make(number: int) -> Any:
        async def receiver(**kwargs: Any) -> None:
            for turn in range(3):
                await asyncio.sleep(0.0001 * ((number * 7 + turn * 5) % 12))
                await inner.asend(f"{number}.{turn}")

        receiver.__qualname__ = f"receiver_{number}"
        expected.update({f"{number}.{turn}": f"receiver_{number}" for turn in range(3)})
        return receiver

    receivers = [make(number) for number in range(12)]
    for receiver in receivers:
        outer.connect(receiver)
    with signal_trace.record() as recording:
        if method.startswith("a"):

            async def run() -> None:
                await getattr(outer, method)("top")

            asyncio.run(run())
        else:
            getattr(outer, method)("top")

    assert parents(recording.trace) == {"top": None} | expected
    assert all(call.duration_ns is not None for call in recording.trace.calls)


def test_what_a_thread_of_a_receiver_sends_has_the_receiver_as_its_parent() -> None:
    inner = connected(note)

    def send_in_thread(name: str) -> None:
        assert threading.current_thread() is not threading.main_thread()
        inner.send(name)

    async def one(**kwargs: Any) -> None:
        await sync_to_async(send_in_thread, thread_sensitive=False)("from one")

    async def other(**kwargs: Any) -> None:
        await sync_to_async(send_in_thread, thread_sensitive=False)("from other")

    async def run() -> None:
        await connected(one, other).asend("top")

    with signal_trace.record() as recording:
        asyncio.run(run())
    assert parents(recording.trace) == {
        "top": None,
        "from one": "one",
        "from other": "other",
    }


def test_a_task_that_a_receiver_leaves_behind_sends_as_its_child() -> None:
    inner = connected(note)
    tasks = []

    async def send_soon() -> None:
        await asyncio.sleep(0.001)
        await inner.asend("soon")

    async def start(**kwargs: Any) -> None:
        tasks.append(asyncio.create_task(send_soon()))

    async def run() -> None:
        await connected(start).asend("top")
        await inner.asend("after")
        await asyncio.gather(*tasks)

    with signal_trace.record() as recording:
        asyncio.run(run())
    assert parents(recording.trace) == {"top": None, "after": None, "soon": "start"}
    (call,) = recording.trace.sends[0].calls
    assert call.self_ns == call.duration_ns  # What came after it takes nothing off.


def test_a_receivers_time_begins_with_its_body(clock: FakeClock) -> None:
    async def busy(**kwargs: Any) -> None:
        clock.pass_ms(5)

    async def quick(**kwargs: Any) -> None:
        clock.pass_ms(1)

    async def run() -> None:
        await connected(busy, quick).asend(Sender)

    with signal_trace.record() as recording:
        asyncio.run(run())
    times = [(call.start_ns, call.duration_ns) for call in recording.trace.calls]
    assert times == [(0, 5 * MS), (5 * MS, 1 * MS)]


class Awaitable_:
    """An awaitable whose iterator has neither ``send`` nor ``throw``."""

    def __await__(self) -> Any:
        return iter([None, None])


def returns_a_future(**kwargs: Any) -> Awaitable[str]:
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    future.get_loop().call_soon(future.set_result, "future")
    return future


def returns_a_task(**kwargs: Any) -> Awaitable[str]:
    async def work() -> str:
        await connected(note).asend("inside the task")
        return "task"

    return asyncio.create_task(work())


def returns_an_awaitable(**kwargs: Any) -> Awaitable_:
    return Awaitable_()


def test_receivers_may_return_any_awaitable() -> None:
    receivers = [
        marked(one) for one in (returns_a_future, returns_a_task, returns_an_awaitable)
    ]
    signal = connected(*receivers)

    async def run() -> Any:
        return await signal.asend(Sender)

    with signal_trace.record() as recording:
        responses = asyncio.run(run())
    assert responses == list(zip(receivers, ["future", "task", None], strict=True))
    assert all(call.duration_ns is not None for call in recording.trace.calls)
    assert parents(recording.trace)["inside the task"] == "returns_a_task"


# Django before 6.1 leaves a coroutine of its own behind here.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("method", ["asend", "asend_robust"])
def test_what_is_no_awaitable_is_refused_as_by_django(method: str) -> None:
    def returns_a_number(**kwargs: Any) -> int:
        return 5

    signal = connected(marked(returns_a_number))

    async def run() -> Any:
        return await getattr(signal, method)(Sender)

    def outcome() -> tuple[type, str]:
        try:
            ((_, response),) = asyncio.run(run())
        except TypeError as error:
            response = error
        return type(response), str(response)

    without = outcome()
    with signal_trace.record():
        within = outcome()
    assert within == without
    assert within[0] is TypeError


def test_a_failing_future_is_a_failed_call() -> None:
    def fail(**kwargs: Any) -> Any:
        future = asyncio.get_running_loop().create_future()
        future.get_loop().call_soon(future.set_exception, ValueError("no"))
        return future

    signal = connected(marked(fail))

    async def run() -> None:
        with pytest.raises(ValueError, match="no"):
            await signal.asend(Sender)

    with signal_trace.record() as recording:
        asyncio.run(run())
    (call,) = recording.trace.calls
    assert call.error is not None
    assert call.error.type == "ValueError"


def test_siblings_of_a_failing_receiver_end_as_they_do_in_this_django() -> None:
    async def fail(**kwargs: Any) -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def wait(**kwargs: Any) -> None:
        await asyncio.sleep(0.01)

    signal = connected(fail, wait)

    async def run() -> None:
        with pytest.raises(ValueError, match="no"):
            await signal.asend(Sender)
        await asyncio.sleep(0.02)

    with signal_trace.record() as recording:
        asyncio.run(run())
    failed, sibling = recording.trace.sends[0].calls
    assert failed.error is not None
    if django.VERSION >= (6, 1):
        assert sibling.error is not None
        assert sibling.error.type == "asyncio.exceptions.CancelledError"
    else:
        assert sibling.error is None
    assert recording.trace.sends[0].error is not None
    assert recording.trace.sends[0].error.type == "ValueError"


def test_two_failing_receivers_are_both_tied_to_their_exceptions() -> None:
    async def fail_one(**kwargs: Any) -> None:
        await asyncio.sleep(0)
        raise ValueError("one")

    async def fail_two(**kwargs: Any) -> None:
        await asyncio.sleep(0)
        raise LookupError("two")

    async def run() -> None:
        await connected(fail_one, fail_two).asend(Sender)

    with signal_trace.record() as recording, pytest.raises(Exception) as raised:  # noqa: PT011
        asyncio.run(run())
    assert isinstance(raised.value, ExceptionGroup | ValueError)
    types = [call.error and call.error.type for call in recording.trace.calls]
    assert types == ["ValueError", "LookupError"]


def test_a_sync_failure_beside_an_async_one_is_not_confused_with_it() -> None:
    def fail_now(**kwargs: Any) -> None:
        raise ValueError("now")

    async def fail_later(**kwargs: Any) -> None:
        await asyncio.sleep(0.02)
        raise LookupError("later")

    async def run() -> None:
        with pytest.raises(ValueError, match="now"):
            await connected(fail_now, fail_later).asend(Sender)
        await asyncio.sleep(0.03)

    with signal_trace.record() as recording:
        asyncio.run(run())
    errors = {
        call.receiver.rpartition(".")[2]: call.error and call.error.message
        for call in recording.trace.calls
    }
    if django.VERSION >= (6, 1):
        assert errors == {"fail_now": "now"}
    else:
        assert errors == {"fail_now": "now", "fail_later": "later"}


def test_a_dropped_sync_failure_is_not_given_the_async_ones_exception() -> None:
    started, held_up = asyncio.Event(), threading.Event()

    def fail_now(loop: asyncio.AbstractEventLoop, **kwargs: Any) -> None:
        loop.call_soon_threadsafe(started.set)
        assert django.VERSION >= (6, 1) or held_up.wait(60)
        raise ValueError("now")

    async def fail_first(**kwargs: Any) -> None:
        await started.wait()
        # The sync failure comes while the loop is held up, and waits at its door.
        held_up.set()
        time.sleep(0.05)  # noqa: ASYNC251
        raise LookupError("first")

    async def run() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises((LookupError, ValueError)):
            await connected(fail_now, fail_first).asend(Sender, loop=loop)

    with signal_trace.record() as recording:
        asyncio.run(run())
    errors = {
        call.receiver.rpartition(".")[2]: call.error and call.error.type
        for call in recording.trace.calls
    }
    if django.VERSION >= (6, 1):
        assert errors == {"fail_now": "ValueError"}
    else:
        assert errors == {
            "fail_now": "an exception that was dropped",
            "fail_first": "LookupError",
        }


def test_cancellation_is_recorded_and_goes_on() -> None:
    async def hang(**kwargs: Any) -> None:
        await asyncio.sleep(60)

    async def run() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await connected(hang).asend(Sender)

    with signal_trace.record() as recording:
        asyncio.run(run())
    (call,) = recording.trace.calls
    assert call.error is not None
    assert call.error.type == "asyncio.exceptions.CancelledError"
    assert call.duration_ns is not None


def test_a_send_cancelled_before_its_first_step_warns_of_nothing() -> None:
    async def never(**kwargs: Any) -> None:
        raise AssertionError

    signal = connected(never)

    async def run() -> None:
        sending = asyncio.ensure_future(signal.asend(Sender))
        await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

    def outcome() -> str:
        try:
            asyncio.run(run())
        except BaseException as error:
            return type(error).__name__
        return "fine"

    without = outcome()
    with signal_trace.record():
        assert outcome() == without


def test_a_send_cancelled_from_another_context_leaves_the_position_alone() -> None:
    async def hang(**kwargs: Any) -> None:
        await asyncio.Event().wait()

    signal = connected(hang)

    async def run() -> None:
        task = asyncio.ensure_future(signal.asend(Sender))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        contextvars.Context().run(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    with signal_trace.record() as recording:
        asyncio.run(run())
        Signal().send(Sender)
    (send,) = recording.trace.sends
    assert send.error is not None
    assert send.error.type == "asyncio.exceptions.CancelledError"
    assert recording.trace.unreceived[0].count == 1


def test_a_call_stepped_and_closed_from_other_contexts_harms_nothing() -> None:
    class Suspend:
        def __await__(self) -> Generator[str, None, None]:
            yield "suspended"

    inner = connected(note)

    async def hang(**kwargs: Any) -> None:
        inner.send("from hang")
        await Suspend()

    def step_and_close(**kwargs: Any) -> None:
        # As the dispatch loop of an `asend` does, but without an event loop.
        call = AsyncReceiver(sends[0], hang, sends[0].number + 3)(**kwargs)
        assert contextvars.copy_context().run(call.send, None) == "suspended"
        assert call.cr_frame is not None  # The coroutine's own attributes.
        contextvars.Context().run(call.close)
        inner.send("after")

    sends: list[Any] = []

    def keep_send(**kwargs: Any) -> None:
        window = window_at(position.get())
        assert window is not None
        sends.extend(window.sends)

    with signal_trace.record() as recording:
        connected(keep_send, step_and_close).send("top")
        inner.send("last")
    assert parents(recording.trace) == {
        "top": None,
        "from hang": "hang",
        "after": "step_and_close",
        "last": None,
    }
    hung = recording.trace.sends[0].calls[-1]
    assert (hung.receiver.rpartition(".")[2], hung.duration_ns) == ("hang", None)


def test_a_recording_that_ends_just_as_a_call_starts_harms_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = signal_trace.record()
    real, armed = recording_module.clock, []

    def ending() -> int:
        if armed:  # As another thread might, at any time.
            armed.clear()
            one.__exit__(None, None, None)
        return real()

    async def arm(**kwargs: Any) -> str:
        armed.append(True)
        await asyncio.sleep(0)
        return "armed"

    async def started_then(**kwargs: Any) -> str:
        return "ran"

    async def run() -> list[str]:
        responses = await connected(arm, started_then).asend(Sender)
        return [response for _, response in responses]

    monkeypatch.setattr(recording_module, "clock", ending)
    with one:
        assert asyncio.run(run()) == ["armed", "ran"]
    assert len(one.trace.sends) == 1
    assert caplog.records == []


def test_context_variables_of_receivers_end_as_they_do_in_this_django() -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    async def set_variable(**kwargs: Any) -> None:
        variable.set("set")
        await asyncio.sleep(0)

    async def run() -> str:
        await connected(set_variable).asend(Sender)
        return variable.get()

    without = asyncio.run(run())
    with signal_trace.record():
        assert asyncio.run(run()) == without
    assert without == ("set" if django.VERSION >= (6, 1) else "unset")


def test_a_receivers_coroutine_can_be_inspected_through_its_task() -> None:
    seen = []

    async def look(**kwargs: Any) -> None:
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        seen.append(task.get_stack())

    async def run() -> None:
        await connected(look).asend(Sender)

    with signal_trace.record():
        asyncio.run(run())
    assert seen


def test_keywords_may_have_any_name() -> None:
    async def receiver(resume: int, send: int, receiver: int, **kwargs: Any) -> int:
        return resume + send + receiver

    signal = Signal()
    signal.connect(receiver)
    with signal_trace.record():
        sent = signal.asend(None, resume=1, send=2, receiver=3)
        assert asyncio.run(sent) == [(receiver, 6)]  # type: ignore[arg-type]
