"""Nothing of a recording is left when it has ended, and what is recorded dies when it
would have died.

Our own objects are counted by the module of their class, so that none is forgotten
here that is added one day.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import inspect
import itertools
import logging
import sys
import threading
import tracemalloc
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper
from django.dispatch import Signal

import signal_trace
from signal_trace import Trace, dispatch
from signal_trace.patches import MOST_REMOVALS
from tests.alive import only_new as only_new
from tests.alive import ours
from tests.app.models import Tag

pytestmark = pytest.mark.usefixtures("only_new")

ROUNDS = 250
METHODS = ["send", "send_robust", "asend", "asend_robust"]


class Sender:
    pass


class Trouble(Exception):
    pass


def receive(**kwargs: Any) -> None:
    pass


def fail(**kwargs: Any) -> None:
    raise Trouble


async def receive_later(**kwargs: Any) -> None:
    await asyncio.sleep(0)


async def fail_later(**kwargs: Any) -> None:
    await asyncio.sleep(0)
    raise Trouble


def connected(*receivers: Callable[..., Any]) -> Signal:
    signal = Signal()
    for receiver in receivers:
        signal.connect(receiver, weak=False)
    return signal


def send_nested(**kwargs: Any) -> None:
    ping.send(Sender)
    ping.send("text")


ping = connected(receive)
nesting = connected(send_nested, receive)
failing = connected(receive, fail, receive)
waiting = connected(receive, receive_later, receive_later)
failing_later = connected(receive, fail_later, receive_later)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    # Pytest keeps each log record, and with it the exception and its frames.
    monkeypatch.setattr(logging.getLogger("django.dispatch"), "disabled", True)


@pytest.fixture
def no_entrance(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process without panel and middleware, where patches come out again."""
    monkeypatch.setattr(dispatch.patches, "_entrances", weakref.WeakSet())
    monkeypatch.setattr(dispatch.patches, "_removals", 0)
    with signal_trace.record():
        pass  # Takes out what earlier tests have left in.


# Each of these is one recording, and gives what is to outlive it: something to be
# called later, with sends in it, or None.
Outliving = Callable[[], object] | None


def nested_sends() -> Outliving:
    with signal_trace.record():
        nesting.send(Sender)
        nesting.send_robust("text", instance=Sender())
        Signal().send(Sender)
    return None


def failing_sends() -> Outliving:
    with signal_trace.record():
        with pytest.raises(Trouble):
            failing.send(Sender, instance=Sender())
        failing.send_robust(Sender, instance=Sender())
    return None


def a_failing_block() -> Outliving:
    with pytest.raises(Trouble), signal_trace.record():
        failing.send(Sender)
    return None


def decorated() -> Outliving:
    @signal_trace.record("work")
    def work() -> None:
        nesting.send(Sender)

    work()
    work()
    return None


def sync_sends_to_async_receivers() -> Outliving:
    with signal_trace.record():
        waiting.send(Sender)
        failing_later.send_robust(Sender)
    return None


def what_lives_shortly() -> Outliving:
    """Receivers, senders and signals that each recording sees for the first time."""

    class Local(Signal):
        pass

    class Receiver:
        def method(self, **kwargs: Any) -> None:
            pass

        def __call__(self, **kwargs: Any) -> None:
            pass

    def local(**kwargs: Any) -> None:
        pass

    @functools.wraps(local)
    def wrapper(**kwargs: Any) -> None:
        local(**kwargs)

    one = Receiver()
    signal = Local()
    for receiver in (one, one.method, local, wrapper):
        signal.connect(receiver)
    with signal_trace.record():
        signal.send(Receiver)
        signal.send(one)
        signal.send("text")
        Local().send(Receiver)
    return None


def inner_recordings() -> Outliving:
    with signal_trace.record():
        ping.send(Sender)
        with signal_trace.record():
            nesting.send(Sender)
            with signal_trace.record():
                ping.send(Sender)
        ping.send(Sender)
    return None


def closed_in_the_order_of_their_opening() -> Outliving:
    outer, inner = signal_trace.record(), signal_trace.record()
    outer.__enter__()
    inner.__enter__()
    context = contextvars.copy_context()
    nesting.send(Sender)
    outer.__exit__(None, None, None)
    ping.send(Sender)
    inner.__exit__(None, None, None)
    return functools.partial(context.run, nesting.send, Sender)


def never_closed() -> Outliving:
    signal_trace.record().__enter__()
    nesting.send(Sender)
    context = contextvars.copy_context()
    return functools.partial(context.run, nesting.send, Sender)


