"""Queries of real models, counted where they are made, and bulk writes."""

from __future__ import annotations

import asyncio
import contextvars
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from debug_toolbar.models import HistoryEntry
from debug_toolbar.store import get_store
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, connections, models, transaction
from django.db.models import F
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path

import signal_trace
from signal_trace import Trace, recording, sinks
from signal_trace.errors import OWN_FOLDER
from signal_trace.packing import unpack
from signal_trace.parts import Call, Queries, Statement
from tests.app.models import Book, Novel, Reader, Tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django import Settings

    from tests.fake_clock import FakeClock

MS = 1_000_000


def sent(*receivers: Callable[..., Any]) -> Signal:
    signal = Signal()
    for receiver in receivers:
        signal.connect(receiver, weak=False)
    return signal


def calls_of(trace: Trace) -> dict[str, Call]:
    return {call.receiver.rpartition(".")[2]: call for call in trace.calls}


@contextmanager
def connected(
    signal: Signal, receiver: Callable[..., Any], sender: Any = None
) -> Iterator[None]:
    signal.connect(receiver, sender=sender, weak=False)
    try:
        yield
    finally:
        signal.disconnect(receiver, sender=sender)


# -- How many, and where -------------------------------------------------------------


def test_queries_are_counted_where_they_are_made(database: str) -> None:
    books = Book.objects.using(database)

    def nested(**kwargs: Any) -> None:
        books.count()
        books.create(title="Emma")

    inner = sent(nested)

    def outer(**kwargs: Any) -> None:
        books.count()
        inner.send(Book)
        inner.send(Book)

    def silent(**kwargs: Any) -> None:
        pass

    with signal_trace.record() as recorded:
        books.exists()
        sent(outer, silent).send(Book)

    trace = recorded.trace
    top, *rest = trace.sends
    outer_call, silent_call = top.calls
    assert (outer_call.queries.count, outer_call.queries.nested_count) == (1, 4)
    assert (outer_call.queries.writes, silent_call.queries) == (0, Queries())
    assert (top.queries.count, top.queries.nested_count) == (1, 4)
    assert [(one.queries.count, one.queries.writes) for one in rest] == [(2, 1)] * 2
    assert (trace.queries.count, trace.queries.nested_count) == (1, 5)


