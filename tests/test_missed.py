"""Receivers that are connected for another sender than those that sent."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import django
import pytest
from django.db.models import Model
from django.db.models.signals import post_save, pre_save
from django.dispatch import Signal

import signal_trace
from signal_trace import Trace
from signal_trace import recording as recording_module
from signal_trace.parts import CHILD, OTHER_SENDER, PARENT, PROXY, NotCalled
from tests.app.models import Book, Dated, Novel, Paperback, Review, Tag, Visit

if TYPE_CHECKING:
    from pytest_django import Settings

SENDERS_ARE_KNOWN = django.VERSION >= (6, 0)
HERE = __name__

happened = Signal()
other = Signal()


class Hardcover(Book):
    """Another proxy."""

    class Meta:
        proxy = True
        app_label = "app"


class Shape:
    pass


class Square(Shape):
    pass


class Unrelated:
    pass


def miss(**kwargs: Any) -> None:
    pass


def note(**kwargs: Any) -> None:
    pass


LINE = miss.__code__.co_firstlineno

Connect = Callable[..., None]


@pytest.fixture(autouse=True)
def no_bugs(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> Iterator[None]:
    """A bug of ours would be logged, and the trace be empty."""
    monkeypatch.setattr(recording_module, "_reported", set())
    yield
    assert [one.name for one in caplog.records if one.name.startswith("signal_")] == []


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connects a receiver, for as long as the test lasts."""
    with contextlib.ExitStack() as stack:

        def connect(
            receiver: Any, sender: Any = None, signal: Signal = happened
        ) -> None:
            signal.connect(receiver, sender)
            stack.callback(signal.disconnect, receiver, sender)

        yield connect


def record(*senders: Any, signal: Signal = happened) -> Trace:
    with signal_trace.record() as recording:
        for sender in senders:
            signal.send(sender)
    return recording.trace


def missed(trace: Trace) -> list[NotCalled]:
    assert Trace.from_json(trace.to_json()) == trace
    return [one for one in trace.not_called if one.reason == OTHER_SENDER]


def near(trace: Trace) -> tuple[str | None, str | None, str | None]:
    (one,) = missed(trace)
    return one.sender, one.near_miss, one.relation


def test_all_that_is_told_of_it(connect: Connect) -> None:
    connect(miss, Tag)
    connect(note)
    assert missed(record(Book)) == [
        NotCalled(
            send=None,
            signal=f"{HERE}.happened",
            receiver=f"{HERE}.miss",
            file=__file__,
            line=LINE,
            reason=OTHER_SENDER,
            sender="app.Tag",
            near_miss=None,
            relation=None,
        )
    ]


# Near misses.


@pytest.mark.parametrize("heard", [False, True])
@pytest.mark.parametrize(
    ("wanted", "sent", "near_miss", "relation"),
    [
        (Book, Novel, "app.Novel", CHILD),
        (Novel, Book, "app.Book", PARENT),
        (Book, Paperback, "app.Paperback", PROXY),
        (Paperback, Book, "app.Book", PARENT),
        (Paperback, Hardcover, "app.Hardcover", PROXY),
        (Dated, Review, "app.Review", CHILD),
        (Review, Visit, None, None),
        (Model, Book, "app.Book", CHILD),
        (Book, Model, None, None),
        (Book, Tag, None, None),
        (Shape, Square, f"{HERE}.Square", CHILD),
        (Square, Shape, f"{HERE}.Shape", PARENT),
        (Square, Unrelated, None, None),
        (object, Unrelated, None, None),
        (Unrelated, object, None, None),
    ],
)
def test_who_sent_instead(
    connect: Connect,
    wanted: type,
    sent: type,
    near_miss: str | None,
    relation: str | None,
    heard: bool,
) -> None:
    if heard:
        connect(note)
    with signal_trace.record():
        other.send(wanted)  # So that it is known, whatever the version.
    connect(miss, wanted)
    (one,) = missed(record(sent))
    assert (one.near_miss, one.relation) == (near_miss, relation)


def test_the_nearest_is_told_among_several_senders(connect: Connect) -> None:
    connect(miss, Book)
    assert near(record(Tag, None, "text", Novel, Paperback)) == (
        "app.Book",
        "app.Novel",
        CHILD,
    )


@pytest.mark.django_db
def test_the_signals_of_a_child_by_multi_table_inheritance(connect: Connect) -> None:
    connect(miss, Book, post_save)
    with signal_trace.record() as recording:
        Novel.objects.create()
    assert near(recording.trace) == ("app.Book", "app.Novel", CHILD)


@pytest.mark.django_db
def test_the_signals_of_a_proxy(connect: Connect) -> None:
    connect(miss, Book, post_save)
    connect(note, Paperback, pre_save)
    with signal_trace.record() as recording:
        Paperback.objects.create()
    assert near(recording.trace) == ("app.Book", "app.Paperback", PROXY)