def never_closed_inside_another() -> Outliving:
    with signal_trace.record():
        signal_trace.record().__enter__()
        nesting.send(Sender)
        context = contextvars.copy_context()
    return functools.partial(context.run, nesting.send, Sender)


def never_closed_and_in_a_cycle() -> Outliving:
    recording = signal_trace.record()
    recording.attributes["itself"] = recording
    recording.__enter__()
    nesting.send(Sender)
    return None


def thrown_away_with_a_generator() -> Outliving:
    def numbers() -> Iterator[int]:
        with signal_trace.record():
            nesting.send(Sender)
            yield 1

    assert next(numbers()) == 1
    return None


def closed_in_another_context() -> Outliving:
    recording = signal_trace.record()
    recording.__enter__()
    nesting.send(Sender)
    contextvars.copy_context().run(recording.__exit__, None, None, None)
    context = contextvars.copy_context()
    return functools.partial(context.run, nesting.send, Sender)


def opened_in_another_context() -> Outliving:
    recording, context = signal_trace.record(), contextvars.Context()
    context.run(recording.__enter__)
    context.run(nesting.send, Sender)
    recording.__exit__(None, None, None)
    recording.__exit__(None, None, None)
    return functools.partial(context.run, nesting.send, Sender)


def contexts_copied_at_every_depth() -> Outliving:
    contexts: list[contextvars.Context] = []

    def copy(**kwargs: Any) -> None:
        contexts.append(contextvars.copy_context())
        ping.send(Sender)

    copying = connected(copy)

    def copy_and_send(**kwargs: Any) -> None:
        contexts.append(contextvars.copy_context())
        copying.send(Sender)

    with signal_trace.record():
        contexts.append(contextvars.copy_context())
        connected(copy_and_send, copy).send(Sender)

    def send() -> None:
        for context in contexts:
            context.run(nesting.send, Sender)
            with pytest.raises(Trouble):
                context.run(failing.send, Sender)

    return send


SYNC = [
    nested_sends,
    failing_sends,
    a_failing_block,
    decorated,
    sync_sends_to_async_receivers,
    what_lives_shortly,
    inner_recordings,
    closed_in_the_order_of_their_opening,
    never_closed,
    never_closed_inside_another,
    never_closed_and_in_a_cycle,
    thrown_away_with_a_generator,
    closed_in_another_context,
    opened_in_another_context,
    contexts_copied_at_every_depth,
]


def apart(work: Callable[[], Outliving]) -> Outliving:
    """Run *work* in a copy of the context, which dies if nobody keeps it."""
    return contextvars.copy_context().run(work)


def repeat(work: Callable[[], Outliving], times: int) -> list[Outliving]:
    return [apart(work) for _ in range(times)]


@pytest.mark.parametrize("work", SYNC)
def test_nothing_is_left_of_hundreds_of_recordings(
    work: Callable[[], Outliving],
) -> None:
    repeat(work, 2)  # Names are made of what lasts, once.
    before, objects_before = ours(), len(gc.get_objects())

    outliving = [one for one in repeat(work, ROUNDS) if one is not None]
    assert ours() - before == Counter()
    for send in outliving:
        send()
    assert ours() - before == Counter()

    del outliving
    gc.collect()
    # Calls are plain lists: less than one of a recording is left.
    assert len(gc.get_objects()) - objects_before < ROUNDS / 2


async def let_go() -> None:
    """The thread that sync receivers ran in holds the last one's work until then."""
    await sync_to_async(receive)()


async def async_sends() -> Outliving:
    async with signal_trace.record():
        await waiting.asend(Sender, instance=Sender())
        await failing_later.asend_robust(Sender, instance=Sender())
        with pytest.raises(Trouble):
            await failing_later.asend(Sender, instance=Sender())
    return None


async def decorated_coroutine() -> Outliving:
    @signal_trace.record("work")
    async def work() -> None:
        await waiting.asend(Sender)

    await work()
    return None


async def a_cancelled_send() -> Outliving:
    async def hang(**kwargs: Any) -> None:
        await asyncio.Event().wait()

    async with signal_trace.record():
        sending = asyncio.create_task(connected(hang).asend(Sender))
        for _ in range(3):
            await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    return None


async def timers() -> Outliving:
    loop, handles = asyncio.get_running_loop(), []

    def remind(**kwargs: Any) -> None:
        handles.append(loop.call_later(3600, nesting.send, Sender))

    with signal_trace.record():
        connected(remind).send(Sender)
        remind()

    def ring() -> None:
        for handle in handles:
            handle._run()  # Before its time, in the context that it was given.
            handle.cancel()

    return ring