def test_time_is_told_apart_in_the_same_way(clock: FakeClock, database: str) -> None:
    connection = connections[database]
    books = Book.objects.using(database)

    def slow(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        clock.pass_ms(5)
        return execute(sql, params, many, context)

    def nested(**kwargs: Any) -> None:
        clock.pass_ms(1)
        books.count()

    inner = sent(nested)

    def outer(**kwargs: Any) -> None:
        books.count()
        books.count()
        inner.send(Book)

    with signal_trace.record() as recorded, connection.execute_wrapper(slow):
        books.count()
        sent(outer).send(Book)

    calls, whole = calls_of(recorded.trace), recorded.trace.queries
    assert (calls["outer"].queries.duration_ns, calls["outer"].queries.nested_ns) == (
        10 * MS,
        5 * MS,
    )
    assert calls["nested"].queries.duration_ns == 5 * MS
    assert (whole.duration_ns, whole.nested_ns) == (5 * MS, 15 * MS)
    assert recorded.trace.sends[0].queries.duration_ns == 10 * MS


def test_the_most_repeated_statement_has_no_parameters(database: str) -> None:
    books = Book.objects.using(database)

    def look(**kwargs: Any) -> None:
        books.create(title="once")
        for title in ("hush", "hush hush", "secret"):
            books.filter(title=title).first()

    with signal_trace.record() as recorded:
        sent(look).send(Book)

    repeated = calls_of(recorded.trace)["look"].queries.repeated
    assert repeated is not None
    assert repeated.count == 3
    assert repeated.sql.startswith("SELECT")
    assert "%s" in repeated.sql
    assert "hush" not in recorded.trace.to_json()
    assert "secret" not in recorded.trace.to_json()


@pytest.mark.parametrize("debug", [False, True])
def test_every_way_to_execute_counts_once(database: str, debug: bool) -> None:
    connection = connections[database]
    connection.force_debug_cursor = debug
    mark = "%s"

    def execute(**kwargs: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.execute(f"SELECT {mark}", [1])
            cursor.executemany(
                f"INSERT INTO app_tag (name) VALUES ({mark})", [["a"], ["b"], ["c"]]
            )
        list(Book.objects.using(database).iterator(chunk_size=1))
        list(Book.objects.using(database).raw("SELECT * FROM app_book"))

    with signal_trace.record() as recorded:
        sent(execute).send(Book)

    queries = calls_of(recorded.trace)["execute"].queries
    assert (queries.count, queries.writes) == (5, 1)
    assert Tag.objects.using(database).count() == 3


def test_a_procedure_that_is_called_counts(postgres: str) -> None:
    with signal_trace.record() as recorded, connections[postgres].cursor() as cursor:
        cursor.callproc("upper", ["abc"])
        row = cursor.fetchone()

    assert row == ("ABC",)
    assert recorded.trace.queries.count == 1
    assert recorded.trace.queries.repeated == Statement("CALL upper", 1)


def test_sql_that_is_no_string_is_called_by_its_type(postgres: str) -> None:
    from psycopg import sql

    composed = sql.SQL("SELECT {}").format(sql.Literal("secret"))
    with signal_trace.record() as recorded, connections[postgres].cursor() as cursor:
        cursor.execute(composed)
        row = cursor.fetchone()

    assert row == ("secret",)
    assert recorded.trace.queries.repeated == Statement("Composed", 1)


def test_rows_of_a_server_side_cursor_are_fetched_by_one_query(postgres: str) -> None:
    books = Book.objects.using(postgres)
    books.bulk_create(Book(title=str(number)) for number in range(5))
    with signal_trace.record() as recorded:
        titles = [book.title for book in books.order_by("pk").iterator(chunk_size=2)]

    assert titles == list("01234")
    assert recorded.trace.queries.count == 1


def test_wrappers_of_the_application_see_what_they_always_see(database: str) -> None:
    seen: list[tuple[str, bool]] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append((sql[:6], many))
        return execute(sql, params, many, context)

    def refuse(*args: Any) -> Any:
        raise RuntimeError("no query here")

    def ask(**kwargs: Any) -> None:
        Book.objects.using(database).count()

    with signal_trace.record() as recorded:
        with connections[database].execute_wrapper(watch):
            sent(ask).send(Book)
        with (
            connections[database].execute_wrapper(refuse),
            pytest.raises(RuntimeError, match="no query here"),
        ):
            ask()

    assert seen == [("SELECT", False)]
    assert calls_of(recorded.trace)["ask"].queries.count == 1
    assert recorded.trace.queries.count == 1  # The refused one.


@pytest.mark.usefixtures("unpatched")
def test_a_query_that_raises_counts_and_raises_the_same(database: str) -> None:
    def fail(**kwargs: Any) -> None:
        with transaction.atomic(using=database), connections[database].cursor() as one:
            one.execute("SELECT * FROM nowhere")

    def caught() -> DatabaseError:
        with pytest.raises(DatabaseError) as caught:
            fail()
        return caught.value

    without = caught()
    with signal_trace.record() as recorded:
        within = caught()

    assert type(within) is type(without)
    assert str(within) == str(without)
    assert type(within.__cause__) is type(without.__cause__)
    assert names(within) == names(without)
    # On SQLite a transaction begins with a query, and there the first of equals is
    # shown.
    assert recorded.trace.queries.count == (2 if database == "default" else 1)


def names(error: BaseException) -> list[str]:
    """The functions that an exception came through, but for this package's."""
    return [
        frame.name
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(OWN_FOLDER)
    ]


def test_two_databases_at_once(postgres: str) -> None:
    def both(**kwargs: Any) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT 1")
        Book.objects.using(postgres).count()

    with signal_trace.record() as recorded:
        sent(both).send(Book)

    assert calls_of(recorded.trace)["both"].queries.count == 2


def test_connections_opened_meanwhile(postgres: str) -> None:
    connections[postgres].close()
    with signal_trace.record() as recorded:
        Book.objects.using(postgres).count()

    assert recorded.trace.queries.count >= 1
    assert recorded.trace.queries.repeated is not None
    assert "COUNT" in recorded.trace.queries.repeated.sql


# -- Threads and tasks ---------------------------------------------------------------


def test_queries_of_an_async_receiver_are_its_own(database: str) -> None:
    books = Book.objects.using(database)

    async def one(**kwargs: Any) -> None:
        await books.acount()

    async def three(**kwargs: Any) -> None:
        for _ in range(3):
            await books.acount()
            await asyncio.sleep(0)

    async def later(**kwargs: Any) -> None:
        await sync_to_async(books.count)()
        await sync_to_async(books.count, thread_sensitive=False)()

    async def send_all() -> None:
        # One by one: see docs/django.md on what Django 6.1 does of concurrent ones.
        for receiver in (one, three, later):
            await sent(receiver).asend(Book)

    with signal_trace.record() as recorded:
        asyncio.run(send_all())

    counts = {
        name: call.queries.count for name, call in calls_of(recorded.trace).items()
    }
    assert counts == {"one": 1, "three": 3, "later": 2}
    assert recorded.trace.queries.nested_count == 6


def test_queries_of_concurrent_receivers_are_told_apart(database: str) -> None:
    def ask(times: int) -> Callable[..., Any]:
        async def receive(**kwargs: Any) -> None:
            for _ in range(times):
                count = Book.objects.using(database).count
                await sync_to_async(count, thread_sensitive=False)()

        return receive

    with signal_trace.record() as recorded:
        asyncio.run(sent(ask(1), ask(2), ask(5)).asend(Book))  # type: ignore[arg-type]

    assert sorted(call.queries.count for call in recorded.trace.calls) == [1, 2, 5]
    assert recorded.trace.queries.nested_count == 8


def test_many_threads_lose_no_query(database: str) -> None:
    connection_of = connections
    threads, each = 8, 400

    def ask(**kwargs: Any) -> None:
        with connection_of[database].cursor() as cursor:
            for _ in range(each):
                cursor.execute("SELECT 1")

    signal = sent(ask)
    with signal_trace.record() as recorded, ThreadPoolExecutor(threads) as pool:
        futures = [
            pool.submit(contextvars.copy_context().run, signal.send, Book)
            for _ in range(threads)
        ]
        for future in futures:
            future.result()

    trace = recorded.trace
    assert [call.queries.count for call in trace.calls] == [each] * threads
    assert trace.queries.nested_count == threads * each


def test_queries_after_the_recording_count_no_more(database: str) -> None:
    with signal_trace.record() as recorded:
        late = contextvars.copy_context()
    late.run(Book.objects.using(database).count)
    assert recorded.trace.queries == Queries()
    assert late.run(recording.position.get) != 0


# -- What others count ---------------------------------------------------------------


def test_counts_agree_with_those_of_capture_queries(database: str) -> None:
    connection = connections[database]
    books = Book.objects.using(database)
    with CaptureQueriesContext(connection) as captured:
        with signal_trace.record() as recorded:
            books.count()
            with transaction.atomic(using=database):
                books.create(title="Emma")
                with transaction.atomic(using=database):
                    books.count()
                try:
                    with transaction.atomic(using=database):
                        raise ValueError
                except ValueError:
                    pass
            try:
                with transaction.atomic(using=database):
                    books.count()
                    raise ValueError
            except ValueError:
                pass

    lines = [query["sql"] for query in captured]
    # Savepoints go through a cursor, and on SQLite the beginning of a transaction.
    logged_only = {"COMMIT", "ROLLBACK"}
    if connection.vendor == "postgresql":
        logged_only.add("BEGIN")
    counted = [line for line in lines if line not in logged_only]
    words = {line.partition(" ")[0] for line in lines}
    assert words == {
        *("SELECT", "INSERT", "BEGIN", "COMMIT", "ROLLBACK"),
        *("SAVEPOINT", "RELEASE"),
    }
    assert sum("ROLLBACK TO" in line for line in counted) == 1
    assert recorded.trace.queries.count == len(counted)


def ask_and_save(request: HttpRequest) -> HttpResponse:
    def look(**kwargs: Any) -> None:
        Book.objects.count()
        list(Book.objects.iterator())

    with connected(post_save, look, Book), transaction.atomic():
        Book.objects.create(title="Emma")
        with transaction.atomic():
            Book.objects.bulk_create([Book(title="Persuasion")])
        Book.objects.update(title=F("title"))
    return HttpResponse("<html><body>asked</body></html>")


async def ask_later(request: HttpRequest) -> HttpResponse:
    await Book.objects.acount()
    await Book.objects.acreate(title="Emma")
    return HttpResponse("<html><body>asked</body></html>")


class URLs:
    from django.urls import include

    urlpatterns = (
        path("ask/", ask_and_save),
        path("later/", ask_later),
        path("__debug__/", include("debug_toolbar.urls")),
    )


TOOLBAR = "debug_toolbar.middleware.DebugToolbarMiddleware"


@pytest.fixture
def urls(settings: Settings) -> None:
    settings.ROOT_URLCONF = URLs
    settings.MIDDLEWARE = [TOOLBAR]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("urls")
@pytest.mark.parametrize("url", ["/ask/", "/later/"])
def test_counts_agree_with_those_of_the_toolbar(url: str) -> None:
    response = Client().get(url)
    request_id = response["djdt-request-id"]
    ours = unpack(Trace, get_store().panel(request_id, "SignalTracePanel")["trace"])
    theirs = get_store().panel(request_id, "SQLPanel")["queries"]
    assert ours.queries.count + ours.queries.nested_count == len(theirs) > 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("urls")
def test_bulk_writes_are_seen_through_the_toolbars_cursors() -> None:
    def hear(**kwargs: Any) -> None:
        pass

    with connected(pre_save, hear, Book):
        response = Client().get("/ask/")
    ours = unpack(
        Trace,
        get_store().panel(response["djdt-request-id"], "SignalTracePanel")["trace"],
    )
    assert [one.kind for one in ours.events] == ["bulk_create", "update"]


# -- Bulk writes ---------------------------------------------------------------------


class BookQuerySet(models.QuerySet[Book]):
    def rename(self, title: str) -> int:
        return self.update(title=title)

    def update(self, **kwargs: Any) -> int:
        return super().update(**kwargs)


def hear(**kwargs: Any) -> None:
    pass


def hear_too(**kwargs: Any) -> None:
    pass


@pytest.fixture
def heard() -> Iterator[None]:
    """Somebody listens to what saving and deleting books sends."""
    with (
        connected(post_save, hear, Book),
        connected(pre_save, hear_too, Book),
        connected(post_delete, hear, Book),
    ):
        yield


def bulk_create(alias: str) -> None:
    Book.objects.using(alias).bulk_create([Book(title="a"), Book(title="b")])


def update(alias: str) -> None:
    Book.objects.using(alias).filter(title="a").update(title="b")


def bulk_update(alias: str) -> None:
    book = Book(title="a")
    book.save_base(raw=True, using=alias)
    Book.objects.using(alias).bulk_update([book], ["title"])


def raw_delete(alias: str) -> None:
    books = Book.objects.using(alias)
    books._raw_delete(alias)


async def aupdate(alias: str) -> None:
    await Book.objects.using(alias).aupdate(title="b")


async def abulk_create(alias: str) -> None:
    await Book.objects.using(alias).abulk_create([Book(title="a")])


def update_of_subclass(alias: str) -> None:
    BookQuerySet(Book, using=alias).rename("b")


def update_of_manager(alias: str) -> None:
    manager = models.Manager.from_queryset(BookQuerySet)()
    manager.model = Book
    manager.db_manager(alias).rename("b")  # type: ignore[attr-defined]


def update_of_related(alias: str) -> None:
    tag = Tag.objects.using(alias).create(name="novel")
    tag.book_set.create(title="Emma")
    tag.book_set.update(title="Persuasion")


WRITES = {
    bulk_create: ("bulk_create", "bulk_create"),
    abulk_create: ("bulk_create", "abulk_create"),
    update: ("update", "update"),
    aupdate: ("update", "aupdate"),
    bulk_update: ("bulk_update", "bulk_update"),
    raw_delete: ("_raw_delete", "raw_delete"),
    update_of_subclass: ("update", "BookQuerySet.update"),
    update_of_manager: ("update", "BookQuerySet.update"),
    update_of_related: ("update", "update_of_related"),
}


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("write", WRITES)
def test_bulk_writes_that_go_past_receivers(
    database: str, write: Callable[[str], Any]
) -> None:
    if iscoroutinefunction(write):

        async def receive(**kwargs: Any) -> None:
            await write(database)

    else:

        def receive(**kwargs: Any) -> None:  # type: ignore[misc]
            write(database)

    with signal_trace.record() as recorded:
        if iscoroutinefunction(write):
            asyncio.run(sent(receive).asend(Sender))  # type: ignore[arg-type]
        else:
            sent(receive).send(Sender)

    (event,) = recorded.trace.events
    kind, function = WRITES[write]
    assert (event.kind, event.subject, event.count) == (kind, "app.Book", 1)
    receivers = [hear] if kind == "_raw_delete" else [hear_too, hear]
    assert event.receivers == tuple(f"{__name__}.{one.__name__}" for one in receivers)
    assert event.call == calls_of(recorded.trace)["receive"].id
    assert event.call_site is not None
    assert event.call_site.file == __file__
    assert event.call_site.function == function
    assert event.in_callback is False


class Sender:
    pass


@pytest.mark.usefixtures("heard")
def test_writes_that_send_signals_are_no_bulk_writes(database: str) -> None:
    with signal_trace.record() as recorded:
        books = Book.objects.using(database)
        book = books.create(title="Emma")
        book.save()
        books.get_or_create(title="Emma")
        books.update_or_create(title="Emma", defaults={"title": "Persuasion"})
        Novel.objects.using(database).create(title="Sanditon")
        book.delete()
        books.all().delete()
    assert recorded.trace.queries.writes > 5
    assert recorded.trace.events == ()


def test_what_deleting_updates_is_no_bulk_write(database: str) -> None:
    book = Book.objects.using(database).create(title="Emma")
    reader = Reader.objects.using(database).create(book=book)
    with connected(post_save, hear, Reader), signal_trace.record() as recorded:
        book.delete()
    reader.refresh_from_db()
    assert reader.book_id is None
    assert recorded.trace.events == ()


def test_links_of_many_to_many_are_no_bulk_writes(database: str) -> None:
    with connected(post_save, hear), connected(post_delete, hear):
        with signal_trace.record() as recorded:
            book = Book.objects.using(database).create(title="Emma")
            tags = [Tag.objects.using(database).create(name=name) for name in "abc"]
            book.tags.add(*tags)
            book.tags.set(tags[:1])
            book.tags.clear()
            tags[0].book_set.add(book)
    assert recorded.trace.events == ()


def test_adding_to_the_other_side_of_a_foreign_key_is_an_update(database: str) -> None:
    kinds = ContentType.objects.using(database)
    one, other = (kinds.create(app_label="x", model=name) for name in "ab")
    permission = Permission.objects.using(database).create(
        name="x", codename="x", content_type=one
    )
    with connected(post_save, hear, Permission):
        with signal_trace.record() as recorded:
            other.permission_set.add(permission)
            other.permission_set.add(permission, bulk=False)
    (event,) = recorded.trace.events
    assert (event.kind, event.subject) == ("update", "auth.Permission")
    assert event.call_site is not None
    assert event.call_site.file == __file__


def test_djangos_own_bulk_writes_are_its_own(database: str) -> None:
    from django.apps import apps
    from django.contrib.contenttypes.management import create_contenttypes

    ContentType.objects.using(database).filter(app_label="app").delete()
    with connected(post_save, hear):
        with signal_trace.record() as recorded:
            create_contenttypes(apps.get_app_config("app"), 0, using=database)
    assert recorded.trace.queries.writes == 1
    assert recorded.trace.events == ()
    ContentType.objects.clear_cache()


def test_writes_of_raw_sql_are_no_bulk_writes_wherever_they_are_made(
    database: str,
) -> None:
    def execute(**kwargs: Any) -> None:
        with connections[database].cursor() as cursor:
            cursor.execute("INSERT INTO app_book (title) VALUES ('Emma')")

    with connected(pre_save, hear, Book), connected(post_save, execute, Tag):
        with signal_trace.record() as recorded:
            execute()
            Tag.objects.using(database).create(name="novel")
    assert recorded.trace.queries.writes == 2
    assert recorded.trace.events == ()


def test_bulk_writes_that_nobody_would_have_heard_are_no_events(database: str) -> None:
    with connected(post_save, hear, Tag), connected(post_delete, hear, Book):
        with signal_trace.record() as recorded:
            bulk_create(database)
            update(database)
    assert recorded.trace.events == ()


def test_bulk_writes_of_a_receiver_do_not_go_past_itself(database: str) -> None:
    def correct(**kwargs: Any) -> None:
        update(database)

    def add_one(**kwargs: Any) -> None:
        Book.objects.using(database).create(title="a")

    with connected(post_save, correct, Book):
        with signal_trace.record() as alone:
            sent(add_one).send(Sender)
        with connected(post_save, hear, Book), signal_trace.record() as recorded:
            sent(add_one).send(Sender)
            update(database)
    assert alone.trace.events == ()
    inside, outside = (event.receivers for event in recorded.trace.events)
    assert inside == (f"{__name__}.hear",)
    assert len(outside) == 2


@pytest.mark.usefixtures("heard")
def test_bulk_writes_are_counted_by_line_statement_by_statement(database: str) -> None:
    books = Book.objects.using(database)
    with signal_trace.record() as recorded:
        for _ in range(3):
            books.update(title="a")
        books.bulk_create([Book(title=str(number)) for number in range(5)], 2)
        with transaction.atomic(using=database):
            books.update(title="b")
    assert [
        (event.kind, event.count, event.in_transaction)
        for event in recorded.trace.events
    ] == [("update", 3, False), ("bulk_create", 3, True), ("update", 1, True)]


@pytest.mark.usefixtures("heard")
def test_bulk_writes_of_a_callback(database: str) -> None:
    with signal_trace.record() as recorded, transaction.atomic(using=database):
        transaction.on_commit(lambda: update(database), using=database)
    event = recorded.trace.events[-1]
    assert (event.kind, event.in_callback, event.in_transaction) == (
        *("update", True),
        False,
    )


@pytest.mark.usefixtures("heard", "unpatched")
def test_wrong_arguments_are_refused_as_by_django(database: str) -> None:
    books, connection = Book.objects.using(database), connections[database]

    def refused() -> Iterator[str]:
        for call in (
            lambda: books.update(nothing=1),
            lambda: books.bulk_create(),  # type: ignore[call-arg]
            lambda: books.bulk_update([], []),
            lambda: connection.cursor().execute(),  # type: ignore[call-arg]
            lambda: connection.cursor().callproc(),  # type: ignore[call-arg]
            lambda: connection.set_autocommit(),
            lambda: connection.savepoint_rollback(),
        ):
            with pytest.raises(Exception) as caught:  # noqa: PT011  # Of any type.
                call()  # type: ignore[no-untyped-call]
            yield f"{type(caught.value).__name__}: {caught.value}"

    without = list(refused())
    with signal_trace.record() as recorded:
        within = list(refused())
    assert within == without
    assert recorded.trace.events == ()


# -- The toolbar's own ---------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_toolbars_own_queries_are_left_out(settings: Settings) -> None:
    settings.ROOT_URLCONF = URLs
    settings.MIDDLEWARE = ["signal_trace.middleware.SignalTraceMiddleware", TOOLBAR]
    settings.DEBUG_TOOLBAR_CONFIG = {
        **settings.DEBUG_TOOLBAR_CONFIG,
        "TOOLBAR_STORE_CLASS": "debug_toolbar.store.DatabaseStore",
    }
    settings.SIGNAL_TRACE = {"SINKS": [{"BACKEND": f"{__name__}.keep"}]}
    kept.clear()
    with connections["default"].schema_editor() as editor:
        editor.create_model(HistoryEntry)
    try:
        response = Client().get("/later/")
        assert get_store().panel(response["djdt-request-id"], "SQLPanel")["queries"]
    finally:
        with connections["default"].schema_editor() as editor:
            editor.delete_model(HistoryEntry)
    assert sinks.flush(60)
    (trace,) = kept
    assert "debug_toolbar" not in trace.to_json()
    # BEGIN, SAVEPOINT and RELEASE don't say whose they are.
    assert trace.queries.writes == 1


kept: list[Trace] = []


def keep(trace: Trace) -> None:
    kept.append(trace)
