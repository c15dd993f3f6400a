"""Each case runs Django's own dispatcher under a recording."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import logging
import weakref
from typing import TYPE_CHECKING, Any
from unittest import mock

import django
import pytest
from django.dispatch import Signal

import signal_trace
from signal_trace import Trace, async_calls, dispatch, recording, sends, sync_calls
from signal_trace.parts import Call, Send
from tests.alive import ours

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fake_clock import FakeClock

MS = 1_000_000


class Sender:
    pass


@pytest.fixture(autouse=True)
def no_entrance(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process without panel and middleware, where patches come out again."""
    monkeypatch.setattr(dispatch.patches, "_entrances", weakref.WeakSet())
    monkeypatch.setattr(dispatch.patches, "_removals", 0)
    with signal_trace.record():
        pass  # Takes out what earlier tests have left in.


def named(trace: Trace) -> list[tuple[str, list[str]]]:
    """Each send's method, and the last names of the receivers that it called."""
    return [
        (send.method, [call.receiver.rpartition(".")[2] for call in send.calls])
        for send in trace.sends
    ]


def only_send(trace: Trace) -> Send:
    (send,) = trace.sends
    return send


def only_call(trace: Trace) -> Call:
    (call,) = only_send(trace).calls
    return call


async def asend(signal: Signal, **named: Any) -> Any:
    return await signal.asend(Sender, **named)


async def asend_robust(signal: Signal, **named: Any) -> Any:
    return await signal.asend_robust(Sender, **named)


SEND: dict[str, Callable[..., Any]] = {
    "send": lambda signal, **named: signal.send(Sender, **named),
    "send_robust": lambda signal, **named: signal.send_robust(Sender, **named),
    "asend": lambda signal, **named: asyncio.run(asend(signal, **named)),
    "asend_robust": lambda signal, **named: asyncio.run(asend_robust(signal, **named)),
}
every_method = pytest.mark.parametrize("method", SEND)


def connected(*receivers: Callable[..., Any], use_caching: bool = False) -> Signal:
    signal = Signal(use_caching=use_caching)
    for receiver in receivers:
        signal.connect(receiver, weak=False)
    return signal


def first(**kwargs: Any) -> str:
    return "first"


def second(**kwargs: Any) -> str:
    return "second"


async def later(**kwargs: Any) -> str:
    await asyncio.sleep(0)
    return "later"


async def latest(**kwargs: Any) -> str:
    await asyncio.sleep(0)
    return "latest"


def failing(**kwargs: Any) -> None:
    raise ValueError("no")


async def failing_later(**kwargs: Any) -> None:
    await asyncio.sleep(0)
    raise ValueError("no")


@every_method
def test_every_method_is_recorded_with_sync_and_async_receivers(method: str) -> None:
    signal = connected(first, later, second, latest)
    with signal_trace.record() as recording:
        responses = SEND[method](signal)

    assert responses == [
        (first, "first"),
        (second, "second"),
        (later, "later"),
        (latest, "latest"),
    ]
    send = only_send(recording.trace)
    assert send.method == method
    assert send.sender == f"{__name__}.Sender"
    assert {
        (call.receiver.rpartition(".")[2], call.is_async) for call in send.calls
    } == {
        ("first", False),
        ("second", False),
        ("later", True),
        ("latest", True),
    }
    assert all(call.duration_ns is not None for call in send.calls)
    assert all(call.error is None for call in send.calls)


@every_method
def test_named_arguments_reach_receivers_untouched(method: str) -> None:
    seen: list[dict[str, Any]] = []

    def remember(**kwargs: Any) -> None:
        seen.append(kwargs)

    async def remember_later(**kwargs: Any) -> None:
        seen.append(kwargs)

    signal = connected(remember, remember_later)
    with signal_trace.record():
        SEND[method](signal, instance=5, original="x", method="y", record=0)

    expected = {
        "signal": signal,
        "sender": Sender,
        "instance": 5,
        "original": "x",
        "method": "y",
        "record": 0,
    }
    assert seen == [expected, expected]