async def tasks() -> Outliving:
    going_on = asyncio.Event()

    async def work() -> None:
        await going_on.wait()
        nesting.send(Sender)
        await waiting.asend(Sender)

    started = []

    async def start(**kwargs: Any) -> None:
        started.append(asyncio.create_task(work()))
        await asyncio.sleep(0)

    async with signal_trace.record():
        await connected(start).asend(Sender)
        await start()
    return going_on.set


ASYNC = [async_sends, decorated_coroutine, a_cancelled_send, timers, tasks]


@pytest.mark.parametrize("work", ASYNC)
def test_nothing_is_left_of_hundreds_of_async_recordings(work: Any) -> None:
    async def run() -> None:
        for _ in range(2):
            await work()
        before, alone = ours(), asyncio.all_tasks()

        outliving = [await work() for _ in range(ROUNDS)]
        await let_go()
        assert ours() - before == Counter()
        for send in outliving:
            if send is not None:
                send()
        await asyncio.gather(*(asyncio.all_tasks() - alone))
        await let_go()
        assert ours() - before == Counter()

    asyncio.run(run())


async def one_send_that_ends_after_its_recording(method: str) -> None:
    going_on = asyncio.Event()

    async def wait(**kwargs: Any) -> str:
        await going_on.wait()
        nesting.send(Sender)
        return "done"

    signal = connected(receive_later, wait)
    with signal_trace.record():
        sending = asyncio.create_task(getattr(signal, method)(Sender))
        for _ in range(5):
            await asyncio.sleep(0)
    going_on.set()
    assert await sending == [(receive_later, None), (wait, "done")]


@pytest.mark.parametrize("method", ["asend", "asend_robust"])
def test_nothing_is_left_of_sends_that_end_after_their_recording(method: str) -> None:
    async def run() -> None:
        await one_send_that_ends_after_its_recording(method)
        before = ours()
        for _ in range(ROUNDS):
            await one_send_that_ends_after_its_recording(method)
        assert ours() - before == Counter()

    asyncio.run(run())


def test_threads_and_their_timers_that_outlive_a_recording_hold_nothing_of_it() -> None:
    going_on = threading.Event()

    def work() -> None:
        going_on.wait(60)
        nesting.send(Sender)

    def start() -> list[threading.Thread]:
        threads: list[threading.Thread] = []

        def start_one(**kwargs: Any) -> None:
            context = contextvars.copy_context()
            threads.append(threading.Thread(target=context.run, args=[work]))
            context = contextvars.copy_context()
            threads.append(threading.Timer(0, context.run, args=[work]))

        with signal_trace.record():
            connected(start_one).send(Sender)
            start_one()
            for thread in threads:
                thread.start()
        return threads

    nested_sends()
    before = ours()
    threads = [thread for _ in range(10) for thread in start()]
    try:
        assert ours() - before == Counter()
    finally:
        going_on.set()
        for thread in threads:
            thread.join()
    assert ours() - before == Counter()


# Recordings inside each other, closed in any order.


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_recordings_inside_each_other_may_be_closed_in_any_order(
    order: tuple[int, ...],
) -> None:
    traces: dict[int, Trace] = {}
    contexts = []

    def run() -> None:
        recordings = [signal_trace.record(str(number)) for number in range(3)]
        for number, recording in enumerate(recordings):
            recording.__enter__()
            ping.send(f"opened {number}")
            contexts.append(contextvars.copy_context())
        for number in order:
            recordings[number].__exit__(None, None, None)
            traces[number] = recordings[number].trace
            ping.send(f"closed {number}")
            contexts[2].run(ping.send, f"elsewhere, closed {number}")

    apart(lambda: run())
    opened = [f"opened {number}" for number in range(3)]
    for number, trace in traces.items():
        senders = [send.sender for send in trace.sends]
        assert [one for one in senders if one in opened] == opened[number:]
        # The innermost position is whose context is used: whoever is open around it
        # sees what is sent there.
        closed = order[: order.index(number)]
        assert [one for one in senders if one.startswith("elsewhere")] == [
            f"elsewhere, closed {one}" for one in closed
        ]

    traces.clear()
    assert ours()["Window"] == ours()["SendRecord"] == 0
    for context in contexts:
        context.run(nesting.send, Sender)
    assert ours()["Window"] == ours()["SendRecord"] == 0


# What is patched, and what it costs.


def standing() -> dict[object, Any]:
    """What stands on the classes and connections that might be patched or hooked."""
    classes = (Signal, CursorWrapper, CursorDebugWrapper, BaseDatabaseWrapper)
    things = {cls: dict(cls.__dict__) for cls in classes}
    hooks: dict[object, Any] = {
        connection.alias: (
            type(connection),
            dict(type(connection).__dict__),
            list(connection.execute_wrappers),
            {name: one for name, one in vars(connection).items() if callable(one)},
        )
        for connection in connections.all()
    }
    return hooks | things


