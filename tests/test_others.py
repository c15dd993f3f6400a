"""Others who patch `Signal` while we do, and subclasses of it."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from django.dispatch import Signal

import signal_trace
from signal_trace import Trace, dispatch

if TYPE_CHECKING:
    from tests.fake_clock import FakeClock

MS = 1_000_000
METHODS = ["send", "send_robust", "asend", "asend_robust"]
every_method = pytest.mark.parametrize("method", METHODS)


class Sender:
    pass


class Entrance:
    """As a middleware or panel, which keeps our patches in place."""


@pytest.fixture(autouse=True)
def no_entrance(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process without panel and middleware, where patches come out again."""
    monkeypatch.setattr(dispatch.patches, "_entrances", weakref.WeakSet())
    monkeypatch.setattr(dispatch.patches, "_removals", 0)
    with signal_trace.record():
        pass  # Takes out what earlier tests have left in.


def first(**kwargs: Any) -> str:
    return "first"


def second(**kwargs: Any) -> str:
    return "second"


async def later(**kwargs: Any) -> str:
    await asyncio.sleep(0)
    return "later"


def connect(signal: Signal, *receivers: Callable[..., Any]) -> Signal:
    for receiver in receivers:
        signal.connect(receiver, weak=False)
    return signal


def call(signal: Signal, method: str, sender: Any = Sender) -> list[Any]:
    async def run() -> Any:
        sent = getattr(signal, method)(sender)
        return await sent if inspect.isawaitable(sent) else sent

    if method.startswith("a"):
        return [response for _, response in asyncio.run(run())]
    return [response for _, response in getattr(signal, method)(sender)]


def named(trace: Trace) -> list[tuple[str, list[str]]]:
    """Each send's method, and the last names of the receivers that it called, sorted:
    sync and async ones run concurrently in an `asend` before Django 6.1."""
    return [
        (send.method, sorted(call.receiver.rpartition(".")[2] for call in send.calls))
        for send in trace.sends
    ]


# A patch of theirs that crosses a recording's ends.


def spy(name: str) -> Any:
    """A patch that counts and calls what stood there, as most mocks of Signal do."""
    there = getattr(Signal, name)
    return mock.patch.object(Signal, name, autospec=True, side_effect=there)


def covered(name: str) -> Any:
    """A patch that is a function of its own around what stood there."""
    there = getattr(Signal, name)

    def cover(self: Signal, *args: Any, **kwargs: Any) -> Any:
        return there(self, *args, **kwargs)

    return mock.patch.object(Signal, name, cover)


def interleaved() -> Iterator[tuple[str, ...]]:
    """The orders in which a recording and a patch can begin and end."""
    yield "start", "begin", "end", "stop"
    yield "start", "begin", "stop", "end"
    yield "begin", "start", "end", "stop"
    yield "begin", "start", "stop", "end"


@pytest.mark.parametrize("kept", [False, True], ids=["", "kept"])
@pytest.mark.parametrize("order", list(interleaved()), ids="-".join)
@pytest.mark.parametrize("name", [*METHODS, "_live_receivers", "has_listeners"])
def test_a_spy_that_crosses_a_recording_sees_all_and_all_is_recorded_once(
    name: str, order: tuple[str, ...], kept: bool
) -> None:
    method = name if name in METHODS else "send"
    signal = connect(Signal(), first, second)
    originals = dict(vars(Signal))
    entrance = Entrance()
    if kept:
        dispatch.patches.keep(entrance)
        with signal_trace.record():
            call(signal, method)
    recording, there = signal_trace.record(), None
    is_open, expected, seen = False, 0, 0
    for step in order:
        match step:
            case "start":
                patcher = spy(name)
                there = patcher.start()
            case "stop":
                patcher.stop()
                there = None
            case "begin":
                recording.__enter__()
                is_open = True
            case "end":
                recording.__exit__(None, None, None)
                is_open = False
        seen_before = 0 if there is None else there.call_count
        assert call(signal, method) == ["first", "second"]
        assert signal.has_listeners(Sender)
        # A patch of a send method that was put in before, and is taken out during a
        # recording, takes ours along.
        lost = order == ("start", "begin", "stop", "end") and step == "stop"
        if is_open and not (lost and name in METHODS):
            expected += 1
        if there is not None:
            seen += 1
            assert there.call_count > seen_before
    if kept and order == ("start", "begin", "stop", "end"):
        expected = len(recording.trace.sends)  # Ours may have stood below theirs.
    assert named(recording.trace) == [(method, ["first", "second"])] * expected
    assert recording.trace.unreceived == ()
    assert expected >= 1
    assert seen >= 1

    with signal_trace.record() as again:
        assert call(signal, method) == ["first", "second"]
    assert named(again.trace) == [(method, ["first", "second"])]
    del entrance
    gc.collect()
    with signal_trace.record():
        pass
    assert dict(vars(Signal)) == originals