def test_who_is_listened_to_where_it_is_no_model_and_never_sent(
    connect: Connect,
) -> None:
    class New(Shape):
        pass

    connect(miss, New)
    name = f"{HERE}.test_who_is_listened_to_where_it_is_no_model_and_never_sent"
    expected = (
        (f"{name}.<locals>.New", f"{HERE}.Shape", PARENT)
        if SENDERS_ARE_KNOWN
        else (None, None, None)
    )
    assert near(record(Shape)) == expected
    with signal_trace.record():
        other.send(New)
    assert near(record(Shape)) == (f"{name}.<locals>.New", f"{HERE}.Shape", PARENT)


def test_an_object_that_is_listened_to(connect: Connect) -> None:
    shape = Shape()
    connect(miss, shape)
    known = f"{HERE}.Shape instance" if SENDERS_ARE_KNOWN else None
    assert near(record(Shape, Shape())) == (known, None, None)


def test_classes_that_answer_for_themselves_are_not_asked(connect: Connect) -> None:
    class Meta(abc.ABCMeta):
        def fails(cls, *args: Any) -> Any:
            raise AssertionError("the application's code was run")

        __subclasscheck__ = __instancecheck__ = __eq__ = fails  # type: ignore[assignment]
        __hash__ = type.__hash__  # Django asks for it.

    class Wanted(metaclass=Meta):
        pass

    class Sent(Wanted):
        pass

    class Else(metaclass=Meta):
        pass

    connect(miss, Wanted)
    with signal_trace.record():
        other.send(Wanted)
    (one,) = missed(record(Else, Sent))
    assert one.near_miss is not None
    assert one.near_miss.endswith("Sent")
    assert one.relation == CHILD


# What is not listed.


def test_one_that_hears_everybody(connect: Connect) -> None:
    connect(note)
    assert missed(record(Book)) == []


def test_one_that_was_called(connect: Connect) -> None:
    connect(miss, Book)
    assert missed(record(Tag, Book)) == []


def test_one_that_was_called_for_another_sender(connect: Connect) -> None:
    connect(miss, Book)
    connect(miss, Tag)
    assert missed(record(Tag)) == []


def test_an_object_that_can_not_be_referred_to_and_was_called(connect: Connect) -> None:
    class Slotted:
        __slots__ = ()

        def __call__(self, **kwargs: Any) -> None:
            pass

    slotted = Slotted()
    signal = Signal()
    signal.connect(slotted, Book, weak=False)
    signal.connect(slotted, Tag, weak=False)
    assert missed(record(Tag, signal=signal)) == []


def test_one_of_a_send_that_failed_before_it(connect: Connect) -> None:
    def fail(**kwargs: Any) -> None:
        raise ValueError("no")

    connect(fail)
    connect(miss, Book)
    with signal_trace.record() as recording, pytest.raises(ValueError, match="no"):
        happened.send(Book)
    assert missed(recording.trace) == []
    assert [one.receiver for one in recording.trace.not_called] == [f"{HERE}.miss"]


@pytest.mark.parametrize("ignored", [HERE, f"{HERE}.miss", f"{HERE}.happened"])
def test_one_that_is_ignored(
    connect: Connect, settings: Settings, ignored: str
) -> None:
    settings.SIGNAL_TRACE = {"IGNORE": [ignored]}
    connect(miss, Book)
    connect(note)
    assert missed(record(Tag)) == []


def test_sends_by_ignored_senders_only(connect: Connect, settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"IGNORE": ["app.Tag"]}
    connect(miss, Book)
    connect(note)
    assert missed(record(Tag)) == []


def test_one_of_a_signal_that_was_not_sent(connect: Connect) -> None:
    connect(miss, Book)
    assert missed(record(Tag, signal=other)) == []


def test_one_that_was_disconnected_before_the_end(connect: Connect) -> None:
    happened.connect(miss, Book)
    with signal_trace.record() as recording:
        happened.send(Tag)
        happened.disconnect(miss, Book)
    assert missed(recording.trace) == []


# What counts as sent.


def test_sends_that_nobody_heard_count(connect: Connect) -> None:
    connect(miss, Book)
    trace = record(Novel)
    assert trace.sends == ()
    assert near(trace) == ("app.Book", "app.Novel", CHILD)


def test_sends_of_inner_recordings_count(connect: Connect) -> None:
    connect(miss, Book)
    with signal_trace.record() as outer:
        inner = record(Novel)
        assert near(inner) == ("app.Book", "app.Novel", CHILD)
    assert near(outer.trace) == ("app.Book", "app.Novel", CHILD)


def test_what_was_called_in_sends_beyond_the_limit_was_called(
    connect: Connect, settings: Settings
) -> None:
    settings.SIGNAL_TRACE = {"MAX_SENDS": 1}
    connect(note)
    connect(miss, Book)
    trace = record(Tag, Book, Book)
    assert trace.omitted_count == 2
    assert missed(trace) == []


def test_each_connection_is_listed_once_and_for_each_signal(connect: Connect) -> None:
    connect(miss, Book)
    connect(miss, Tag)
    connect(miss, Book, other)
    with signal_trace.record() as recording:
        for _ in range(3):
            happened.send(Novel)
            other.send(None)
    found = [(one.signal, one.sender) for one in missed(recording.trace)]
    assert sorted(found) == [
        (f"{HERE}.happened", "app.Book"),
        (f"{HERE}.happened", "app.Tag"),
        (f"{HERE}.other", "app.Book"),
    ]
