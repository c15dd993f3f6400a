from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import inspect
import subprocess
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.dispatch import Signal
from pytest_django import Settings

import signal_trace
from signal_trace import dispatch, ended, entrance, recording
from signal_trace.recording import position, window_at
from tests.alive import ours

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from signal_trace import Trace
    from tests.fake_clock import FakeClock

MS = 1_000_000


def receive(**kwargs: Any) -> None:
    pass


ping = Signal()
ping.connect(receive)


def senders(trace: Trace) -> list[str]:
    return [send.sender for send in trace.sends]


def test_the_trace_says_what_was_recorded(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    monkeypatch.setattr(recording, "now", lambda: began)
    with signal_trace.record("checkout", kind="command", order=5) as one:
        clock.pass_ms(7)
    trace = one.trace
    assert (trace.name, trace.kind) == ("checkout", "command")
    assert trace.attributes == {"order": 5}
    assert trace.started_at == began
    assert trace.duration_ns == 7 * MS
    assert len(trace.id) == 32
    assert int(trace.id, 16) >= 0
    assert trace.error is None


def test_two_recordings_have_two_ids() -> None:
    with signal_trace.record() as one:
        pass
    with signal_trace.record() as other:
        pass
    assert one.trace.id != other.trace.id


def test_attributes_may_be_added_until_the_block_ends() -> None:
    with signal_trace.record() as one:
        one.attributes["status"] = 200
    one.attributes["late"] = True
    assert one.trace.attributes == {"status": 200}


def test_attributes_that_json_has_no_form_for_are_named_by_their_type() -> None:
    class Unprintable:
        def __repr__(self) -> str:
            raise AssertionError

        __str__ = __repr__

    with signal_trace.record(
        thing=Unprintable(),
        ratio=float("nan"),
        many=(1, {"a": None, "b": Unprintable()}),
    ) as one:
        pass
    name = f"{__name__}.{Unprintable.__qualname__}"
    assert one.trace.attributes == {
        "thing": name,
        "ratio": "nan",
        "many": [1, {"a": None, "b": name}],
    }
    assert one.trace.from_json(one.trace.to_json()) == one.trace


def test_attributes_without_end_or_measure_leave_the_trace_whole() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with signal_trace.record(
        "\ud800", endless=endless, huge=10**5000, text="\udc00"
    ) as one:
        ping.send("\udfff")
    trace = one.trace
    assert trace.attributes == {
        "endless": [[[[["list"]]]]],
        "huge": "int",
        "text": "\\udc00",
    }
    assert trace.name == "\\ud800"
    assert senders(trace) == ["\\udfff"]
    assert trace.from_json(trace.to_json()) == trace


@pytest.mark.parametrize("arguments", [{"name": 5}, {"kind": None}])
def test_names_and_kinds_are_strings(arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="takes strings"):
        signal_trace.record(**arguments)


def test_a_decorator_without_parentheses_says_what_is_missing() -> None:
    with pytest.raises(TypeError, match=r"@record\(\), with parentheses"):

        @signal_trace.record  # type: ignore[arg-type]
        def work() -> None: ...


def test_there_is_no_trace_before_the_block_has_ended() -> None:
    with signal_trace.record() as one, pytest.raises(RuntimeError, match="has ended"):
        _ = one.trace


def test_a_recording_is_opened_once() -> None:
    one = signal_trace.record()
    with one, pytest.raises(RuntimeError, match="opened once"):
        one.__enter__()
    with pytest.raises(RuntimeError, match="opened once"):
        one.__enter__()


def test_closing_twice_is_closing_once() -> None:
    one = signal_trace.record()
    with one:
        ping.send("x")
    trace = one.trace
    one.__exit__(None, None, None)
    assert one.trace is trace


def test_an_exception_passes_through_and_is_noted() -> None:
    error = ValueError("no")
    one = signal_trace.record()

    def run() -> None:
        with one:
            ping.send("before")
            raise error

    with pytest.raises(ValueError, match="no") as raised:
        run()
    assert raised.value is error
    assert one.trace.error is not None
    assert one.trace.error.type == "ValueError"
    assert one.trace.error.message == "no"
    assert one.trace.error.frames[-1].file == __file__
    assert senders(one.trace) == ["before"]


def test_an_async_block() -> None:
    async def run() -> Trace:
        async with signal_trace.record("async") as one:
            await ping.asend("x")
        return one.trace

    assert senders(asyncio.run(run())) == ["x"]


def test_concurrent_tasks_record_their_own_sends() -> None:
    async def run(name: str) -> Trace:
        async with signal_trace.record(name) as one:
            for turn in range(3):
                await asyncio.sleep(0)
                await ping.asend(f"{name} {turn}")
        return one.trace

    async def both() -> list[Trace]:
        return await asyncio.gather(*(run(str(n)) for n in range(20)))

    for number, trace in enumerate(asyncio.run(both())):
        assert senders(trace) == [f"{number} {turn}" for turn in range(3)]


def test_concurrent_threads_record_their_own_sends() -> None:
    barrier = threading.Barrier(8)
    traces: dict[int, Trace] = {}

    def run(number: int) -> None:
        with signal_trace.record() as one:
            for turn in range(20):
                barrier.wait()
                ping.send(f"{number} {turn}")
        traces[number] = one.trace

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(8):
        assert senders(traces[number]) == [f"{number} {turn}" for turn in range(20)]


# Nested recordings.


def test_a_recording_inside_another_has_its_own_window_of_it() -> None:
    with signal_trace.record("outer") as outer:
        ping.send("before")
        with signal_trace.record("inner") as inner:
            ping.send("inside")
            Signal().send(int)
        ping.send("after")
        Signal().send(dict)
    assert senders(inner.trace) == ["inside"]
    assert senders(outer.trace) == ["before", "inside", "after"]
    assert inner.trace.attributes == {"outer": outer.trace.id}
    assert outer.trace.attributes == {}
    assert inner.trace.id != outer.trace.id
    assert [one.sender for one in inner.trace.unreceived] == ["int"]
    assert {one.sender for one in outer.trace.unreceived} == {"int", "dict"}


def test_an_inner_recording_in_a_receiver_keeps_the_outer_parent() -> None:
    inner_traces = []

    def record_inside(**kwargs: Any) -> None:
        with signal_trace.record("inner") as inner:
            ping.send("inside")
        inner_traces.append(inner.trace)

    signal = Signal()
    signal.connect(record_inside)
    with signal_trace.record("outer") as outer:
        signal.send("top")
    top, inside = outer.trace.sends
    assert inside.parent == top.calls[0].id
    (inner_inside,) = inner_traces[0].sends
    assert inner_inside.parent is None
    assert inner_inside.sender == "inside"


def test_times_of_the_inner_trace_count_from_its_own_start(clock: FakeClock) -> None:
    with signal_trace.record() as outer:
        clock.pass_ms(5)
        with signal_trace.record() as inner:
            clock.pass_ms(2)
            ping.send("x")
    assert outer.trace.sends[0].start_ns == 7 * MS
    assert inner.trace.sends[0].start_ns == 2 * MS
    assert inner.trace.duration_ns == 2 * MS


def test_recordings_three_deep() -> None:
    with signal_trace.record() as a:
        with signal_trace.record() as b:
            with signal_trace.record() as c:
                ping.send("deep")
            ping.send("middle")
    assert [senders(one.trace) for one in (a, b, c)] == [
        ["deep", "middle"],
        ["deep", "middle"],
        ["deep"],
    ]


def test_an_inner_recording_that_ends_after_the_outer_one_goes_on() -> None:
    outer, inner = signal_trace.record("outer"), signal_trace.record("inner")
    outer.__enter__()
    inner.__enter__()
    ping.send("both")
    outer.__exit__(None, None, None)
    ping.send("inner only")
    inner.__exit__(None, None, None)
    ping.send("neither")
    assert senders(outer.trace) == ["both"]
    assert senders(inner.trace) == ["both", "inner only"]
    assert window_at(position.get()) is None


def test_a_recording_that_is_never_closed_harms_no_later_one() -> None:
    def forget() -> None:
        signal_trace.record("forgotten").__enter__()
        ping.send("x")

    contextvars.copy_context().run(forget)
    with signal_trace.record() as one:
        ping.send("y")
    assert senders(one.trace) == ["y"]


def test_a_recording_that_is_dropped_open_takes_its_patches_along() -> None:
    open_before = dispatch.patches._recordings

    def forget() -> None:
        signal_trace.record("forgotten").__enter__()

    forget()
    gc.collect()
    assert dispatch.patches._recordings == open_before
    assert window_at(position.get()) is None


def test_a_recording_closed_in_another_context_leaves_that_context_alone() -> None:
    one = signal_trace.record("one")
    contextvars.copy_context().run(one.__enter__)

    with signal_trace.record("other") as other:
        one.__exit__(None, None, None)
        ping.send("x")
    assert senders(one.trace) == []
    assert senders(other.trace) == ["x"]


def test_a_copied_context_records_until_the_recording_ends() -> None:
    with signal_trace.record() as one:
        context = contextvars.copy_context()
        context.run(ping.send, "during")
    context.run(ping.send, "after")
    assert senders(one.trace) == ["during"]


def test_a_recording_that_ends_during_a_send_keeps_nothing_of_the_rest() -> None:
    before = ours()["SendRecord"]  # Other tests may hold recordings of theirs.
    one = signal_trace.record()
    signal = Signal()

    def close(**kwargs: Any) -> None:
        one.__exit__(None, None, None)

    def send_on(**kwargs: Any) -> None:
        ping.send("after")

    async def send_later(**kwargs: Any) -> None:
        await ping.asend("later")

    for receiver in (close, send_on, send_later):
        signal.connect(receiver)
    one.__enter__()
    assert len(signal.send("x")) == 3
    assert window_at(position.get()) is None
    (send,) = one.trace.sends
    assert [call.receiver.rpartition(".")[2] for call in send.calls] == ["close"]
    assert (send.duration_ns, send.calls[0].duration_ns) == (None, None)
    assert ours()["SendRecord"] <= before


# As a decorator.


def test_a_decorated_function_is_recorded_at_each_call() -> None:
    recording = signal_trace.record("work", size=3)

    @recording
    def work(sender: str) -> str:
        """Works."""
        ping.send(sender)
        return sender

    assert work("a") == "a"
    first = recording.trace
    assert work(sender="b") == "b"
    assert [senders(first), senders(recording.trace)] == [["a"], ["b"]]
    assert (first.name, first.attributes) == ("work", {"size": 3})
    assert recording.trace.id != first.id
    assert work.__doc__ == "Works."


def test_a_decorated_function_that_raises_has_a_trace() -> None:
    recording = signal_trace.record()

    @recording
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert recording.trace.error is not None
    assert recording.trace.error.message == "no"


def test_a_decorated_coroutine_function() -> None:
    recording = signal_trace.record("work")

    @recording
    async def work() -> int:
        await ping.asend("x")
        return 5

    assert inspect.iscoroutinefunction(work)
    assert asyncio.run(work()) == 5
    assert senders(recording.trace) == ["x"]


def test_generator_functions_are_refused() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    async def async_numbers() -> AsyncIterator[int]:
        yield 1

    for function in (numbers, async_numbers):
        with pytest.raises(TypeError, match=r"generator function .*numbers"):
            signal_trace.record()(function)


# Our own failures.


@pytest.mark.parametrize(
    ("module", "broken"), [(ended, "assemble"), (entrance, "Window")]
)
def test_a_bug_of_ours_is_logged_and_the_block_runs(
    module: Any,
    broken: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real = getattr(module, broken)
    failures = iter([True])

    def fail_once(*args: Any, **kwargs: Any) -> Any:
        if next(failures, False):
            raise LookupError("ours")
        return real(*args, **kwargs)

    monkeypatch.setattr(recording, "_reported", set())
    monkeypatch.setattr(module, broken, fail_once)
    done = []
    with signal_trace.record("x") as one:
        ping.send("x")
        done.append(True)
    assert done == [True]
    assert one.trace.name == "x"
    assert one.trace is one.trace
    assert [record.name for record in caplog.records] == ["signal_trace.bugs"]
    with signal_trace.record() as next_one:
        ping.send("y")
    assert senders(next_one.trace) == ["y"]


def test_attributes_that_are_none_are_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recording, "_reported", set())
    with signal_trace.record("x") as one:
        one.attributes = None  # type: ignore[assignment]
    assert (one.trace.name, one.trace.attributes) == ("x", {})
    assert [record.name for record in caplog.records] == ["signal_trace.bugs"]


OFF = """
from django.dispatch import Signal

NAMES = ["send", "send_robust", "asend", "asend_robust",
         "has_listeners", "_live_receivers", "_log_robust_failure"]
before = [Signal.__dict__[name] for name in NAMES]
import signal_trace
assert [Signal.__dict__[name] for name in NAMES] == before, "at import"
for _ in range(20):
    with signal_trace.record():
        assert Signal.send is not before[0], "recording"
    after = [Signal.__dict__[name] for name in NAMES]
    assert all(a is b for a, b in zip(after, before)), "after a recording"
for _ in range(200):
    with signal_trace.record():
        pass
assert Signal.send is not before[0], "taken out more than 100 times"
print("off")
"""


def test_without_an_entrance_django_has_its_own_functions_before_and_after() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", OFF], capture_output=True, text=True, check=False
    )
    assert finished.stdout == "off\n", finished.stderr