@every_method
def test_a_mock_that_answers_for_a_send_is_left_to_answer(method: str) -> None:
    signal = connect(Signal(), first)
    answer = [(second, "instead")]
    for patch_first in (True, False):
        patcher = mock.patch.object(Signal, method, return_value=answer)
        recording = signal_trace.record()
        mocked = patcher.start() if patch_first else None
        with recording:
            mocked = mocked or patcher.start()
            assert call(signal, method) == ["instead"]
            other = "send" if method != "send" else "send_robust"
            assert call(signal, other) == ["first"]
        assert getattr(Signal, method) is mocked
        patcher.stop()
        assert named(recording.trace) == [(other, ["first"])]


def test_two_patches_over_ours_come_out_in_any_order() -> None:
    signal = connect(Signal(), first)
    originals = dict(vars(Signal))
    for outer_first in (True, False):
        with signal_trace.record() as one:
            below = covered("_live_receivers")
            below.start()
            call(signal, "send")
            with signal_trace.record() as two:
                above = covered("_live_receivers")
                above.start()
                call(signal, "send")
            if outer_first:
                above.stop()
                below.stop()
            else:
                below.stop()
                above.stop()
            call(signal, "send")
        with signal_trace.record() as after:
            call(signal, "send")
        assert [len(each.trace.sends) for each in (one, two, after)] == [3, 1, 1]
        assert one.trace.unreceived == ()
        if not outer_first:  # That puts back their inner one.
            Signal._live_receivers = originals["_live_receivers"]  # type: ignore[attr-defined]
        with signal_trace.record():
            pass
        assert dict(vars(Signal)) == originals


def test_a_patch_of_theirs_below_ours_may_ask_another_signal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    below, other = Signal.send, connect(Signal(), second)

    def ask(self: Signal, sender: Any, **named: Any) -> Any:
        assert other.has_listeners(sender)
        return below(self, sender, **named)

    monkeypatch.setattr(Signal, "send", ask)
    with signal_trace.record() as recording:
        assert call(connect(Signal(), first), "send") == ["first"]
    assert named(recording.trace) == [("send", ["first"])]


def test_a_patch_of_theirs_for_each_recording_grows_no_layers() -> None:
    signal = connect(Signal(), first)
    depths = []

    def look(**kwargs: Any) -> None:
        depths.append(len(inspect.stack(0)))

    connect(signal, look)
    for _ in range(30):
        with signal_trace.record() as recording:
            with covered("send"):
                call(signal, "send")
            call(signal, "send")
        assert len(recording.trace.sends) == 2
    assert depths[:2] == depths[-2:]


# Subclasses.


@pytest.mark.parametrize("kept", [False, True], ids=["", "kept"])
@every_method
def test_a_subclass_that_overrides_a_method_is_recorded_once(
    method: str, kept: bool
) -> None:
    entrance = Entrance()
    if kept:
        dispatch.patches.keep(entrance)
    asked = []

    class Plain(Signal):
        def send(self, sender: Any, **named: Any) -> Any:
            asked.append(self.has_listeners(sender))
            return super().send(sender, **named)

        def send_robust(self, sender: Any, **named: Any) -> Any:
            asked.append(self.has_listeners(sender))
            return super().send_robust(sender, **named)

        async def asend(self, sender: Any, **named: Any) -> Any:
            await asyncio.sleep(0)
            asked.append(self.has_listeners(sender))
            return await super().asend(sender, **named)

        async def asend_robust(self, sender: Any, **named: Any) -> Any:
            asked.append(self.has_listeners(sender))
            return await super().asend_robust(sender, **named)

    class Twice(Plain):
        def send(self, sender: Any, **named: Any) -> Any:
            return [*super().send(sender, **named), *super().send(sender, **named)]

    originals = dict(vars(Plain)), dict(vars(Twice))
    plain, twice = connect(Plain(), first, later), connect(Twice(), second)
    with signal_trace.record() as recording:
        assert call(plain, method) == ["first", "later"]
        both = call(twice, method)
    assert both == ["second"] * (2 if method == "send" else 1)
    assert named(recording.trace) == [
        (method, ["first", "later"]),
        *[(method, ["second"])] * len(both),
    ]
    assert all(asked)
    assert (dict(vars(Plain)), dict(vars(Twice))) == originals
    del entrance