def test_wrong_arguments_are_answered_as_by_django() -> None:
    with pytest.raises(TypeError) as without:
        Signal().send()  # type: ignore[call-arg]
    with signal_trace.record(), pytest.raises(TypeError) as within:
        Signal().send()  # type: ignore[call-arg]
    assert str(within.value) == str(without.value)


def test_total_and_self_time(clock: FakeClock) -> None:
    inner = Signal()

    def slow(**kwargs: Any) -> None:
        clock.pass_ms(3)

    def outer(**kwargs: Any) -> None:
        clock.pass_ms(1)
        inner.send(Sender)
        clock.pass_ms(2)
        inner.send(Sender)

    inner.connect(slow)
    with signal_trace.record() as recording:
        clock.pass_ms(10)
        connected(outer, slow).send(Sender)

    top, nested, nested_again = recording.trace.sends
    assert (top.start_ns, top.duration_ns) == (10 * MS, 12 * MS)
    caller, sibling = top.calls
    assert (caller.start_ns, caller.duration_ns) == (10 * MS, 9 * MS)
    assert caller.self_ns == 3 * MS
    assert (sibling.start_ns, sibling.duration_ns) == (19 * MS, 3 * MS)
    assert sibling.self_ns == 3 * MS
    assert nested.parent == nested_again.parent == caller.id
    assert nested.start_ns == 11 * MS


def test_self_time_counts_concurrent_nested_sends_once(clock: FakeClock) -> None:
    inner = Signal()

    async def wait(**kwargs: Any) -> None:
        await asyncio.sleep(0)
        clock.pass_ms(5)
        await asyncio.sleep(0)

    async def outer(**kwargs: Any) -> None:
        clock.pass_ms(1)
        await asyncio.gather(inner.asend(Sender), inner.asend(Sender))

    inner.connect(wait)
    with signal_trace.record() as recording:
        asyncio.run(asend(connected(outer)))

    call = recording.trace.sends[0].calls[0]
    assert call.duration_ns == 11 * MS
    assert call.self_ns == 1 * MS


def test_nested_sends_form_a_tree() -> None:
    leaf, middle = Signal(), Signal()
    leaf.connect(first)

    def send_leaf(**kwargs: Any) -> None:
        leaf.send(Sender)

    def send_middle(**kwargs: Any) -> None:
        middle.send(Sender)
        leaf.send(Sender)

    middle.connect(send_leaf)
    with signal_trace.record() as recording:
        connected(send_middle, second).send(Sender)
        leaf.send(Sender)

    top, middle_send, deep, shallow, last = recording.trace.sends
    send_middle_call, second_call = top.calls
    assert middle_send.parent == send_middle_call.id
    assert deep.parent == middle_send.calls[0].id
    assert shallow.parent == send_middle_call.id
    assert (top.parent, last.parent) == (None, None)
    assert second_call.self_ns == second_call.duration_ns


def test_a_receiver_that_sends_its_own_signal_again() -> None:
    signal = Signal()

    def recurse(depth: int, **kwargs: Any) -> None:
        if depth:
            signal.send(Sender, depth=depth - 1)

    signal.connect(recurse)
    with signal_trace.record() as recording:
        signal.send(Sender, depth=3)

    sends = recording.trace.sends
    assert [send.parent for send in sends] == [
        None,
        *(send.calls[0].id for send in sends[:-1]),
    ]


@pytest.mark.parametrize("method", ["send", "asend"])
def test_an_exception_is_tied_to_the_receiver_that_raised(method: str) -> None:
    signal = connected(first, failing, second)
    with signal_trace.record() as recording, pytest.raises(ValueError, match="no"):
        SEND[method](signal)

    send = only_send(recording.trace)
    assert [call.error and call.error.type for call in send.calls] == [
        None,
        "ValueError",
    ]
    error = send.calls[1].error
    assert error is not None
    assert error.message == "no"
    assert [frame.function for frame in error.frames] == ["failing"]
    assert send.error is not None
    assert send.error.type == "ValueError"
    assert send.duration_ns is not None