@pytest.mark.usefixtures("no_entrance")
@pytest.mark.parametrize("work", SYNC)
def test_no_wrapper_and_no_hook_is_left(work: Callable[[], Outliving]) -> None:
    before = standing()
    outliving = repeat(work, 10)
    gc.collect()
    assert standing() == before
    del outliving


@pytest.mark.usefixtures("no_entrance")
def test_patches_that_stay_at_last_are_one_layer_and_inert() -> None:
    original = dict(Signal.__dict__)
    for _ in range(MOST_REMOVALS * 5):
        with signal_trace.record():
            ping.send(Sender)
    for name in (*METHODS, "has_listeners", "_live_receivers", "_log_robust_failure"):
        there = Signal.__dict__[name]
        assert there is not original[name], "taken out more often than promised"
        assert there.__wrapped__ is original[name]

    objects: list[Any] = []

    def look(**kwargs: Any) -> None:
        frame = inspect.currentframe()
        while frame is not None:
            objects.extend(frame.f_locals.values())
            frame = frame.f_back

    connected(look).send(Sender)
    modules = {type(one).__module__.partition(".")[0] for one in objects}
    assert "signal_trace" not in modules


def test_memory_does_not_grow_with_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    # Else pytest would hold what it logs, with our frames.
    monkeypatch.setattr(logging.getLogger("django.dispatch"), "disabled", True)
    work = [one for one in SYNC if one is not sync_sends_to_async_receivers]
    folder = str(Path(signal_trace.__file__).parent / "*")

    def taken() -> tracemalloc.Snapshot:
        gc.collect()
        snapshot = tracemalloc.take_snapshot()
        return snapshot.filter_traces([tracemalloc.Filter(True, folder)])

    def round_() -> None:
        for one in work:
            repeat(one, 30)

    snapshots = []
    tracemalloc.start()
    try:
        for _ in range(8):
            round_()
            snapshots.append(taken())
    finally:
        tracemalloc.stop()
    grown = [
        later.compare_to(before, "lineno")
        for before, later in itertools.pairwise(snapshots)
    ]
    # A recording takes some kilobytes, and each round was over 400 of them. A leak
    # tells all rounds apart; a thread that is about to end tells one, and so does a
    # large dictionary of names that is made anew, and is seen from then on.
    least = min(grown, key=lambda lines: sum(line.size_diff for line in lines))
    assert sum(line.size_diff for line in least) < 10_000, least[:5]


# Whatever is recorded dies when it would have died.


class Thing:
    """Whatever can be referred to weakly."""


class Deaths:
    """Notes what has died, without the garbage collector, whenever it is asked."""

    def __init__(self) -> None:
        self.references: dict[str, weakref.ref[Any]] = {}
        self.noted: list[tuple[str, set[str]]] = []

    def watch(self, **subjects: Any) -> None:
        for name, subject in subjects.items():
            self.references[name] = weakref.ref(subject)

    def note(self, when: str) -> None:
        dead = {name for name, one in self.references.items() if one() is None}
        self.noted.append((when, dead))


async def call(signal: Signal, method: str, sender: Any, **named: Any) -> Any:
    sent = getattr(signal, method)(sender, **named)
    try:
        return await sent if inspect.isawaitable(sent) else sent
    finally:
        await let_go()


def everything(method: str) -> Signal:
    """A signal with receivers of the kinds that *method* allows in an event loop."""
    if method.startswith("a"):
        return connected(receive, receive_later, receive)
    return connected(receive, receive)


async def senders_and_arguments(method: str, deaths: Deaths) -> None:
    signal = everything(method)
    sender, argument, instance = Thing(), Thing(), Tag(pk=1, name="a")
    deaths.watch(sender=sender, argument=argument, instance=instance)
    await call(signal, method, sender, argument=argument, instance=instance)
    await call(signal, method, instance, instance=instance)
    await call(Signal(), method, instance, argument=argument)
    deaths.note("sent")
    del argument
    deaths.note("without the argument")
    del sender
    deaths.note("without the sender")
    del instance
    deaths.note("without the instance")


async def signals(method: str, deaths: Deaths) -> None:
    class Local(Signal):
        pass

    signal, unheard = Local(), Local()
    signal.connect(receive, weak=False)
    deaths.watch(signal=signal, unheard=unheard)
    await call(signal, method, Sender)
    await call(unheard, method, Sender)
    deaths.note("sent")
    del signal, unheard
    deaths.note("without the signals")


