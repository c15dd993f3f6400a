"""A trace is put together when it is asked for, and tells what was true at the end."""

from __future__ import annotations

import asyncio
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import Signal

import signal_trace
from signal_trace import ended
from tests.app.models import Tag

ping = Signal()
pong = Signal()


@pytest.fixture
def assembled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The windows of which traces have been put together."""
    windows: list[Any] = []
    real = ended.assemble

    def assemble(window: Any, *args: Any, **kwargs: Any) -> Any:
        windows.append(window)
        return real(window, *args, **kwargs)

    monkeypatch.setattr(ended, "assemble", assemble)
    return windows


@pytest.fixture(autouse=True)
def _disconnected() -> Iterator[None]:
    yield
    for signal in (ping, pong):
        signal.receivers.clear()
        signal.sender_receivers_cache.clear()


def hear(**kwargs: Any) -> None:
    """A receiver."""


def test_nothing_is_put_together_until_the_trace_is_asked_for(
    assembled: list[Any],
) -> None:
    ping.connect(hear)
    with signal_trace.record() as recording:
        ping.send("x")
        pong.send("x")
    assert assembled == []
    trace = recording.trace
    assert len(assembled) == 1
    assert [send.sender for send in trace.sends] == ["x"]
    assert recording.trace is trace
    assert len(assembled) == 1


def test_threads_that_ask_at_once_are_given_the_same_trace(
    assembled: list[Any],
) -> None:
    ping.connect(hear)
    with signal_trace.record() as recording:
        ping.send("x")
    traces: list[Any] = []
    threads = [
        threading.Thread(target=lambda: traces.append(recording.trace))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(assembled) == 1
    assert len(set(map(id, traces))) == 1


def test_how_receivers_were_connected_is_read_at_the_end() -> None:
    ping.connect(hear, dispatch_uid="once", sender=Tag)
    pong.connect(hear, sender=Tag)
    with signal_trace.record() as recording:
        ping.send(Tag)
        pong.send("x")
    ping.disconnect(hear, dispatch_uid="once", sender=Tag)
    pong.disconnect(hear, sender=Tag)
    (call,) = recording.trace.sends[0].calls
    assert call.connection is not None
    assert call.connection.dispatch_uid == "once"
    assert call.connection.sender == "app.Tag"
    (missed,) = recording.trace.not_called
    assert missed.signal == "tests.test_ended.pong"


def test_a_signal_that_is_gone_by_then_has_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop: Any = types.ModuleType("shop")
    shop.opened = Signal()
    shop.opened.connect(hear)
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "shop", shop)
        with signal_trace.record() as recording:
            shop.opened.send("x")
    del shop.opened
    assert recording.trace.sends[0].signal == "shop.opened"


def test_thresholds_are_those_of_the_end(settings: Any) -> None:
    ping.connect(hear)
    settings.SIGNAL_TRACE = {"REPEATED_CALLS": 2}
    with signal_trace.record() as recording:
        for _ in range(3):
            ping.send("x")
    settings.SIGNAL_TRACE = {"SILENCED_FINDINGS": ["repeated-call"]}
    assert [one.id for one in recording.trace.findings] == ["repeated-call"]


def test_attributes_are_those_of_the_end() -> None:
    parts = ["a"]
    with signal_trace.record(parts=parts) as recording:
        pass
    parts.append("b")
    recording.attributes["late"] = True
    assert recording.trace.attributes == {"parts": ["a"]}


def nested() -> signal_trace.Trace:
    with signal_trace.record(), signal_trace.record() as inner:
        ping.send("x")
    return inner.trace


def in_a_transaction() -> signal_trace.Trace:
    with transaction.atomic():
        with signal_trace.record() as recording:
            ping.send("x")
    return recording.trace


def in_a_send_that_goes_on() -> signal_trace.Trace:
    recording = signal_trace.record()

    def end(**kwargs: Any) -> None:
        recording.__exit__(None, None, None)

    pong.connect(end)
    recording.__enter__()
    pong.send("x")
    return recording.trace


def in_an_async_send_that_goes_on() -> signal_trace.Trace:
    recording = signal_trace.record()

    async def end(**kwargs: Any) -> None:
        recording.__exit__(None, None, None)

    pong.connect(end)
    recording.__enter__()
    asyncio.run(pong.asend("x"))
    return recording.trace


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "work",
    [nested, in_a_transaction, in_a_send_that_goes_on, in_an_async_send_that_goes_on],
)
def test_what_would_still_change_is_told_as_it_was(
    work: Callable[[], signal_trace.Trace], assembled: list[Any]
) -> None:
    ping.connect(hear)
    trace = work()
    (send,) = trace.sends
    if work is in_a_transaction:
        assert send.transaction == "open"
    elif work is not nested:
        assert send.duration_ns is None
        assert send.calls[0].outcome == "never finished"
    else:
        assert trace.attributes["outer"]


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_has_ended_can_wait(assembled: list[Any]) -> None:
    post_save.connect(hear, sender=Tag)
    try:
        with signal_trace.record() as recording, transaction.atomic():
            Tag.objects.create(name="x")
    finally:
        post_save.disconnect(hear, sender=Tag)
    assert assembled == []
    assert recording.trace.sends[0].transaction == "committed"


def test_asking_while_it_is_put_together_waits_for_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ping.connect(hear)
    with signal_trace.record() as recording:
        ping.send("x")
    asked: list[Any] = []
    real = ended.assemble

    def assemble(*args: Any, **kwargs: Any) -> Any:
        if not asked:
            asked.append(None)
            asked[0] = recording.trace  # As the garbage collector may make somebody.
        return real(*args, **kwargs)

    monkeypatch.setattr(ended, "assemble", assemble)
    assert recording.trace.sends == asked[0].sends