def test_a_subclass_that_drops_a_send_has_none() -> None:
    class Muted(Signal):
        def send(self, sender: Any, **named: Any) -> Any:
            return []

    with signal_trace.record() as recording:
        assert call(connect(Muted(), first), "send") == []
    assert recording.trace.sends == recording.trace.unreceived == ()


class Reversed:
    """A mixin, which is no signal by itself."""

    def _live_receivers(self, sender: Any) -> Any:
        found = super()._live_receivers(sender)  # type: ignore[misc]
        return tuple(tuple(reversed(list(receivers))) for receivers in found)


@every_method
def test_overrides_of_live_receivers_on_each_level_are_timed_once(
    method: str, clock: FakeClock
) -> None:
    noticed = connect(Signal(), first)

    class Noticing(Signal):
        """Sends another signal, and its own for another sender, when asked."""

        def _live_receivers(self, sender: Any) -> Any:
            if sender is not None:
                noticed.send(Sender)
                self.has_listeners()
            return super()._live_receivers(sender)  # type: ignore[misc]

    class Filtering(Reversed, Noticing):
        def _live_receivers(self, sender: Any) -> Any:
            sync_receivers, async_receivers = super()._live_receivers(sender)
            kept = [one for one in sync_receivers if one is not second]
            return iterate(kept), async_receivers

    def iterate(receivers: list[Any]) -> list[Any]:
        return [one for one in receivers if one]  # Each is looked at, and none called.

    def slow(**kwargs: Any) -> str:
        clock.pass_ms(3)
        return "slow"

    signal = connect(Filtering(), slow, second, first, later)
    classes = (Reversed, Noticing, Filtering)
    originals = [dict(vars(cls)) for cls in classes]
    with signal_trace.record() as recording:
        assert call(signal, method) == ["first", "slow", "later"]
        assert call(signal, method, None) == ["first", "slow", "later"]
    by_method = sorted(named(recording.trace), key=lambda one: len(one[1]))
    assert by_method == [
        ("send", ["first"]),
        *[(method, ["first", "later", "slow"])] * 2,
    ]
    times = {call.receiver.rpartition(".")[2]: call for call in recording.trace.calls}
    assert times["slow"].duration_ns == 3 * MS
    assert [dict(vars(cls)) for cls in classes] == originals


def test_a_receiver_wrapped_by_a_subclass_has_its_own_name_and_time(
    clock: FakeClock,
) -> None:
    class Wrapping(Signal):
        def _live_receivers(self, sender: Any) -> Any:
            sync_receivers, async_receivers = super()._live_receivers(sender)  # type: ignore[misc]

            def wrap(receiver: Any) -> Any:
                @functools.wraps(receiver)
                def wrapper(**kwargs: Any) -> Any:
                    clock.pass_ms(1)
                    return receiver(**kwargs)

                return wrapper

            return [wrap(one) for one in sync_receivers], async_receivers

    def fail(**kwargs: Any) -> None:
        clock.pass_ms(2)
        raise ValueError("no")

    with signal_trace.record() as recording:
        call(connect(Wrapping(), first, fail, second), "send_robust")
    calls = recording.trace.calls
    assert [one.receiver.rpartition(".")[2] for one in calls] == [
        *("first", "fail", "second")
    ]
    assert [one.duration_ns for one in calls] == [1 * MS, 3 * MS, 1 * MS]
    assert [one.error and one.error.message for one in calls] == [None, "no", None]
