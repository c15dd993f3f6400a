"""How receivers are connected, as the calls of a trace tell it."""

from __future__ import annotations

import asyncio
import functools
import gc
from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.db.models.signals import post_save
from django.dispatch import Signal

import signal_trace
from signal_trace import Trace
from signal_trace import recording as recording_module
from signal_trace.connected import connected_to
from signal_trace.parts import Connection
from tests.app.models import Book, Tag

SENDERS_ARE_KNOWN = django.VERSION >= (6, 0)


@pytest.fixture(autouse=True)
def no_bugs(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> Iterator[None]:
    """A bug of ours would be logged, and the trace be empty."""
    monkeypatch.setattr(recording_module, "_reported", set())
    yield
    assert [one.name for one in caplog.records if one.name.startswith("signal_")] == []


class Sender:
    pass


class Other:
    pass


def one(**kwargs: Any) -> None:
    pass


def two(**kwargs: Any) -> None:
    pass


async def later(**kwargs: Any) -> None:
    pass


class Listener:
    def hear(self, **kwargs: Any) -> None:
        pass


class Slotted:
    """Can't be referred to weakly."""

    __slots__ = ()

    def __call__(self, **kwargs: Any) -> None:
        pass


def record(signal: Signal, *senders: Any) -> Trace:
    with signal_trace.record() as recording:
        for sender in senders or (Sender,):
            signal.send(sender)
    return recording.trace


def connections(trace: Trace) -> list[tuple[str, Connection | None]]:
    """The last name of each call's receiver, and its connection."""
    assert Trace.from_json(trace.to_json()) == trace
    return [(call.receiver.rpartition(".")[2], call.connection) for call in trace.calls]


def only(trace: Trace) -> Connection:
    ((_, connection),) = connections(trace)
    assert connection is not None
    return connection


def test_a_plain_connection() -> None:
    signal = Signal()
    signal.connect(one)
    assert only(record(signal)) == Connection(None, True, None, 1)


@pytest.mark.parametrize("weak", [True, False])
def test_weak_and_strong(weak: bool) -> None:
    signal = Signal()
    signal.connect(one, weak=weak)
    assert only(record(signal)).weak is weak


class Loud(str):
    """A text that shouts."""

    def __str__(self) -> str:
        raise AssertionError

    __repr__ = __str__


class Incomparable:
    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        raise AssertionError("the application's code was run")


@pytest.mark.parametrize(
    ("uid", "expected"),
    [
        (None, None),
        ("", None),
        (0, None),
        ("shop.notify", "shop.notify"),
        ("\udc80", "\\udc80"),
        (5, "int"),
        (5.5, "float"),
        ((1, 2), "tuple"),
        ((1, 2, 3), "tuple"),
        (("shop", "notify"), "tuple"),
        (Sender, "type"),
        (Loud("x"), f"{__name__}.Loud"),
        (Incomparable(), f"{__name__}.Incomparable"),
        ((Incomparable(), Incomparable()), "tuple"),
    ],
)
@pytest.mark.parametrize("receiver", [one, Listener().hear])
def test_the_dispatch_uid(receiver: Any, uid: Any, expected: str | None) -> None:
    signal = Signal()
    signal.connect(receiver, dispatch_uid=uid)
    assert only(record(signal)).dispatch_uid == expected


def test_the_sender_that_it_is_bound_to() -> None:
    signal = Signal()
    signal.connect(one, sender=Sender)
    assert only(record(signal)) == Connection(None, True, f"{__name__}.Sender", 1)


def test_a_sender_that_is_no_class() -> None:
    signal, sender = Signal(), Sender()
    signal.connect(one, sender=sender)
    signal.connect(two)
    known = f"{__name__}.Sender instance" if SENDERS_ARE_KNOWN else None
    assert connections(record(signal, sender)) == [
        ("one", Connection(None, True, known, 1)),
        ("two", Connection(None, True, None, 2)),
    ]


@pytest.mark.django_db
def test_a_model_that_it_is_bound_to() -> None:
    post_save.connect(one, sender="app.Tag", dispatch_uid="tag")
    try:
        with signal_trace.record() as recording:
            Tag.objects.create()
    finally:
        assert post_save.disconnect(sender=Tag, dispatch_uid="tag")
    assert only(recording.trace) == Connection("tag", True, "app.Tag", 1)


def test_the_place_is_that_among_those_who_hear_the_sender() -> None:
    signal = Signal()
    signal.connect(two, sender=Other)
    signal.connect(one)
    signal.connect(later)
    signal.connect(two, sender=Sender)
    trace = record(signal, Sender, Other, "else")
    places = [
        (name, connection and connection.place)
        for name, connection in connections(trace)
    ]
    assert places == [
        *[("one", 1), ("two", 3), ("later", 2)],
        *[("two", 1), ("one", 2), ("later", 3)],
        *[("one", 1), ("later", 2)],
    ]


@pytest.mark.parametrize("method", ["asend", "asend_robust"])
def test_places_in_an_asynchronous_send(method: str) -> None:
    signal = Signal()
    for receiver in (later, one, two):
        signal.connect(receiver)

    async def run() -> None:
        await getattr(signal, method)(Sender)

    with signal_trace.record() as recording:
        asyncio.run(run())
    places = {name: made and made.place for name, made in connections(recording.trace)}
    assert places == {"later": 1, "one": 2, "two": 3}


def test_one_function_connected_twice_by_different_uids() -> None:
    signal = Signal()
    signal.connect(one, dispatch_uid="a")
    signal.connect(two)
    signal.connect(one, dispatch_uid="b", weak=False)
    assert connections(record(signal, Sender, Other)) == 2 * [
        ("one", Connection("a", True, None, 1)),
        ("two", Connection(None, True, None, 2)),
        ("one", Connection("b", False, None, 3)),
    ]


def test_one_function_connected_for_a_sender_and_for_all() -> None:
    signal = Signal()
    signal.connect(one)
    signal.connect(one, sender=Sender)
    assert connections(record(signal, Sender, Other)) == [
        ("one", Connection(None, True, None, 1)),
        ("one", Connection(None, True, f"{__name__}.Sender", 2)),
        ("one", Connection(None, True, None, 1)),
    ]


def test_one_function_connected_twice_of_which_one_call_raises() -> None:
    def fail_at_two(**kwargs: Any) -> None:
        runs.append(1)
        if len(runs) == 2:
            raise ValueError

    runs: list[int] = []
    signal = Signal()
    for uid in "abc":
        signal.connect(fail_at_two, dispatch_uid=uid)
    with signal_trace.record() as recording, pytest.raises(ValueError):  # noqa: PT011
        signal.send(Sender)
    uids = [made and made.dispatch_uid for _, made in connections(recording.trace)]
    assert uids == ["a", "b"]


def test_bound_methods_of_two_instances() -> None:
    signal, first, second = Signal(), Listener(), Listener()
    signal.connect(first.hear)
    signal.connect(second.hear, dispatch_uid="second")
    assert connections(record(signal)) == [
        ("hear", Connection(None, True, None, 1)),
        ("hear", Connection("second", True, None, 2)),
    ]


def test_partials_and_objects() -> None:
    signal = Signal()
    partial, slotted = functools.partial(one, extra=1), Slotted()
    signal.connect(partial)
    signal.connect(one)
    signal.connect(slotted, weak=False)
    assert connections(record(signal)) == [
        ("one", Connection(None, True, None, 1)),
        ("one", Connection(None, True, None, 2)),
        ("Slotted", Connection(None, False, None, 3)),
    ]


def test_receivers_with_a_name_of_their_own_each() -> None:
    def make() -> Any:
        def made(**kwargs: Any) -> None:
            pass

        return made

    signal = Signal()
    for uid in "ab":
        signal.connect(make(), weak=False, dispatch_uid=uid)
    uids = [made and made.dispatch_uid for _, made in connections(record(signal))]
    assert uids == ["a", "b"]


def test_disconnected_before_the_trace_is_made() -> None:
    signal = Signal()
    signal.connect(one)
    signal.connect(two)
    with signal_trace.record() as recording:
        signal.send(Sender)
        signal.disconnect(one)
    assert connections(recording.trace) == [
        ("one", None),
        ("two", Connection(None, True, None, 1)),
    ]


def test_a_signal_that_is_gone() -> None:
    with signal_trace.record() as recording:
        signal = Signal()
        signal.connect(one, weak=False)  # Else, before Django 6.0, it would stay.
        signal.send(Sender)
        del signal
        gc.collect()
    assert connections(recording.trace) == [("one", None)]


def test_dead_receivers_are_no_part_of_the_order() -> None:
    def dies(**kwargs: Any) -> None:
        pass

    signal = Signal()
    signal.connect(dies)
    signal.connect(one)
    del dies
    gc.collect()
    assert only(record(signal)) == Connection(None, True, None, 1)
    assert [made.receiver.name for made in connected_to(signal)] == [f"{__name__}.one"]


def test_a_receiver_that_died_since_it_was_called() -> None:
    signal = Signal()

    def dies(**kwargs: Any) -> None:
        pass

    signal.connect(dies)
    with signal_trace.record() as recording:
        signal.send(Sender)
        del dies
        gc.collect()
    assert connections(recording.trace) == [("dies", None)]


def test_what_is_read_of_a_signal() -> None:
    signal = Signal()
    signal.connect(one, sender=Book, dispatch_uid="uid")
    signal.connect(two, weak=False)
    first, second = connected_to(signal)
    assert (first.sender_id, first.sender, first.sender_name) == (
        id(Book),
        Book,
        "app.Book",
    )
    assert (second.sender_id, second.sender, second.sender_name) == (None, None, None)
    assert (first.weak, second.weak) == (True, False)
    assert (first.dispatch_uid, second.dispatch_uid) == ("uid", None)


def test_a_sender_that_is_gone() -> None:
    class Gone:
        pass

    signal = Signal()
    signal.connect(one, sender=Gone)
    del Gone
    gc.collect()
    (made,) = connected_to(signal)
    assert made.sender_id is not None
    assert (made.sender, made.sender_name) == (None, None)
