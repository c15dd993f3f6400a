"""Traces are sent in the background: in their order, bounded, and whatever sinks do."""

from __future__ import annotations

import atexit
import itertools
import logging
import threading
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest
from django.dispatch import Signal
from django.http import HttpResponse
from django.test import RequestFactory

import signal_trace
from signal_trace import recording, sinks
from signal_trace.middleware import SignalTraceMiddleware
from signal_trace.sinks import losses, worker
from tests.alive import only_new as only_new
from tests.alive import ours

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from signal_trace import Recording, Trace

HERE = __name__

ping = Signal()
request_id: ContextVar[str] = ContextVar("request_id", default="none")

received: list[tuple[str, str, threading.Thread]] = []
hold = threading.Event()
held = threading.Event()


def keep(trace: Trace, label: str = "kept") -> None:
    received.append((label, trace.name, threading.current_thread()))


def hang(trace: Trace) -> None:
    """Goes on when `hold` is set."""
    held.set()
    hold.wait(60)
    keep(trace)


def fail(trace: Trace) -> None:
    raise OSError("the disk is full")


def leave(trace: Trace) -> None:
    raise SystemExit


def flush_again(trace: Trace) -> None:
    received.append((str(sinks.flush()), trace.name, threading.current_thread()))


def keep_request_id(trace: Trace) -> None:
    keep(trace, request_id.get())


def send(trace: Trace) -> None:
    ping.send("a sink")
    keep(trace)