def test_receivers_that_never_ran_are_named() -> None:
    signal = connected(first, failing, second, later)
    with signal_trace.record() as recording, pytest.raises(ValueError, match="no"):
        signal.send(Sender)

    never_ran = recording.trace.not_called
    assert [one.receiver.rpartition(".")[2] for one in never_ran] == [
        "second",
        "later",
    ]
    assert {one.send for one in never_ran} == {only_send(recording.trace).id}
    assert {one.file for one in never_ran} == {__file__}
    assert {one.reason for one in never_ran} == {"earlier receiver raised"}


def test_async_receivers_of_asend_after_a_sync_one_raised() -> None:
    signal = connected(failing, later)
    with signal_trace.record() as recording, pytest.raises(ValueError, match="no"):
        SEND["asend"](signal)

    called = named(recording.trace)[0][1]
    missed = [one.receiver.rpartition(".")[2] for one in recording.trace.not_called]
    # Django 6.1 runs the sync receivers first, earlier versions all together.
    if django.VERSION >= (6, 1):
        assert (called, missed) == (["failing"], ["later"])
    else:
        assert (sorted(called), missed) == (["failing", "later"], [])


@pytest.mark.parametrize("method", ["send_robust", "asend_robust"])
def test_a_swallowed_exception_is_tied_to_its_receiver(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    signal = connected(first, failing, second, failing_later, later)
    with signal_trace.record() as recording:
        responses = dict(SEND[method](signal))

    assert isinstance(responses[failing], ValueError)
    assert isinstance(responses[failing_later], ValueError)
    send = only_send(recording.trace)
    assert send.error is None
    errors = {
        call.receiver.rpartition(".")[2]: call.error and call.error.message
        for call in send.calls
    }
    assert errors == {
        "first": None,
        "failing": "no",
        "second": None,
        "failing_later": "no",
        "later": None,
    }
    assert recording.trace.not_called == ()
    assert sorted(record.args[0] for record in caplog.records) == [  # type: ignore[index]
        "failing",
        "failing_later",
    ]


def test_logging_a_failure_is_not_the_receivers_time(clock: FakeClock) -> None:
    class SlowHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            clock.pass_ms(50)

    def fail(**kwargs: Any) -> None:
        clock.pass_ms(2)
        raise ValueError

    logger = logging.getLogger("django.dispatch")
    handler = SlowHandler()
    logger.addHandler(handler)
    try:
        with signal_trace.record() as recording:
            connected(fail).send_robust(Sender)
    finally:
        logger.removeHandler(handler)

    assert only_call(recording.trace).duration_ns == 2 * MS


def test_what_a_log_handler_sends_is_not_the_receivers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    noticed = connected(first)

    class SendingHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            noticed.send(Sender)

    logger = logging.getLogger("django.dispatch")
    handler = SendingHandler()
    logger.addHandler(handler)
    try:
        with signal_trace.record() as recording:
            connected(failing, second).send_robust(Sender)
    finally:
        logger.removeHandler(handler)

    assert [send.parent for send in recording.trace.sends] == [None, None]


def test_an_exception_that_is_returned_was_not_raised() -> None:
    error = ValueError("returned")

    def give_back(**kwargs: Any) -> ValueError:
        return error

    signal = connected(give_back)
    with signal_trace.record() as recording:
        assert signal.send_robust(Sender) == [(give_back, error)]
    assert only_call(recording.trace).error is None


@every_method
def test_unreceived_sends_are_counted_by_signal_and_sender(method: str) -> None:
    with signal_trace.record() as recording:
        for _ in range(3):
            SEND[method](Signal())
        SEND[method](connected(use_caching=True))
    assert recording.trace.sends == ()
    assert [(one.sender, one.count) for one in recording.trace.unreceived] == [
        (f"{__name__}.Sender", 4)
    ]


@pytest.mark.parametrize("use_caching", [False, True])
def test_a_send_is_unreceived_when_receivers_want_other_senders(
    use_caching: bool,
) -> None:
    signal = Signal(use_caching=use_caching)
    signal.connect(first, sender=Sender)
    with signal_trace.record() as recording:
        for _ in range(3):
            assert signal.send(int) == []
        signal.send(Sender)
    assert named(recording.trace) == [("send", ["first"])]
    assert [(one.sender, one.count) for one in recording.trace.unreceived] == [
        ("int", 3)
    ]


def test_has_listeners_is_not_a_send() -> None:
    signal = connected(first, later)
    answers = []

    def ask(**kwargs: Any) -> None:
        answers.append(signal.has_listeners(Sender))

    with signal_trace.record() as recording:
        assert signal.has_listeners(Sender)
        assert not Signal().has_listeners(Sender)
        connected(ask).send(Sender)
    assert answers == [True]
    assert named(recording.trace) == [("send", ["ask"])]


def test_recording_connects_nothing() -> None:
    signal = Signal()
    with signal_trace.record():
        assert signal.receivers == []
        assert not signal.has_listeners()


def test_receivers_are_disconnected_and_connected_while_running() -> None:
    signal = Signal()

    def replace(**kwargs: Any) -> None:
        signal.disconnect(replace)
        signal.connect(second)

    signal.connect(replace)
    signal.connect(first)
    with signal_trace.record() as recording:
        signal.send(Sender)
        signal.send(Sender)
    assert named(recording.trace) == [
        ("send", ["replace", "first"]),
        ("send", ["first", "second"]),
    ]


def test_a_subclass_that_reorders_live_receivers_is_timed(clock: FakeClock) -> None:
    class Sorted(Signal):
        def _live_receivers(self, sender: Any) -> Any:
            sync_receivers, async_receivers = super()._live_receivers(sender)  # type: ignore[misc]
            by_name = sorted(sync_receivers, key=lambda one: one.__name__)
            return by_name, async_receivers

    def b(**kwargs: Any) -> None:
        clock.pass_ms(2)

    def a(**kwargs: Any) -> None:
        clock.pass_ms(1)

    signal = Sorted()
    signal.connect(b)
    signal.connect(a)
    original = Sorted.__dict__["_live_receivers"]
    with signal_trace.record() as recording:
        signal.send(Sender)

    durations = [
        (call.receiver.rpartition(".")[2], call.duration_ns)
        for call in only_send(recording.trace).calls
    ]
    assert durations == [("a", 1 * MS), ("b", 2 * MS)]
    assert Sorted.__dict__["_live_receivers"] is original


def test_a_subclass_that_overrides_send_is_recorded_once() -> None:
    class Loud(Signal):
        def send(self, sender: Any, **named: Any) -> Any:
            return super().send(sender, loud=True, **named)

    signal = Loud()
    signal.connect(first)
    with signal_trace.record() as recording:
        assert signal.send(Sender) == [(first, "first")]
    assert named(recording.trace) == [("send", ["first"])]


def test_others_that_patch_live_receivers_meanwhile_are_kept_and_calls_timed(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(**kwargs: Any) -> None:
        clock.pass_ms(4)

    signal = connected(slow)
    called = []
    with signal_trace.record() as recording:
        below = Signal._live_receivers  # type: ignore[attr-defined]

        def wrapping(self: Signal, sender: Any) -> Any:
            sync_receivers, async_receivers = below(self, sender)

            def wrap(receiver: Any) -> Any:
                @functools.wraps(receiver)
                def wrapper(*args: Any, **kwargs: Any) -> Any:
                    called.append(receiver)
                    return receiver(*args, **kwargs)

                return wrapper

            return [wrap(one) for one in sync_receivers], async_receivers

        monkeypatch.setattr(Signal, "_live_receivers", wrapping)
        signal.send(Sender)

    assert Signal._live_receivers is wrapping  # type: ignore[attr-defined]
    assert called == [slow]
    assert only_call(recording.trace).duration_ns == 4 * MS
    assert only_call(recording.trace).receiver.endswith("slow")


def test_a_mock_of_send_that_outlives_the_recording_is_kept() -> None:
    signal = connected(first)
    original = Signal.send
    with signal_trace.record() as outer:
        patcher = mock.patch.object(Signal, "send", autospec=True)
        patched = patcher.start()
        signal.send(Sender)
    assert Signal.send is patched
    patcher.stop()
    with signal_trace.record() as later_recording:
        assert signal.send(Sender) == [(first, "first")]
    assert Signal.send is original
    assert outer.trace.sends == ()
    assert named(later_recording.trace) == [("send", ["first"])]


def test_a_mock_of_send_that_ends_during_the_recording_takes_ours_along() -> None:
    signal = connected(first)
    original = Signal.send
    patcher = mock.patch.object(Signal, "send", autospec=True)
    patcher.start()
    with signal_trace.record():
        patcher.stop()
        assert signal.send(Sender) == [(first, "first")]
    assert Signal.send is original
    with signal_trace.record() as recording:
        signal.send(Sender)
    assert Signal.send is original
    assert named(recording.trace) == [("send", ["first"])]


def test_a_spy_on_send_sees_the_call_and_it_is_recorded_once() -> None:
    signal = connected(first)
    with (
        signal_trace.record() as recording,
        mock.patch.object(
            Signal, "send", autospec=True, side_effect=Signal.send
        ) as spy,
    ):
        assert signal.send(Sender) == [(first, "first")]
    spy.assert_called_once_with(signal, Sender)
    assert named(recording.trace) == [("send", ["first"])]


def test_a_plain_mock_in_the_place_of_live_receivers_is_left_alone() -> None:
    signal = connected(first)
    with (
        mock.patch.object(
            Signal, "_live_receivers", return_value=([second], [])
        ) as stub,
        signal_trace.record(),
    ):
        assert signal.send(Sender) == [(second, "second")]
    stub.assert_called_once_with(Sender)


class Bound:
    """A patch as some monitoring agents make it: a descriptor, and no function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.seen: list[object] = []

    def __get__(self, instance: Any, owner: type) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            on = instance
            if on is None:
                on, *args = args  # type: ignore[assignment]
            self.seen.append(on)
            return self.function(on, *args, **kwargs)

        return call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("called without what it stands on")


@pytest.mark.parametrize("name", ["send", "_live_receivers"])
def test_a_patch_that_is_a_descriptor_works_below_ours(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal = connected(first)
    descriptor = Bound(Signal.__dict__[name])
    monkeypatch.setattr(Signal, name, descriptor)
    with signal_trace.record() as recording:
        assert signal.send(Sender) == [(first, "first")]
    assert Signal.__dict__[name] is descriptor
    assert descriptor.seen == [signal]
    assert named(recording.trace) == [("send", ["first"])]


def test_a_patch_of_send_may_ask_for_listeners_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    below = Signal.send

    def send(self: Signal, sender: Any, **named: Any) -> Any:
        return below(self, sender, **named) if self.has_listeners(sender) else []

    monkeypatch.setattr(Signal, "send", send)
    with signal_trace.record() as recording:
        assert connected(first).send(Sender) == [(first, "first")]
        assert Signal().send(Sender) == []
    assert named(recording.trace) == [("send", ["first"])]


@pytest.mark.parametrize("method", ["send_robust", "asend_robust"])
def test_a_subclass_that_logs_failures_itself_is_told_of_the_real_receivers(
    method: str,
) -> None:
    told: list[Any] = []

    class Quiet(Signal):
        def _log_robust_failure(self, receiver: Any, err: BaseException) -> None:
            told.append(receiver)

    signal = Quiet()
    signal.connect(failing)
    signal.connect(failing_later)
    with signal_trace.record() as recording:
        SEND[method](signal)
    assert sorted(one.__name__ for one in told) == ["failing", "failing_later"]
    errors = [call.error and call.error.type for call in recording.trace.calls]
    assert errors == ["ValueError", "ValueError"]


def test_a_failure_that_others_log_is_not_blamed_on_whoever_runs(
    clock: FakeClock,
) -> None:
    class Looping(Signal):
        """Calls its receivers by itself."""

        def send_robust(self, sender: Any, **named: Any) -> Any:
            for _, receiver, *_ in self.receivers:
                try:
                    receiver(signal=self, sender=sender)
                except ValueError as error:
                    self._log_robust_failure(receiver, error)  # type: ignore[attr-defined]
            return []

    inner = Looping()
    inner.connect(failing, weak=False)

    def outer(**kwargs: Any) -> None:
        inner.send_robust(Sender)
        clock.pass_ms(50)

    with signal_trace.record() as recording:
        connected(outer).send(Sender)
    call = only_call(recording.trace)
    assert (call.error, call.duration_ns) == (None, 50 * MS)


# What Django raises without tracing is raised with it.


def test_send_robust_fails_on_a_failing_partial_as_django_does() -> None:
    signal = connected(functools.partial(failing, extra=1))
    with pytest.raises(AttributeError, match="__qualname__"):
        signal.send_robust(Sender)
    with (
        signal_trace.record() as recording,
        pytest.raises(AttributeError, match="__qualname__"),
    ):
        signal.send_robust(Sender)
    send = only_send(recording.trace)
    assert send.error is not None
    assert send.error.type == "AttributeError"
    assert send.calls[0].error is not None
    assert send.calls[0].error.type == "ValueError"


def test_send_with_async_receivers_in_a_running_loop_raises() -> None:
    signal = connected(first, later)

    async def run() -> None:
        with pytest.raises(RuntimeError, match="AsyncToSync"):
            signal.send(Sender)

    with signal_trace.record() as recording:
        asyncio.run(run())
    send = only_send(recording.trace)
    assert send.error is not None
    assert send.error.type == "RuntimeError"
    assert [call.error for call in send.calls] == [None]
    (missed,) = recording.trace.not_called
    assert missed.reason == "send failed or was cancelled"  # No receiver raised.


def test_a_caching_signal_refuses_a_sender_without_weak_references() -> None:
    signal = connected(first, use_caching=True)
    with pytest.raises(TypeError) as without:
        signal.send("text")
    with signal_trace.record() as recording, pytest.raises(TypeError) as within:
        signal.send("text")
    assert str(within.value) == str(without.value)
    send = only_send(recording.trace)
    assert send.error is not None
    assert send.error.type == "TypeError"
    assert send.calls == ()


def test_a_receiver_that_takes_no_keywords_fails_as_it_would() -> None:
    def strict() -> None:
        pass

    signal = connected(strict)
    with signal_trace.record() as recording, pytest.raises(TypeError, match="strict"):
        signal.send(Sender)
    assert only_call(recording.trace).error is not None


def test_a_traceback_has_one_frame_more_for_each_send() -> None:
    def functions(error: BaseException) -> list[str]:
        tb, names = error.__traceback__, []
        while tb is not None:
            names.append(tb.tb_frame.f_code.co_name)
            tb = tb.tb_next
        return names

    signal = connected(failing)
    with pytest.raises(ValueError, match="no") as without:
        signal.send(Sender)
    with signal_trace.record(), pytest.raises(ValueError, match="no") as within:
        signal.send(Sender)
    here, *rest = functions(without.value)
    assert functions(within.value) == [here, "send", *rest]


# Nothing is kept alive.


@every_method
def test_weakly_connected_receivers_die_during_the_recording(method: str) -> None:
    signal = Signal()

    def make(result: list[int]) -> Any:
        def receiver(**kwargs: Any) -> None:
            result.append(1)

        return receiver

    results: list[int] = []
    receiver = make(results)
    reference = weakref.ref(receiver)
    signal.connect(receiver)
    with signal_trace.record() as recording:
        SEND[method](signal)
        del receiver
        gc.collect()
        assert reference() is None
        SEND[method](signal)
    assert results == [1]
    assert only_call(recording.trace).receiver.endswith("make.<locals>.receiver")


@every_method
def test_senders_arguments_and_signals_die_during_the_recording(method: str) -> None:
    class Thing:
        pass

    signal = connected(first, later)
    signal_reference = weakref.ref(signal)
    thing = Thing()
    references = [weakref.ref(thing), weakref.ref(Thing)]
    with signal_trace.record():
        SEND[method](signal, instance=thing)
        signal.send(Thing)
        signal.send(thing)
        Signal().send(thing)
        del thing, Thing
        del signal
        gc.collect()
        assert [reference() for reference in references] == [None, None]
        assert signal_reference() is None


def test_an_exception_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    # Else pytest keeps the log record, and that the exception.
    monkeypatch.setattr(logging.getLogger("django.dispatch"), "disabled", True)

    class Trouble(Exception):
        pass

    def fail(**kwargs: Any) -> None:
        raise Trouble

    with signal_trace.record():
        error = connected(fail).send_robust(Sender)[0][1]
        reference = weakref.ref(error)
        del error
        gc.collect()
        assert reference() is None


def test_a_copied_context_keeps_nothing_of_a_closed_recording() -> None:
    before = ours()["SendRecord"]  # Other tests may hold recordings of theirs.
    signal = Signal()
    loop = asyncio.new_event_loop()
    late: list[Any] = []

    def remind(**kwargs: Any) -> None:
        # The timer's context is a copy of this one, and outlives the recording.
        late.append(loop.call_later(0, lambda: signal.send(Sender)))
        signal.disconnect(remind)

    signal.connect(remind)
    signal.connect(first)
    with signal_trace.record() as traced:
        for _ in range(100):
            signal.send(Sender)
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    loop.close()
    assert traced.trace.call_count == 101
    assert ours()["SendRecord"] <= before
    assert len(traced.trace.sends) == 100
    assert len(late) == 1


@pytest.mark.skipif(django.VERSION < (6, 1), reason="Django itself keeps it until 6.1")
def test_a_send_that_is_thrown_away_keeps_no_receiver_and_never_finished() -> None:
    signal = Signal()

    async def run() -> weakref.ref[Any]:
        async def hang(**kwargs: Any) -> None:
            await asyncio.Event().wait()

        signal.connect(hang)
        coroutine = signal.asend(Sender)
        coroutine.send(None)
        await asyncio.sleep(0)
        coroutine.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return weakref.ref(hang)

    with signal_trace.record() as recording:
        reference = asyncio.run(run())
        gc.collect()
        assert reference() is None
    assert only_send(recording.trace).duration_ns is None


# Off means off; a bug of ours stays with us.


def test_outside_of_the_recording_sends_are_not_recorded() -> None:
    signal = connected(first)
    signal.send(Sender)
    with signal_trace.record() as recording:
        pass
    signal.send(Sender)
    assert recording.trace.sends == ()


@every_method
def test_a_bug_of_ours_is_logged_once_and_the_send_goes_on(
    method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: object) -> None:
        raise LookupError("ours")

    monkeypatch.setattr(recording, "_reported", set())
    for module in (sync_calls, async_calls):
        monkeypatch.setattr(module, "receiver_name", broken)
    monkeypatch.setattr(sync_calls, "known_name", broken)
    signal = connected(first, later)
    with signal_trace.record():
        for _ in range(3):
            assert SEND[method](signal) == [(first, "first"), (later, "later")]
    assert {record.name for record in caplog.records} == {"signal_trace.bugs"}
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == len(set(messages)) == 2


@pytest.mark.parametrize("broken", ["send_kind", "SendRecord", "SyncReceivers"])
def test_a_bug_at_a_sends_beginning_stays_with_us(
    broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object) -> None:
        raise LookupError("ours")

    monkeypatch.setattr(recording, "_reported", set())
    monkeypatch.setattr(sends, broken, fail)
    signal = connected(first, later)
    with signal_trace.record():
        assert signal.send(Sender) == [(first, "first"), (later, "later")]
    assert {record.name for record in caplog.records} == {"signal_trace.bugs"}


@pytest.mark.parametrize("method", ["send", "asend"])
def test_a_failure_in_a_robust_send_that_goes_unrecorded_is_no_bug_of_ours(
    method: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    djangos = inspect.unwrap(Signal.send_robust)
    inner = connected(failing)

    def send_inner(**kwargs: Any) -> None:
        djangos(inner, Sender)

    async def send_inner_later(**kwargs: Any) -> None:
        djangos(inner, Sender)

    monkeypatch.setattr(recording, "_reported", set())
    signal = connected(send_inner, send_inner_later)
    with signal_trace.record() as traced:
        SEND[method](signal)
    assert "signal_trace.bugs" not in {record.name for record in caplog.records}
    assert [call.error for call in traced.trace.calls] == [None, None]
