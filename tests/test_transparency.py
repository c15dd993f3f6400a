"""With real models: the same queries, and what Django's signals do besides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.db import connection, transaction
from django.db.models.signals import m2m_changed, post_save, pre_delete
from django.dispatch import Signal
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

import signal_trace
from tests.app.models import Book, Tag

pytestmark = pytest.mark.django_db


def queries(work: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        work()
    return [query["sql"].partition(" ")[0] for query in captured.captured_queries]


def delete_books() -> None:
    Book.objects.all().delete()


def tag_book() -> None:
    book = Book.objects.create(title="a")
    tags = [Tag.objects.create(name=name) for name in "ab"]
    book.tags.add(*tags)
    book.tags.set(tags[:1])
    book.tags.clear()


@pytest.mark.parametrize("work", [delete_books, tag_book])
def test_the_same_queries_run_with_a_recording(work: Callable[[], None]) -> None:
    without = queries(work)
    with signal_trace.record():
        within = queries(work)
    assert within == without
    assert without


def whole_queries(work: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        work()
    return [query["sql"] for query in captured.captured_queries]


def write_by_fast_paths() -> None:
    """What Django does with fewer queries where nobody listens."""
    book = Book.objects.get(title="kept")
    first, second = Tag.objects.order_by("name")
    book.tags.add(first, second)  # Without looking which are there.
    first.book_set.add(book)
    book.tags.remove(first)
    book.tags.through.objects.filter(book=book).delete()  # At once.
    Tag.objects.filter(pk=second.pk).delete()  # With what refers to it, by a query.


def test_fast_paths_are_taken_in_a_recording_and_in_a_receiver_of_it() -> None:
    Tag.objects.bulk_create([Tag(pk=1, name="a"), Tag(pk=2, name="b")])
    Book.objects.create(pk=1, title="kept")
    seen: list[list[str]] = []

    def write(**kwargs: Any) -> None:
        try:
            with transaction.atomic():
                seen.append(whole_queries(write_by_fast_paths))
                raise LookupError  # Each time anew.
        except LookupError:
            pass

    signal = Signal()
    signal.connect(write)
    write()
    signal.send("x")
    with signal_trace.record():
        write()
        signal.send("x")
        signal.send_robust("x")
        with signal_trace.record():
            write()
    write()
    without = seen[0]
    assert seen == [without] * 7
    through = [sql for sql in without if 'INTO "app_book_tags"' in sql]
    assert [sql.partition(" INTO")[0] for sql in through] == ["INSERT OR IGNORE"] * 2
    assert not [sql for sql in without if sql.startswith("SELECT") and "_tags" in sql]


@pytest.mark.parametrize("use_caching", [False, True])
def test_has_listeners_answers_the_same_everywhere(use_caching: bool) -> None:
    def hear_books(**kwargs: Any) -> None:
        pass

    async def hear_later(**kwargs: Any) -> None:
        pass

    none, some, later = (Signal(use_caching=use_caching) for _ in range(3))
    some.connect(hear_books, sender=Book)
    later.connect(hear_later, sender=Book)
    answers: list[list[bool]] = []

    def ask(**kwargs: Any) -> None:
        answers.append(
            [
                signal.has_listeners(sender)
                for signal in (none, some, later)
                for sender in (Book, Tag)
            ]
        )

    for signal in (Signal(), some):
        signal.connect(ask, sender=Book)
        ask()
        signal.send(Book)
        with signal_trace.record() as recording:
            ask()
            signal.send(Book)
            signal.send_robust(Book)
        ask()
        assert len(recording.trace.sends) == 2  # Asking is no send.
        assert recording.trace.unreceived == ()
    assert answers == [[False, False, True, False, True, False]] * 12


def test_model_signals_are_named_by_signal_and_model() -> None:
    def note(**kwargs: Any) -> None:
        pass

    post_save.connect(note, sender=Book)
    m2m_changed.connect(note, sender=Book.tags.through)
    pre_delete.connect(note)
    try:
        with signal_trace.record() as recording:
            tag_book()
            Tag.objects.all().delete()
    finally:
        post_save.disconnect(note, sender=Book)
        m2m_changed.disconnect(note, sender=Book.tags.through)
        pre_delete.disconnect(note)
    sends = [
        (send.signal.removeprefix("django.db.models.signals."), send.sender)
        for send in recording.trace.sends
    ]
    assert sends == [
        ("post_save", "app.Book"),
        *[("m2m_changed", "app.Book_tags")] * 6,
        *[("pre_delete", "app.Tag")] * 2,
    ]
    unreceived = {(one.signal, one.sender) for one in recording.trace.unreceived}
    assert ("django.db.models.signals.post_save", "app.Tag") in unreceived


def test_login_signals_are_recorded() -> None:
    def note(**kwargs: Any) -> None:
        pass

    User.objects.create_user("me", password="right")
    user_login_failed.connect(note)
    try:
        with signal_trace.record() as recording:
            assert authenticate(username="me", password="wrong") is None
    finally:
        user_login_failed.disconnect(note)
    assert [send.signal for send in recording.trace.sends] == [
        "django.contrib.auth.signals.user_login_failed"
    ]


def test_an_instance_with_an_async_call_counts_as_sync() -> None:
    class Receiver:
        async def __call__(self, **kwargs: Any) -> str:
            return "awaited"

    receiver = Receiver()
    signal = Signal()
    signal.connect(receiver)
    with signal_trace.record() as recording:
        ((_, response),) = signal.send("x")
    assert asyncio.run(response) == "awaited"
    (call,) = recording.trace.calls
    assert not call.is_async
    assert call.receiver == f"{__name__}.{Receiver.__qualname__}"


@pytest.mark.parametrize("ignored", ["django.contrib.auth", "auth.User", "auth"])
def test_apps_are_ignored_by_their_dotted_name_and_by_their_label(
    ignored: str, settings: Settings
) -> None:
    def note(**kwargs: Any) -> None:
        pass

    settings.SIGNAL_TRACE = {"IGNORE": [ignored]}
    post_save.connect(note)
    try:
        with signal_trace.record() as recording:
            User.objects.create(username="me").refresh_from_db()
            Tag.objects.create(name="a")
    finally:
        post_save.disconnect(note)
    assert [send.sender for send in recording.trace.sends] == ["app.Tag"]
    senders = {one.sender for one in recording.trace.unreceived}
    assert "app.Tag" in senders
    assert "auth.User" not in senders