def test_ignored_receivers_that_never_ran_are_left_out(settings: Settings) -> None:
    def fail(**kwargs: Any) -> None:
        raise ValueError("no")

    def never(**kwargs: Any) -> None: ...

    def nor_this(**kwargs: Any) -> None: ...

    signal = Signal()
    for receiver in (fail, never, nor_this):
        signal.connect(receiver)
    name = f"{__name__}.test_ignored_receivers_that_never_ran_are_left_out.<locals>"
    settings.SIGNAL_TRACE = {"IGNORE": [f"{name}.fail", f"{name}.never"]}
    with signal_trace.record() as one, pytest.raises(ValueError, match="no"):
        signal.send("x")
    (send,) = one.trace.sends
    assert send.calls == ()
    assert [missed.receiver for missed in one.trace.not_called] == [f"{name}.nor_this"]


def test_attributes_with_other_keys_than_strings_are_kept() -> None:
    with signal_trace.record() as one:
        one.attributes[(1, 2)] = 3  # type: ignore[index]
    assert one.trace.attributes == {"tuple": 3}
    assert one.trace.from_json(one.trace.to_json()) == one.trace


def test_a_partial_of_a_generator_function_is_refused_clearly() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="generator function"):
        signal_trace.record()(functools.partial(numbers))
