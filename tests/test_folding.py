"""What is beyond the limit adds up to what it would have been."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import itertools
import logging
import sys
import threading
import tracemalloc
import warnings
from collections import defaultdict
from random import Random
from typing import Any

import pytest
from django.dispatch import Signal
from pytest_django import Settings

import signal_trace
from signal_trace import Trace, folding, recording
from signal_trace.recording import windows
from signal_trace.tally import Tally
from tests.app.models import Book
from tests.fake_clock import FakeClock

HERE = __name__

ordered, counted, awaited, lonely = Signal(), Signal(), Signal(), Signal()
SIGNALS = [ordered, counted]

# A plan is what a receiver is to do: let time pass, fail, or send with another plan.
Plan = list[Any]


class Shop:
    """Who sends."""


def follow(plan: Plan) -> None:
    for step, *rest in plan:
        if step == "work":
            clock().pass_ms(*rest)
        elif step in ("together", "leave"):
            follow(rest[0])
        elif step == "fail":
            raise ValueError("planned")
        else:
            method, signal, inner = rest
            if signal < len(SIGNALS):
                getattr(SIGNALS[signal], method)(Shop, plan=inner)


async def follow_async(plan: Plan) -> None:
    for step in plan:
        await asyncio.sleep(0)
        if step[0] == "together":
            each = (follow_async([one]) for one in step[1])
            await asyncio.gather(*each, return_exceptions=True)
        elif step[0] == "leave":
            # It outlives the receiver that began it.
            left.append(asyncio.create_task(follow_async(step[1])))
        elif step[0] == "send" and step[2] == len(SIGNALS):
            method = {"send": "asend", "send_robust": "asend_robust"}[step[1]]
            await getattr(awaited, method)(Shop, plan=step[3])
        else:
            follow([step])


left: list[asyncio.Task[None]] = []


async def follow_all(plan: Plan) -> None:
    await asyncio.gather(follow_async(plan), return_exceptions=True)
    while left:
        await asyncio.gather(left.pop(), return_exceptions=True)


def clock() -> Any:
    return recording.clock


def first(plan: Plan, **kwargs: Any) -> None:
    follow(plan)


def second(plan: Plan, **kwargs: Any) -> None:
    follow(plan[:2])


async def third(plan: Plan, **kwargs: Any) -> None:
    await follow_async(plan)


async def fourth(plan: Plan, **kwargs: Any) -> None:
    await follow_async(plan[::-1])


LINKS = [
    *((ordered, receiver) for receiver in (first, second)),
    (counted, first),
    *((awaited, receiver) for receiver in (third, fourth)),
]


@pytest.fixture(autouse=True)
def connected() -> Any:
    for signal, receiver in LINKS:
        signal.connect(receiver)
    yield
    for signal, receiver in LINKS:
        signal.disconnect(receiver)


def make_plan(random: Random, depth: int = 3) -> Plan:
    """A random plan, three deep: more sends than any of the limits."""
    plan: Plan = []
    for _ in range(random.randint(1, 4)):
        kinds = ["send", "work", "fail", "together", "leave"]
        kind = random.choices(kinds, [6, 4, 1, 2, 1])[0]
        if kind == "send" and depth:
            method = random.choice(["send", "send_robust"])
            signal = random.randrange(len(SIGNALS) + 1)
            plan.append(("send", method, signal, make_plan(random, depth - 1)))
        elif kind in ("together", "leave") and depth:
            plan.append((kind, make_plan(random, depth - 1)))
        elif kind == "fail" and depth < 3:
            plan.append(("fail",))
        else:
            plan.append(("work", random.randint(1, 9)))
    return plan


def run(plan: Plan, *, is_async: bool) -> Trace:
    recording.clock = FakeClock()  # type: ignore[assignment]
    left.clear()
    with signal_trace.record() as traced:
        with contextlib.suppress(ValueError, ExceptionGroup):
            if is_async:
                asyncio.run(follow_all(plan))
            else:
                follow(plan)
    return traced.trace


def sums(trace: Trace) -> dict[Any, tuple[int, ...]]:
    """What sends and calls add up to, whether kept one by one or not."""
    added: defaultdict[Any, Tally] = defaultdict(Tally)
    for send in trace.sends:
        kind = send.signal, send.sender
        added[kind].add(send.duration_ns, 0, send.error is not None)
        for call in send.calls:
            added[*kind, call.receiver].add(
                call.duration_ns, call.self_ns or 0, call.error is not None
            )
    for one in trace.omitted:
        kind = one.signal, one.sender
        added[kind] += tally(one)
        for calls in one.calls:
            added[*kind, calls.receiver] += tally(calls)
    return {key: values(tally) for key, tally in added.items()}


def tally(omitted: Any) -> Tally:
    result = Tally()
    for name in Tally.__slots__:
        setattr(result, name, getattr(omitted, name, 0))
    return result


def values(tally: Tally) -> tuple[int, ...]:
    return tuple(getattr(tally, name) for name in Tally.__slots__)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Any:
    """Sets the limit, and folds after every few sends."""
    monkeypatch.setattr(recording, "clock", recording.clock)

    def set_limit(limit: int, batch: int = 1) -> None:
        settings.SIGNAL_TRACE = {"MAX_SENDS": limit}
        monkeypatch.setattr(folding, "BATCH", batch)

    return set_limit


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("seed", [*range(100), 112, 236, 302, 478])
def test_sums_are_the_same_with_any_limit(
    small: Any, seed: int, is_async: bool
) -> None:
    random = Random(seed)
    plan, limit, batch = make_plan(random), random.randrange(5), random.randint(1, 3)
    small(1_000)
    whole = run(plan, is_async=is_async)
    small(limit, batch)
    limited = run(plan, is_async=is_async)
    assert whole.omitted == ()
    assert len(limited.sends) == min(limit, len(whole.sends))
    assert (limited.send_count, limited.call_count) == (
        len(whole.sends),
        len(whole.calls),
    )
    assert sums(limited) == sums(whole)
    assert Trace.from_dict(limited.to_dict()) == limited
    if not is_async:
        assert limited.receivers_ns == whole.receivers_ns
        assert [(s.signal, s.start_ns) for s in limited.sends] == [
            (s.signal, s.start_ns) for s in whole.sends[:limit]
        ]
    assert {call.id: call.self_ns for call in limited.calls} == {
        call.id: call.self_ns for call in whole.calls[: len(limited.calls)]
    }


def note(**kwargs: Any) -> None:
    pass


def grown(work: Any, times: int = 4) -> list[int]:
    """How many bytes more are held after *work* was done once more, and again."""
    work()
    held = []
    tracemalloc.start()
    try:
        for _ in range(times):
            work()
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    return [later - earlier for earlier, later in itertools.pairwise(held)]


def send_many() -> None:
    for _ in range(1_000):
        ordered.send(Shop, plan=[("send", "send", 1, [])])


def send_one_off_signals() -> None:
    for _ in range(1_000):
        signal = Signal()
        signal.send(Shop)
        # A weak one would keep the signal while the receiver lives, up to Django 6.0.
        signal.connect(note, weak=False)
        signal.send(Shop)


def send_from_one_off_classes() -> None:
    for _ in range(1_000):
        ordered.send(type("Maker", (), {}), plan=[])
        lonely.send(type("Maker", (), {}))


def send_in_inner_recordings() -> None:
    for _ in range(1_000):
        with signal_trace.record():
            ordered.send(Shop, plan=[])


def fail_robustly() -> None:
    for _ in range(1_000):
        ordered.send_robust(Shop, plan=[("fail",)])


@pytest.mark.slow
@pytest.mark.parametrize(
    "work",
    [
        send_many,
        send_one_off_signals,
        send_from_one_off_classes,
        send_in_inner_recordings,
        fail_robustly,
    ],
)
def test_a_recording_stays_as_large_as_it_is(
    work: Any,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Else pytest would hold what it logs.
    monkeypatch.setattr(logging.getLogger("django.dispatch"), "disabled", True)
    settings.SIGNAL_TRACE = {"MAX_SENDS": 100}
    monkeypatch.setattr(recording, "MOST_KINDS", 100)
    monkeypatch.setattr(folding, "MOST_KINDS", 100)
    monkeypatch.setattr(recording, "MOST_INNER", 100)
    monkeypatch.setattr(folding, "BATCH", 100)
    with signal_trace.record() as traced:
        growth = grown(work)
    # A leak would show each time; what the interpreter keeps for itself doesn't.
    assert min(growth) < 50_000
    assert len(traced.trace.sends) == 100
    assert traced.trace.send_count % 5_000 == 0
    assert len(windows) == 0


def test_what_one_off_signals_and_classes_send_is_counted_by_name(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SIGNAL_TRACE = {"MAX_SENDS": 3}
    monkeypatch.setattr(recording, "MOST_KINDS", 50)
    monkeypatch.setattr(folding, "MOST_KINDS", 50)
    with signal_trace.record() as traced:
        send_from_one_off_classes()
    (unreceived,) = traced.trace.unreceived
    assert (unreceived.signal, unreceived.count) == (f"{HERE}.lonely", 1_000)
    (omitted,) = traced.trace.omitted
    assert (omitted.sender, omitted.count) == (f"{HERE}.Maker", 997)


def test_what_is_left_out_is_said_by_signal_sender_and_receiver(
    settings: Settings, clock: FakeClock
) -> None:
    settings.SIGNAL_TRACE = {"MAX_SENDS": 1}
    with signal_trace.record() as traced:
        ordered.send(Shop, plan=[("work", 2)])
        ordered.send_robust(Book(pk=1), plan=[("work", 3), ("fail",)])
        ordered.send(Book(pk=2), plan=[("send", "send", 1, [("work", 4)])])
    trace = traced.trace
    assert [(s.signal, s.sender) for s in trace.sends] == [
        (f"{HERE}.ordered", f"{HERE}.Shop")
    ]
    said = [
        (
            one.signal.removeprefix(f"{HERE}."),
            one.sender.removeprefix(f"{HERE}."),
            (one.count, one.failures, one.total_ns, one.max_ns, one.receivers_ns),
            [
                (
                    calls.receiver.removeprefix(f"{HERE}."),
                    (calls.count, calls.failures, calls.total_ns),
                    (calls.self_ns, calls.max_ns),
                )
                for calls in one.calls
            ],
        )
        for one in trace.omitted
    ]
    ms = 1_000_000
    assert said == [
        (
            "counted",
            "Shop",
            (2, 0, 8 * ms, 4 * ms, 0),
            [("first", (2, 0, 8 * ms), (8 * ms, 4 * ms))],
        ),
        (
            "ordered",
            "app.Book instance",
            (2, 0, 14 * ms, 8 * ms, 14 * ms),
            [
                ("first", (2, 1, 7 * ms), (3 * ms, 4 * ms)),
                ("second", (2, 1, 7 * ms), (3 * ms, 4 * ms)),
            ],
        ),
    ]
    assert (trace.send_count, trace.call_count, trace.omitted_failures) == (5, 8, 2)
    assert trace.receivers_ns == (4 + 14) * ms


@pytest.mark.parametrize(
    "ignored", ["ordered", "Shop", "first", "second"], ids=lambda name: name
)
def test_what_is_ignored_is_not_counted_and_takes_no_room(
    ignored: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "BATCH", 3)

    def trace(limit: int) -> Trace:
        ignore = [f"{HERE}.{ignored}"]
        settings.SIGNAL_TRACE = {"MAX_SENDS": limit, "IGNORE": ignore}
        with signal_trace.record() as traced:
            for _ in range(20):
                ordered.send(Shop, plan=[("send", "send", 1, [])])
                counted.send(Book, plan=[])
        return traced.trace

    whole, limited = trace(1_000), trace(10)
    if ignored != "first":  # A send may be kept before its receivers are known.
        assert len(limited.sends) == min(10, len(whole.sends))
    assert (limited.send_count, limited.call_count) == (
        len(whole.sends),
        len(whole.calls),
    )
    assert {key: tally[:2] for key, tally in sums(limited).items()} == {
        key: tally[:2] for key, tally in sums(whole).items()
    }
    assert limited.sends[0].sender == whole.sends[0].sender


def test_an_inner_recording_has_a_limit_of_its_own(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"MAX_SENDS": 5}
    with signal_trace.record() as outer:
        send_many()
        with signal_trace.record() as inner:
            for _ in range(7):
                counted.send(Shop, plan=[])
        counted.send(Shop, plan=[])
    assert len(inner.trace.sends) == 5
    assert inner.trace.omitted_count == 2
    assert outer.trace.send_count == 3_000 + 8
    assert len(outer.trace.sends) == 5


def test_no_limit_is_passed_while_threads_send(
    request: pytest.FixtureRequest,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.SIGNAL_TRACE = {"MAX_SENDS": 50}
    monkeypatch.setattr(folding, "BATCH", 10)
    interval = sys.getswitchinterval()
    request.addfinalizer(lambda: sys.setswitchinterval(interval))
    sys.setswitchinterval(1e-5)  # So that threads meet in the middle of a folding.
    with signal_trace.record() as traced:
        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=[send_many])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(traced.trace.sends) == 50
    assert traced.trace.send_count == 4 * 3_000
    assert traced.trace.call_count == 4 * 4_000


def test_a_bug_in_folding_stays_with_us(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*args: object) -> None:
        raise LookupError("ours")

    monkeypatch.setattr(recording, "_reported", set())
    monkeypatch.setattr(folding, "covered", fail)
    settings.SIGNAL_TRACE = {"MAX_SENDS": 1}
    with signal_trace.record() as traced:
        assert [ordered.send(Shop, plan=[]) for _ in range(9)]
    assert [record.name for record in caplog.records] == ["signal_trace.bugs"]
    assert len(traced.trace.sends) == 9


def test_what_an_inner_recording_folds_is_no_time_of_the_caller_and_counted_once(
    settings: Settings, clock: FakeClock
) -> None:
    settings.SIGNAL_TRACE = {"MAX_SENDS": 2}

    def in_its_own(**kwargs: Any) -> None:
        with signal_trace.record():
            for _ in range(9):
                counted.send(Shop, plan=[("work", 5)])
        clock.pass_ms(3)

    signal = Signal()
    signal.connect(in_its_own)
    with signal_trace.record() as traced:
        signal.send(Shop)
    (call,) = traced.trace.sends[0].calls
    assert (call.duration_ns, call.self_ns) == (48_000_000, 3_000_000)
    assert traced.trace.send_count == 10
    assert traced.trace.receivers_ns == call.duration_ns


@pytest.mark.parametrize("limit", [0, 1, 9])
def test_what_inner_recordings_fold_at_the_same_time_leaves_no_less_than_no_time(
    settings: Settings, clock: FakeClock, limit: int
) -> None:
    settings.SIGNAL_TRACE = {"MAX_SENDS": limit}
    both = threading.Barrier(2)

    def in_a_thread() -> None:
        with signal_trace.record():
            lonely.send(Shop)

    def overlap(**kwargs: Any) -> None:
        if both.wait() == 0:
            clock.pass_ms(10)
        both.wait()

    def begin(**kwargs: Any) -> None:
        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(in_a_thread,))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    signal = Signal()
    signal.connect(begin)
    lonely.connect(overlap)
    try:
        with signal_trace.record() as traced:
            signal.send(Shop)
    finally:
        lonely.disconnect(overlap)
    own = {call.receiver: call.self_ns for call in traced.trace.calls}
    for omitted in traced.trace.omitted:
        own |= {call.receiver: call.self_ns for call in omitted.calls}
    assert [ns for name, ns in own.items() if name.endswith("begin")] == [0]


def test_sends_that_end_before_their_coroutines_begin_are_folded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SIGNAL_TRACE = {"MAX_SENDS": 3}
    monkeypatch.setattr(folding, "BATCH", 5)

    async def fine(**kwargs: Any) -> None:
        pass

    async def wrong(sender: Any) -> None:
        pass

    signal = Signal()
    signal.connect(fine)
    signal.connect(wrong)

    async def send_all() -> None:
        for _ in range(50):
            with contextlib.suppress(TypeError):
                await signal.asend(Shop)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Coroutines are never awaited, as without us.
        with signal_trace.record() as traced:
            asyncio.run(send_all())
            (window,) = windows.values()
            assert len(window.sends) <= 3 + 5 + 1
    assert traced.trace.send_count == 50


def test_an_abandoned_recording_that_is_collected_in_a_folding_does_no_harm(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SIGNAL_TRACE = {"MAX_SENDS": 2}
    monkeypatch.setattr(folding, "BATCH", 2)

    def abandon() -> None:
        inner = signal_trace.record().__enter__()
        inner.attributes["itself"] = inner
        for _ in range(9):
            counted.send(Shop, plan=[])

    class Folding(folding._Folding):
        def __init__(self, *args: Any) -> None:
            gc.collect()
            super().__init__(*args)

    monkeypatch.setattr(folding, "_Folding", Folding)
    with signal_trace.record() as traced:
        contextvars.copy_context().run(abandon)
        for _ in range(9):
            counted.send(Shop, plan=[])
    assert traced.trace.send_count == 18


def test_overlapping_sends_at_the_limit_are_taken_off_once(
    settings: Settings, clock: FakeClock
) -> None:
    settings.SIGNAL_TRACE = {"MAX_SENDS": 3, "IGNORE": [f"{HERE}.lonely"]}

    async def begin(**kwargs: Any) -> None:
        for _ in range(4):
            lonely.send(Shop)
        await asyncio.gather(*(awaited.asend(Shop, plan=[]) for _ in range(4)))
        clock.pass_ms(10)

    async def wait(**kwargs: Any) -> None:
        await asyncio.sleep(0)
        clock.pass_ms(20)
        await asyncio.sleep(0)

    signal = Signal()
    signal.connect(begin)
    lonely.connect(note)
    awaited.connect(wait)
    try:
        with signal_trace.record() as traced:
            asyncio.run(signal.asend(Shop))
    finally:
        awaited.disconnect(wait)
        lonely.disconnect(note)
    (call,) = traced.trace.sends[0].calls
    assert (call.duration_ns, call.self_ns) == (90_000_000, 10_000_000)


def test_receivers_that_never_ran_keep_a_send_of_ignored_ones_counted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SIGNAL_TRACE = {"MAX_SENDS": 2, "IGNORE": [f"{HERE}.first"]}
    monkeypatch.setattr(folding, "BATCH", 3)
    with signal_trace.record() as traced:
        for _ in range(20):
            with contextlib.suppress(ValueError):
                ordered.send(Shop, plan=[("fail",)])
    assert traced.trace.send_count == 20


def test_a_recording_that_ends_while_it_is_folded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SIGNAL_TRACE = {"MAX_SENDS": 3}
    monkeypatch.setattr(folding, "BATCH", 1)
    tally = folding._Folding.tally

    def tally_amid_garbage(*send: Any) -> None:
        ended.__exit__(None, None, None)  # As a finalizer may.
        tally(*send)

    monkeypatch.setattr(folding._Folding, "tally", tally_amid_garbage)
    signal = Signal()
    signal.connect(lambda **_: None, weak=False)
    with signal_trace.record() as ended:
        for _ in range(9):
            signal.send(None)
    assert 3 <= ended.trace.send_count < 9