async def weakly_connected_receivers(method: str, deaths: Deaths) -> None:
    class Method:
        def receive(self, **kwargs: Any) -> None:
            pass

        def __call__(self, **kwargs: Any) -> None:
            pass

    def function(**kwargs: Any) -> None:
        deaths.note("during the send")

    def disconnecting(**kwargs: Any) -> None:
        others.clear()
        deaths.note("during the send, with no other reference")

    @functools.wraps(function)
    def wrapper(**kwargs: Any) -> None:
        pass

    async def coroutine_function(**kwargs: Any) -> None:
        await asyncio.sleep(0)

    signal = everything(method)
    one, other = Method(), Method()
    others = {"wrapper": wrapper, "one": one, "other": other, "function": function}
    if method.startswith("a"):
        others["coroutine_function"] = coroutine_function
    for name, receiver in [("disconnecting", disconnecting), *others.items()]:
        signal.connect(receiver.receive if receiver is one else receiver)
        deaths.watch(**{name: receiver})
    del receiver, wrapper, function, one, other, coroutine_function
    await call(signal, method, Sender)
    deaths.note("sent")
    await call(signal, method, Sender)
    del disconnecting
    deaths.note("without the receivers")
    await call(signal, method, Sender)


async def responses(method: str, deaths: Deaths) -> None:
    def respond(**kwargs: Any) -> Thing:
        response = Thing()
        deaths.watch(response=response)
        return response

    async def respond_later(**kwargs: Any) -> Thing:
        await asyncio.sleep(0)
        response = Thing()
        deaths.watch(async_response=response)
        return response

    def look(**kwargs: Any) -> None:
        deaths.note("during the send")

    signal = connected(respond, look)
    if method.startswith("a"):
        signal.connect(respond_later)
    found = await call(signal, method, Sender)
    deaths.note("sent")
    del found
    deaths.note("without the responses")


async def exceptions(method: str, deaths: Deaths) -> None:
    """Exceptions, and with their frames all that these refer to."""

    class Inside(Exception):
        pass

    def fail(**kwargs: Any) -> None:
        local, error = Thing(), Inside()
        deaths.watch(local=local, error=error)
        try:
            raise error
        finally:
            del error

    async def fail_later(**kwargs: Any) -> None:
        await asyncio.sleep(0)
        local, error = Thing(), Inside()
        deaths.watch(async_local=local, async_error=error)
        try:
            raise error
        finally:
            del error

    for receiver in [fail, fail_later] if method.startswith("a") else [fail]:
        argument, signal = Thing(), connected(receiver)
        deaths.watch(**{f"argument of {receiver.__name__}": argument})
        try:
            found = await call(signal, method, Sender, argument=argument)
            deaths.note("answered")
            # Django's frame holds the exception, which holds the frame.
            found.pop()[1].__traceback__ = None
        except Inside:
            deaths.note("caught")
        deaths.note("without the exception")
        del argument
        deaths.note("without the argument")


def deaths_of(kind: Any, method: str) -> Deaths:
    """All that dies of *kind* by reference counts alone."""
    gc.collect()
    gc.disable()
    try:
        deaths = Deaths()
        asyncio.run(kind(method, deaths))
        deaths.note("at last")
        return deaths
    finally:
        gc.enable()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "kind",
    [
        senders_and_arguments,
        signals,
        weakly_connected_receivers,
        responses,
        exceptions,
    ],
)
def test_all_dies_at_the_same_moment_as_without_a_recording(
    kind: Any, method: str
) -> None:
    without = deaths_of(kind, method)
    with signal_trace.record() as recording:
        within = deaths_of(kind, method)
    assert within.noted == without.noted
    assert within.references.keys() == without.references.keys()
    assert recording.trace.sends
    if not method.startswith("a"):
        # No cycle of an event loop's or a task's own delays it.
        assert without.noted[-1] == ("at last", set(without.references))


def test_reference_counts_after_a_recording_are_those_before() -> None:
    arguments = {"instance": Thing(), "update": object()}
    subjects: list[Any] = [Sender, Thing, receive, fail, ping, Trouble]
    subjects += [failing, nesting, *arguments.values()]

    def counts() -> list[int]:
        gc.collect()
        return [sys.getrefcount(subject) for subject in subjects]

    def work() -> None:
        ping.send(Sender, **arguments)
        nesting.send(Thing, **arguments)
        failing.send_robust(arguments["instance"], **arguments)

    work()
    before = counts()
    for _ in range(20):
        with signal_trace.record():
            work()
            assert counts() == before
    assert counts() == before