class Connect:
    """Its constructor takes its time, as that of a client of some server may."""

    def __init__(self) -> None:
        received.append(("built", "", threading.current_thread()))
        if threading.current_thread() is not threading.main_thread():
            held.set()
            hold.wait(60)

    def __call__(self, trace: Trace) -> None:
        keep(trace)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker of the test's own, which hangs in nothing afterwards."""
    received.clear()
    hold.clear()
    held.clear()
    monkeypatch.setattr(sinks, "_state", sinks._State())
    monkeypatch.setattr(recording, "_reported", set())
    yield
    hold.set()
    assert sinks.flush(60)
    atexit.unregister(sinks._state.worker.close)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which losses are said."""
    clock = Clock()
    monkeypatch.setattr(losses, "monotonic", clock)
    return clock


def to(*names: str) -> dict[str, Any]:
    return {"SINKS": [{"BACKEND": f"{HERE}.{name}"} for name in names]}


def recorded(name: str, sends: int = 0) -> Recording:
    ping.connect(hear)
    try:
        with signal_trace.record(name) as recording:
            for _ in range(sends):
                ping.send(None)
    finally:
        ping.disconnect(hear)
    return recording


def hear(**kwargs: Any) -> None:
    """A receiver."""


def names() -> list[str]:
    return [name for _, name, _ in received]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "signal_trace.sinks"
    ]


def told() -> None:
    """Wait for what is said by a thread of its own."""
    assert sinks._state.worker._teller.wait(60)


def test_traces_are_sent_in_their_order_by_another_thread(settings: Settings) -> None:
    settings.SIGNAL_TRACE = to("keep")
    for number in range(50):
        sinks.submit(recorded(f"{number}"))
    assert sinks.flush(60)
    assert names() == [f"{number}" for number in range(50)]
    [thread] = {thread for _, _, thread in received}
    assert thread is not threading.current_thread()
    assert thread.daemon


def test_no_thread_is_started_before_the_first_trace(settings: Settings) -> None:
    settings.SIGNAL_TRACE = to("keep")
    assert sinks.flush(0)
    assert sinks._state.worker._thread is None
    sinks.submit(recorded("first"))
    assert sinks._state.worker._thread is not None


def test_trace_is_put_together_by_the_worker(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from signal_trace import ended

    by: list[threading.Thread] = []
    real = ended.assemble

    def assemble(*args: Any, **kwargs: Any) -> Any:
        by.append(threading.current_thread())
        return real(*args, **kwargs)

    monkeypatch.setattr(ended, "assemble", assemble)
    settings.SIGNAL_TRACE = to("keep")
    sinks.submit(recorded("one", sends=1))
    assert sinks.flush(60)
    assert by == [received[0][2]]


def test_without_sinks_nothing_is_put_together(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"SINKS": []}
    recording = recorded("one")
    sinks.submit(recording)
    assert sinks._state.worker._thread is None
    assert recording._ended is not None
    assert recording._ended._trace is None


def test_what_is_not_to_be_kept_is_not_sent(settings: Settings) -> None:
    settings.SIGNAL_TRACE = to("keep")
    for name in ("a", "b", "a", "b"):
        sinks.submit(recorded(name), lambda trace: trace.name == "b")
    assert sinks.flush(60)
    assert names() == ["b", "b"]


def test_rule_that_raises_keeps_the_trace(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    def rule(trace: Trace) -> bool:
        raise LookupError

    settings.SIGNAL_TRACE = to("keep")
    for name in ("a", "b"):
        sinks.submit(recorded(name), rule)
    assert sinks.flush(60)
    assert names() == ["a", "b"]
    assert [record.name for record in caplog.records] == ["signal_trace.bugs"]


def test_recording_that_is_still_open_is_a_bug_that_reaches_nobody(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNAL_TRACE = to("keep")
    with signal_trace.record("open") as recording:
        sinks.submit(recording)
    assert [record.name for record in caplog.records] == ["signal_trace.bugs"]
    sinks.submit(recording)
    assert sinks.flush(60)
    assert names() == ["open"]


def test_full_queue_drops_counts_and_says_who_is_at_work(
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
) -> None:
    monkeypatch.setattr(worker, "MOST_TRACES", 3)
    settings.SIGNAL_TRACE = to("hang")
    sinks.submit(recorded("at work"))
    assert held.wait(60)
    for number in range(3):
        sinks.submit(recorded(f"{number}"))
    assert said(caplog) == []
    for _ in range(5):
        sinks.submit(recorded("dropped"))
    told()
    [first] = said(caplog)
    assert first.startswith("Traces dropped, since the queue is full: 1. ")
    assert f" {HERE}.hang has been at work on one trace for " in first
    clock.now += 61
    sinks.submit(recorded("dropped"))
    told()
    assert said(caplog)[1].startswith("Traces dropped, since the queue is full: 5. ")
    hold.set()
    assert sinks.flush(60)
    assert names() == ["at work", "0", "1", "2"]
    sinks.submit(recorded("after"))
    assert sinks.flush(60)
    assert names()[-1] == "after"
    assert len(said(caplog)) == 2


def test_what_was_dropped_is_said_once_there_is_room(
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
) -> None:
    monkeypatch.setattr(worker, "MOST_TRACES", 1)
    settings.SIGNAL_TRACE = to("hang")
    sinks.submit(recorded("at work"))
    assert held.wait(60)
    for _ in range(4):
        sinks.submit(recorded("one stays"))
    told()
    clock.now += 61
    hold.set()
    assert sinks.flush(60)
    assert [one.partition(".")[0] for one in said(caplog)] == [
        "Traces dropped, since the queue is full: 1",
        "Traces dropped, since the queue is full: 2",
    ]


def test_sink_that_hangs_when_it_is_built_keeps_no_request_waiting(
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "MOST_TRACES", 1)
    settings.SIGNAL_TRACE = to("Connect")
    middleware = SignalTraceMiddleware(lambda request: HttpResponse())
    request = RequestFactory().get("/a/")
    assert "X-Signal-Trace-Id" in middleware(request).headers
    assert held.wait(60)
    for _ in range(2):
        middleware(request)
    told()
    (dropped,) = said(caplog)
    assert f" {HERE}.Connect has been at work on one trace for " in dropped
    hold.set()
    assert sinks.flush(60)
    assert [label for label, _, _ in received] == ["built", "kept", "kept"]
    assert threading.current_thread() not in {thread for _, _, thread in received}


def test_queue_is_bounded_by_sends_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MOST_SENDS", 10)
    settings.SIGNAL_TRACE = to("hang")
    sinks.submit(recorded("at work", sends=5))
    assert held.wait(60)
    sinks.submit(recorded("larger than all that", sends=30))
    sinks.submit(recorded("too much", sends=1))
    hold.set()
    assert sinks.flush(60)
    for name in ("a", "b"):
        sinks.submit(recorded(name, sends=10))
        assert sinks.flush(60)
    assert names() == ["at work", "larger than all that", "a", "b"]


def test_log_that_hangs_keeps_no_request_waiting(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hanging(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            hold.wait(60)

    handler = Hanging()
    logger = logging.getLogger("signal_trace.sinks")
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(worker, "MOST_TRACES", 1)
    settings.SIGNAL_TRACE = to("fail")
    for _ in range(5):  # The worker hangs, then whoever says that traces are dropped.
        sinks.submit(recorded("one"))
    assert not hold.is_set()
    assert sinks.flush(0) is False


def test_sink_that_raises_is_counted_and_said_once_a_minute(
    settings: Settings, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    settings.SIGNAL_TRACE = to("fail", "keep")
    for _ in range(10):
        sinks.submit(recorded("one"))
    assert sinks.flush(60)
    clock.now += 61
    sinks.submit(recorded("one"))
    assert sinks.flush(60)
    assert len(received) == 11
    first, second = [one.partition(" More")[0] for one in said(caplog)]
    assert first == f"The sink {HERE}.fail failed. Traces lost to it: 1."
    assert second == f"The sink {HERE}.fail failed. Traces lost to it: 10."
    assert caplog.text.count("OSError: the disk is full") == 2


def test_sink_that_ends_programs_does_not_end_the_worker(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNAL_TRACE = to("leave", "keep")
    for _ in range(3):
        sinks.submit(recorded("one"))
    assert sinks.flush(60)
    [message] = said(caplog)
    assert message.startswith("A sink tried to end the process. Traces lost: 1.")
    thread = sinks._state.worker._thread
    assert thread is not None
    assert thread.is_alive()


def test_flush_gives_up_after_its_time(settings: Settings) -> None:
    settings.SIGNAL_TRACE = to("hang")
    sinks.submit(recorded("one"))
    assert held.wait(60)
    assert sinks.flush(0.01) is False
    hold.set()
    assert sinks.flush() is True
    assert names() == ["one"]


def test_sink_that_flushes_does_not_wait_for_itself(settings: Settings) -> None:
    settings.SIGNAL_TRACE = to("flush_again")
    sinks.submit(recorded("one"))
    assert sinks.flush(60)
    assert [label for label, _, _ in received] == ["False"]


def test_many_threads_submit_and_flush_at_once(settings: Settings) -> None:
    settings.SIGNAL_TRACE = to("keep")

    def work(number: int) -> None:
        for turn in range(20):
            sinks.submit(recorded(f"{number}.{turn}"))
            assert sinks.flush(60)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(received) == len(set(names())) == 120


def test_queued_traces_go_to_the_sinks_of_their_time(settings: Settings) -> None:
    settings.SIGNAL_TRACE = to("hang")
    for name in ("old", "still old"):
        sinks.submit(recorded(name))
    assert held.wait(60)
    settings.SIGNAL_TRACE = {
        "SINKS": [{"BACKEND": f"{HERE}.keep", "OPTIONS": {"label": "changed"}}]
    }
    sinks.submit(recorded("new"))
    hold.set()
    assert sinks.flush(60)
    assert [(label, name) for label, name, _ in received] == [
        ("kept", "old"),
        ("kept", "still old"),
        ("changed", "new"),
    ]


def test_worker_lets_traces_gather_and_rests_after_each_for_as_long_as_it_worked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SIGNAL_TRACE = to("keep")
    times = itertools.accumulate([0.003, 1, 0.001, 1, 5], initial=0)
    monkeypatch.setattr(worker.time, "thread_time", lambda: next(times))
    waits: list[float] = []
    gathered, rested = threading.Semaphore(0), threading.Semaphore(0)
    idle = threading.Semaphore(0)
    changed = sinks._state.worker._changed
    real = changed.wait_for

    def wait_for(predicate: Any, timeout: float | None = None) -> Any:
        if not threading.current_thread().daemon:
            return real(predicate, timeout)
        if timeout is None:
            if not predicate():
                idle.release()
            return real(predicate)
        waits.append(round(timeout, 6))
        if timeout == worker.GATHERING:
            # Without the lock, which who submits needs.
            assert real(lambda: gathered.acquire(blocking=False), 60)
        else:
            rested.release()
        return None

    monkeypatch.setattr(changed, "wait_for", wait_for)
    for several in (1, 2):
        for _ in range(several):
            sinks.submit(recorded("one"))
        with changed:
            gathered.release()
            changed.notify_all()
        for _ in range(several):
            assert rested.acquire(timeout=60)
        assert idle.acquire(timeout=60)
    gathering = worker.GATHERING
    assert waits == [gathering, 0.003, gathering, 0.001, worker.LONGEST_REST]


def test_who_flushes_does_not_wait_for_traces_to_gather(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "GATHERING", 600)
    settings.SIGNAL_TRACE = to("keep")
    sinks.submit(recorded("one"))
    assert sinks.flush(60)
    assert [name for _, name, _ in received] == ["one"]


@pytest.mark.parametrize("most", ["MOST_TRACES", "MOST_SENDS"])
def test_traces_gather_no_longer_than_there_is_room_for_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, most: str
) -> None:
    monkeypatch.setattr(worker, "GATHERING", 600)
    monkeypatch.setattr(worker, most, 4)
    settings.SIGNAL_TRACE = to("keep")
    for _ in range(2):
        sinks.submit(recorded("one", sends=1))
    sender = sinks._state.worker
    with sender._changed:
        assert sender._changed.wait_for(lambda: sender._done == 2, 60)
    assert len(received) == 2


class Interrupted(deque[Any]):
    """A signal comes after the first that is added, and its handler raises."""

    has_been = False

    def append(self, job: Any) -> None:
        super().append(job)
        if not self.has_been:
            self.has_been = True
            raise TimeoutError


def test_traces_are_sent_after_a_signal_that_came_while_one_was_queued(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.SIGNAL_TRACE = to("keep")
    sinks.submit(recorded("before"))
    assert sinks.flush(60)
    sender = sinks._state.worker
    monkeypatch.setattr(sender, "_jobs", Interrupted())
    sinks.submit(recorded("interrupted"))
    assert [record.name for record in caplog.records] == ["signal_trace.bugs"]
    caplog.clear()
    sinks.submit(recorded("after"))
    with sender._changed:
        assert sender._changed.wait_for(lambda: sender._done == 3, 60)
    names = [name for _, name, _ in received]
    assert names == ["before", "interrupted", "after"]
    sender.close()
    assert not caplog.records


def test_sinks_run_in_the_context_that_was_recorded(settings: Settings) -> None:
    settings.SIGNAL_TRACE = to("keep_request_id")
    for number in ("r1", "r2"):
        token = request_id.set(number)
        sinks.submit(recorded("one"))
        request_id.reset(token)
    assert sinks.flush(60)
    assert [label for label, _, _ in received] == ["r1", "r2"]


def test_what_a_sink_sends_is_in_no_recording_that_is_still_open(
    settings: Settings,
) -> None:
    settings.SIGNAL_TRACE = to("send")
    ping.connect(hear)
    try:
        with signal_trace.record("outer") as outer:
            with signal_trace.record("inner") as inner:
                pass
            sinks.submit(inner)
            assert sinks.flush(60)
    finally:
        ping.disconnect(hear)
    assert names() == ["inner"]
    assert outer.trace.sends == ()


def test_worker_that_died_is_replaced(settings: Settings) -> None:
    settings.SIGNAL_TRACE = to("keep")
    dead = threading.Thread(target=lambda: None)
    dead.start()
    dead.join()
    sinks._state.worker._thread = dead
    sinks.submit(recorded("one"))
    assert sinks.flush(60)
    assert names() == ["one"]
    assert received[0][2] is not threading.current_thread()


def test_where_no_thread_can_be_started_flush_sends(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    settings.SIGNAL_TRACE = to("keep")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        for name in ("one", "two"):
            sinks.submit(recorded(name))
        assert received == []
        assert sinks.flush(60)
    assert names() == ["one", "two"]
    assert {thread for _, _, thread in received} == {threading.current_thread()}


def test_worker_keeps_nothing_alive_that_it_has_sent(
    settings: Settings, only_new: None
) -> None:
    settings.SIGNAL_TRACE = to("keep")
    sinks.submit(recorded("one", sends=3))
    assert sinks.flush(60)
    alive = ours()
    assert not {"Trace", "Send", "Window", "Recording", "Job"} & set(alive)


def test_at_the_end_what_is_queued_is_sent_and_what_is_lost_is_said(
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.SIGNAL_TRACE = to("fail", "hang")
    monkeypatch.setattr(worker, "EXIT_SECONDS", 0.01)
    monkeypatch.setattr(worker, "MOST_TRACES", 3)
    for _ in range(3):
        sinks.submit(recorded("one"))
    assert held.wait(60)
    for _ in range(4):
        sinks.submit(recorded("one"))
    told()
    sinks._state.worker.close()
    failed, dropped, *rest = said(caplog)
    assert failed.startswith(f"The sink {HERE}.fail failed. Traces lost to it: 1.")
    assert "the queue is full: 1." in dropped
    assert "the queue is full: 2." in rest[0]
    assert "before they were sent: 4." in rest[1]
    assert f"{HERE}.hang has been at work" in rest[1]
    caplog.clear()
    hold.set()
    assert sinks.flush(60)
    sinks._state.worker.close()
    assert said(caplog) == [f"The sink {HERE}.fail failed. Traces lost to it: 3."]
