"""What others do around a send, or to what Django leaves lying about."""

from __future__ import annotations

import asyncio
import gc
import logging
import pprint
import sys
import weakref
from typing import Any
from unittest import mock

import django
import pytest
from django.dispatch import Signal

import signal_trace
from signal_trace import Trace, dispatch
from tests.alive import ours


@pytest.fixture(autouse=True)
def no_entrance(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process without panel and middleware, where patches come out again."""
    monkeypatch.setattr(dispatch.patches, "_entrances", weakref.WeakSet())
    monkeypatch.setattr(dispatch.patches, "_removals", 0)
    with signal_trace.record():
        pass  # Takes out what earlier tests have left in.


class Sender:
    pass


def receive(**kwargs: Any) -> str:
    return "received"


def fail(**kwargs: Any) -> None:
    raise ValueError("no")


async def later(**kwargs: Any) -> str:
    return "later"


def connected(*receivers: Any) -> Signal:
    signal = Signal()
    for receiver in receivers:
        signal.connect(receiver, weak=False)
    return signal


def named(trace: Trace) -> list[tuple[str, list[str]]]:
    return [
        (send.sender, [call.receiver.rpartition(".")[2] for call in send.calls])
        for send in trace.sends
    ]


# Who iterates the lists in Django's frames is not the dispatch loop.


def test_calls_are_recorded_once_when_an_error_page_prints_the_frames() -> None:
    signal = connected(receive, fail, later)
    with signal_trace.record() as recording:
        try:
            signal.send("sent")
        except ValueError as error:
            tb = error.__traceback__
            while tb is not None:
                for value in tb.tb_frame.f_locals.values():
                    if isinstance(value, list):
                        pprint.pformat(value)  # As Django's technical error page.
                tb = tb.tb_next
    assert named(recording.trace) == [("sent", ["receive", "fail"])]
    (missed,) = recording.trace.not_called
    assert missed.receiver == f"{__name__}.later"


def test_async_calls_are_recorded_when_a_sync_receiver_looks_at_the_frames() -> None:
    def look(**kwargs: Any) -> None:
        for value in list(sys._getframe(1).f_locals.values()):
            if isinstance(value, list):
                for _ in value:
                    pass

    signal = connected(look, later)
    with signal_trace.record() as recording:
        assert signal.send("sent") == [(look, None), (later, "later")]
    assert named(recording.trace) == [("sent", ["look", "later"])]


# A subclass of Signal that was watched lives no longer for it.


def test_a_subclass_of_signal_dies_while_an_entrance_keeps_the_patches() -> None:
    class Entrance:
        pass

    def send() -> weakref.ref[Any]:
        class Local(Signal):
            def _live_receivers(self, sender: Any) -> Any:
                return super()._live_receivers(sender)  # type: ignore[misc]

        signal = Local()
        signal.connect(receive, weak=False)
        with signal_trace.record():
            signal.send("sent")
        return weakref.ref(Local)

    entrance = Entrance()
    dispatch.patches.keep(entrance)
    reference = send()
    gc.collect()
    assert reference() is None
    del entrance


# An exception that somebody keeps holds Django's frame, and that its locals.


@pytest.mark.parametrize("method", ["send", "send_robust"])
def test_an_exception_that_is_kept_keeps_nothing_of_the_recording(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("django.dispatch"), "disabled", True)
    signal, kept = connected(receive, fail), []
    before = ours()
    with signal_trace.record():
        try:
            kept.append(getattr(signal, method)(Sender)[1][1])
        except ValueError as error:
            kept.append(error)
    left = ours() - before
    assert left["SendRecord"] == left["Window"] == 0
    assert isinstance(kept[0], ValueError)


# A patch of theirs below ours may send the same signal itself.


def test_a_patch_below_ours_may_send_the_same_signal_before_it_goes_on() -> None:
    below = Signal.send

    def send(self: Signal, sender: Any, **named: Any) -> Any:
        if sender != "audit":
            self.send("audit")
        return below(self, sender, **named)

    signal = connected(receive)
    with mock.patch.object(Signal, "send", send):
        with signal_trace.record() as recording:
            signal.send("sent")
    assert sorted(named(recording.trace)) == [
        ("audit", ["receive"]),
        ("sent", ["receive"]),
    ]


def test_a_patch_of_asend_below_ours_may_send_from_a_task() -> None:
    below = Signal.asend

    async def asend(self: Signal, sender: Any, **named: Any) -> Any:
        if sender != "audit":
            await asyncio.create_task(self.asend("audit"))
        return await below(self, sender, **named)

    signal = connected(later)

    async def run() -> None:
        await signal.asend("sent")

    with mock.patch.object(Signal, "asend", asend):
        with signal_trace.record() as recording:
            asyncio.run(run())
    assert sorted(named(recording.trace)) == [("audit", ["later"]), ("sent", ["later"])]


# Django 6.1's asend() copies the context that it began with into whatever
# context it is closed in.


def test_closing_a_suspended_send_changes_the_context_from_django_6_1_on() -> None:
    async def hang(**kwargs: Any) -> None:
        await asyncio.Event().wait()

    hanging, ping = connected(hang), connected(receive)
    loop = asyncio.new_event_loop()

    async def begin() -> Any:
        coroutine = hanging.asend("hung")
        coroutine.send(None)
        await asyncio.sleep(0)
        return coroutine

    async def end() -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    with signal_trace.record():
        coroutine = loop.run_until_complete(begin())
    with signal_trace.record() as recording:
        ping.send("before")
        coroutine.close()
        ping.send("after")
    loop.run_until_complete(end())
    loop.close()
    after = [] if django.VERSION >= (6, 1) else ["after"]
    assert [send.sender for send in recording.trace.sends] == ["before", *after]
