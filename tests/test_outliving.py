"""Sends, tasks and threads that outlive their recording, and recordings that are closed
where nobody expects it: nothing is raised, and nobody else's recording is touched."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.dispatch import Signal

import signal_trace
from signal_trace import Trace
from tests.alive import only_new as only_new
from tests.alive import ours

pytestmark = pytest.mark.usefixtures("only_new")


@pytest.fixture(autouse=True)
def nothing_left() -> None:
    """A suspended send of an earlier test that is collected in the middle of this one
    would change its context, from Django 6.1 on: see `test_surprises`."""
    gc.collect()


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    # Pytest keeps each log record, and with it the exception and its frames.
    for name in ("asyncio", "django.dispatch"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)


def receive(**kwargs: Any) -> str:
    return "received"


ping = Signal()
ping.connect(receive)


def senders(trace: Trace) -> list[str]:
    return [send.sender for send in trace.sends]


def in_a_thread(work: Callable[[], object]) -> None:
    problems: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            problems.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert problems == []


# A suspended send that is closed by somebody else.


@contextmanager
def suspended(
    method: str, sender: str
) -> Iterator[list[Coroutine[Any, Any, list[tuple[Any, Any]]]]]:
    """A send whose coroutine has begun and waits, in a list, the only place to hold it.

    Its event loop stands still until the block ends.
    """
    signal, loop = Signal(), asyncio.new_event_loop()

    async def hang(**kwargs: Any) -> None:
        ping.send(f"inside {sender}")
        await asyncio.Event().wait()

    async def begin() -> Any:
        coroutine = getattr(signal, method)(sender)
        coroutine.send(None)
        for _ in range(3):
            await asyncio.sleep(0)
        return coroutine

    async def end() -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    signal.connect(hang)
    try:
        yield [loop.run_until_complete(begin())]
        loop.run_until_complete(end())
    finally:
        loop.close()


def close_here(held: list[Any]) -> None:
    held.pop().close()


def close_in_a_thread(held: list[Any]) -> None:
    in_a_thread(held.pop().close)


def close_in_an_empty_context(held: list[Any]) -> None:
    contextvars.Context().run(held.pop().close)


def close_in_another_loop(held: list[Any]) -> None:
    async def close() -> None:
        held.pop().close()

    asyncio.run(close())


def drop(held: list[Any]) -> None:
    held.clear()


def drop_in_a_thread(held: list[Any]) -> None:
    in_a_thread(held.clear)


def collect_in_a_thread(held: list[Any]) -> None:
    def tie_and_collect() -> None:
        cycle = [held.pop()]
        cycle.append(cycle)
        del cycle
        gc.collect()

    in_a_thread(tie_and_collect)


def throw_in_a_thread(held: list[Any]) -> None:
    coroutine = held.pop()

    def throw() -> None:
        with pytest.raises(KeyError, match="theirs"):
            coroutine.throw(KeyError("theirs"))

    in_a_thread(throw)


ELSEWHERE = [
    close_in_a_thread,
    close_in_an_empty_context,
    close_in_another_loop,
    drop,
    drop_in_a_thread,
    collect_in_a_thread,
    throw_in_a_thread,
]
both_methods = pytest.mark.parametrize("method", ["asend", "asend_robust"])


@pytest.mark.parametrize("close", [close_here, *ELSEWHERE])
@both_methods
def test_a_suspended_send_is_closed_during_its_recording(
    close: Callable[[list[Any]], None], method: str
) -> None:
    with signal_trace.record() as recording:
        with suspended(method, "hung") as held:
            ping.send("before")
            close(held)
            ping.send("after")
    trace = recording.trace
    assert senders(trace) == ["hung", "inside hung", "before", "after"]
    hung, inside, *rest = trace.sends
    assert inside.parent == hung.calls[0].id
    assert [send.parent for send in rest] == [None, None]
    # It never finished, except by an exception.
    assert (hung.duration_ns is None) == (hung.error is None)
    assert (hung.error is not None) == (close is throw_in_a_thread)


@pytest.mark.parametrize("close", ELSEWHERE)
@both_methods
def test_a_suspended_send_is_closed_after_its_recording_and_inside_another(
    close: Callable[[list[Any]], None], method: str
) -> None:
    before = ours()
    first = signal_trace.record("first")
    first.__enter__()
    with suspended(method, "hung") as held:
        first.__exit__(None, None, None)
        inner: list[Trace] = []

        def close_inside(**kwargs: Any) -> None:
            with signal_trace.record("inner") as one:
                ping.send("before")
                close(held)
                ping.send("after")
            inner.append(one.trace)

        around = Signal()
        around.connect(close_inside)
        with signal_trace.record("second") as second:
            around.send("around")
            ping.send("last")

    assert senders(first.trace) == ["hung", "inside hung"]
    assert first.trace.sends[0].duration_ns is None
    assert senders(inner[0]) == ["before", "after"]
    assert senders(second.trace) == ["around", "before", "after", "last"]
    parents = [send.parent for send in second.trace.sends]
    assert parents == [None, *[second.trace.calls[0].id] * 2, None]
    assert first.trace.unreceived == second.trace.unreceived == ()
    left = ours() - before
    assert left["SendRecord"] == left["Window"] == 0


@both_methods
def test_a_send_that_ends_after_its_recording_ends_as_it_would_have(
    method: str,
) -> None:
    going_on = asyncio.Event()

    async def wait(**kwargs: Any) -> str:
        await going_on.wait()
        ping.send("late")
        return "waited"

    async def wait_and_fail(**kwargs: Any) -> str:
        await going_on.wait()
        ping.send("late")
        raise ValueError("no")

    signal, others = Signal(), Signal()
    signal.connect(wait)
    others.connect(wait_and_fail)

    async def run() -> None:
        async with signal_trace.record() as recording:
            sending = asyncio.create_task(getattr(signal, method)("task"))
            failing = asyncio.create_task(getattr(others, method)("failing"))
            for _ in range(5):
                await asyncio.sleep(0)
        async with signal_trace.record() as next_recording:
            going_on.set()
            assert await sending == [(wait, "waited")]
            if method == "asend":
                with pytest.raises(ValueError, match="no"):
                    await failing
            else:
                ((_, error),) = await failing
                assert isinstance(error, ValueError)
            ping.send("own")
        assert senders(recording.trace) == ["task", "failing"]
        for send in recording.trace.sends:
            assert (send.duration_ns, send.error) == (None, None)
            (call,) = send.calls
            assert (call.duration_ns, call.error) == (None, None)
        assert senders(next_recording.trace) == ["own"]

    asyncio.run(run())


# Whoever outlives a recording sends unrecorded.


def test_a_thread_that_outlives_its_recording_sends_unrecorded() -> None:
    going_on, done = threading.Event(), threading.Event()
    responses: list[Any] = []

    def work() -> None:
        ping.send("during")
        done.set()
        assert going_on.wait(60)
        responses.extend(ping.send("late") for _ in range(3))
        with signal_trace.record("own") as own:
            ping.send("in its own")
        responses.append(senders(own.trace))
        assert own.trace.attributes == {}  # It isn't inside the one that has ended.
        responses.extend(ping.send("later"))

    def start(**kwargs: Any) -> None:
        threads.append(
            threading.Thread(target=contextvars.copy_context().run, args=[work])
        )
        threads[0].start()
        assert done.wait(60)

    threads: list[threading.Thread] = []
    signal = Signal()
    signal.connect(start)
    with signal_trace.record() as recording:
        signal.send("top")
    with signal_trace.record() as next_recording:
        going_on.set()
        threads[0].join()
    received = (receive, "received")
    assert responses == [[received]] * 3 + [["in its own"], received]
    assert senders(recording.trace) == ["top", "during"]
    assert senders(next_recording.trace) == []


def test_a_thread_still_inside_a_send_when_its_recording_ends_goes_on() -> None:
    going_on, inside = threading.Event(), threading.Event()
    responses: list[Any] = []

    def wait(**kwargs: Any) -> str:
        inside.set()
        assert going_on.wait(60)
        ping.send("late")
        return "waited"

    def record(**kwargs: Any) -> str:
        with signal_trace.record() as own:
            ping.send("own")
        assert senders(own.trace) == ["own"]
        assert own.trace.attributes == {}  # It isn't inside the one that has ended.
        return "recorded"

    def fail(**kwargs: Any) -> None:
        raise ValueError("no")

    signal = Signal()
    for receiver in (wait, record, fail):
        signal.connect(receiver)

    def work() -> None:
        responses.extend(signal.send_robust("thread"))

    before = ours()
    with signal_trace.record() as recording:
        thread = threading.Thread(target=contextvars.copy_context().run, args=[work])
        thread.start()
        assert inside.wait(60)
    going_on.set()
    thread.join()
    assert responses[:2] == [(wait, "waited"), (record, "recorded")]
    assert isinstance(responses[2][1], ValueError)
    (send,) = recording.trace.sends
    assert [call.receiver.rpartition(".")[2] for call in send.calls] == ["wait"]
    assert (send.duration_ns, send.calls[0].duration_ns) == (None, None)
    responses.clear()
    left = ours() - before
    assert left["SendRecord"] == left["Window"] == 0


# Closed in odd places.


def test_a_recording_closed_inside_a_later_one_leaves_that_one_alone() -> None:
    first, second = signal_trace.record("first"), signal_trace.record("second")
    first.__enter__()
    second.__enter__()
    ping.send("both")
    first.__exit__(None, None, None)
    first.__exit__(None, None, None)
    ping.send("second")
    with signal_trace.record("third") as third:
        ping.send("third")
        second.__exit__(None, None, None)
        second.__exit__(None, None, None)
        ping.send("third again")
    ping.send("nobody")
    assert senders(first.trace) == ["both"]
    assert senders(second.trace) == ["both", "second", "third"]
    assert senders(third.trace) == ["third", "third again"]


def test_a_recording_closed_in_a_thread_leaves_that_threads_own_alone() -> None:
    before = ours()
    recording = signal_trace.record("main")
    recording.__enter__()
    ping.send("main")

    def close() -> None:
        with signal_trace.record("thread") as own:
            ping.send("before")
            recording.__exit__(None, None, None)
            recording.__exit__(None, None, None)
            ping.send("after")
        assert senders(own.trace) == ["before", "after"]
        assert own.trace.attributes == {}

    in_a_thread(close)
    ping.send("late")
    with signal_trace.record("next") as next_recording:
        ping.send("next")
    assert senders(recording.trace) == ["main"]
    assert senders(next_recording.trace) == ["next"]
    assert next_recording.trace.attributes == {}
    assert (ours() - before)["Window"] == 0


def test_an_async_block_left_in_another_context_than_it_was_entered_in() -> None:
    async def run() -> list[Trace]:
        recording = signal_trace.record()
        await asyncio.create_task(recording.__aenter__())
        ping.send("outside of the task's context")

        async def leave() -> None:
            async with signal_trace.record("own") as own:
                await recording.__aexit__(None, None, None)
                ping.send("own")
            traces.append(own.trace)

        traces: list[Trace] = []
        await asyncio.create_task(leave())
        return [recording.trace, *traces]

    assert [senders(one) for one in asyncio.run(run())] == [[], ["own"]]


def test_an_async_generator_with_a_recording_is_finished_by_its_loop() -> None:
    """The loop closes it in a task, and so a context, of its own."""
    recordings = []

    async def numbers() -> Any:
        with signal_trace.record() as recording:
            recordings.append(recording)
            ping.send("first")
            yield 1

    async def run() -> None:
        left = numbers()
        assert await anext(left) == 1

        async def again() -> None:
            assert await anext(numbers()) == 1

        await asyncio.create_task(again())

    asyncio.run(run())  # What is named once stays.
    recordings.clear()
    before = ours()
    asyncio.run(run())
    ping.send("late")
    # The task was started inside of the first.
    assert [senders(one.trace) for one in recordings] == [["first"] * 2, ["first"]]
    recordings.clear()
    assert ours() - before == Counter()
