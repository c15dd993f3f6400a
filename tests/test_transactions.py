"""What became of the transactions that sends were made in, and callbacks of theirs."""

from __future__ import annotations

import contextvars
import gc
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import async_to_sync
from django.core.handlers.base import BaseHandler
from django.db import IntegrityError, connections, transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, TestCase

import signal_trace
from signal_trace import Trace, transactions, watching
from signal_trace import database as watched
from signal_trace.parts import COMMITTED, ON_COMMIT, OPEN, ROLLED_BACK, Event
from tests.app.models import Book

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings


# The new name since Django 6.1.
make_savepoint = getattr(transaction, "savepoint_create", transaction.savepoint)


class Sender:
    pass


told = Signal()


def hear(**kwargs: Any) -> None:
    pass


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    told.connect(hear)
    yield
    told.disconnect(hear)


def tell(**named: Any) -> None:
    told.send(Sender, **named)


def outcomes(trace: Trace) -> list[str | None]:
    return [send.transaction for send in trace.sends]


def callbacks(trace: Trace) -> list[Event]:
    return [event for event in trace.events if event.kind == ON_COMMIT]


class Failure(Exception):
    pass


# -- Blocks --------------------------------------------------------------------------


def test_outside_of_a_block_there_is_none(database: str) -> None:
    with signal_trace.record() as recorded:
        tell()
        with transaction.atomic(using=database):
            tell()
        tell()
    assert outcomes(recorded.trace) == [None, COMMITTED, None]


def test_saving_in_autocommit_is_in_none_and_deleting_in_one_of_its_own(
    database: str,
) -> None:
    post_save.connect(hear, sender=Book)
    post_delete.connect(hear, sender=Book)
    try:
        with signal_trace.record() as recorded:
            book = Book.objects.using(database).create(title="Emma")
            book.delete()
    finally:
        post_save.disconnect(hear, sender=Book)
        post_delete.disconnect(hear, sender=Book)
    assert outcomes(recorded.trace) == [None, COMMITTED]


def test_an_exception_rolls_the_outermost_block_back(database: str) -> None:
    with signal_trace.record() as recorded:
        with suppress(Failure), transaction.atomic(using=database):
            tell()
            with transaction.atomic(using=database):
                tell()
            raise Failure
        tell()
    assert outcomes(recorded.trace) == [ROLLED_BACK, ROLLED_BACK, None]


def test_an_inner_block_alone_is_rolled_back(database: str) -> None:
    with signal_trace.record() as recorded, transaction.atomic(using=database):
        tell()
        with suppress(Failure), transaction.atomic(using=database):
            tell()
            with transaction.atomic(using=database):
                tell()
            raise Failure
        tell()
        with transaction.atomic(using=database):
            tell()
    # The recording ends after the block.
    assert outcomes(recorded.trace) == [
        *(COMMITTED, ROLLED_BACK, ROLLED_BACK, COMMITTED, COMMITTED)
    ]


def test_a_failure_without_a_savepoint_takes_all_along(database: str) -> None:
    with signal_trace.record() as recorded:
        with transaction.atomic(using=database):
            tell()
            with suppress(Failure), transaction.atomic(using=database, savepoint=False):
                tell()
                raise Failure
            tell()
    assert outcomes(recorded.trace) == [ROLLED_BACK] * 3


def test_a_failure_without_a_savepoint_stops_at_the_next_one(database: str) -> None:
    with signal_trace.record() as recorded:
        with transaction.atomic(using=database):
            tell()
            with transaction.atomic(using=database):
                tell()
                with (
                    suppress(Failure),
                    transaction.atomic(using=database, savepoint=False),
                ):
                    raise Failure
            tell()
    assert outcomes(recorded.trace) == [COMMITTED, ROLLED_BACK, COMMITTED]


def test_a_durable_block_is_like_any(database: str) -> None:
    with signal_trace.record() as recorded:
        with transaction.atomic(using=database, durable=True):
            tell()
            with pytest.raises(RuntimeError, match="durable"):
                transaction.atomic(using=database, durable=True).__enter__()
            tell()
    assert outcomes(recorded.trace) == [COMMITTED, COMMITTED]


def test_set_rollback_rolls_back_without_an_exception(database: str) -> None:
    with signal_trace.record() as recorded:
        with transaction.atomic(using=database):
            tell()
            transaction.set_rollback(True, using=database)
    assert outcomes(recorded.trace) == [ROLLED_BACK]


def test_savepoints_made_by_hand(database: str) -> None:
    with signal_trace.record() as recorded, transaction.atomic(using=database):
        tell()
        kept = make_savepoint(using=database)
        tell()
        transaction.savepoint_commit(kept, using=database)
        lost = make_savepoint(using=database)
        tell()
        transaction.savepoint_rollback(lost, using=database)
        tell()
        transaction.savepoint_rollback(lost, using=database)  # It is still there.
        tell()
    assert outcomes(recorded.trace) == [
        *(COMMITTED, COMMITTED, ROLLED_BACK, ROLLED_BACK, COMMITTED)
    ]


def test_a_rollback_takes_released_savepoints_along(database: str) -> None:
    with signal_trace.record() as recorded, transaction.atomic(using=database):
        for _ in range(3):
            with suppress(Failure), transaction.atomic(using=database):
                for _ in range(2):
                    with suppress(Failure), transaction.atomic(using=database):
                        tell()
                        raise Failure
                tell()
                raise Failure
            tell()
    assert (
        outcomes(recorded.trace)
        == [*(ROLLED_BACK, ROLLED_BACK, ROLLED_BACK, COMMITTED)] * 3
    )


def test_without_autocommit_commit_and_rollback_end_one(database: str) -> None:
    with signal_trace.record() as recorded:
        transaction.set_autocommit(False, using=database)
        tell()
        transaction.set_autocommit(False, using=database)  # Changes nothing.
        transaction.commit(using=database)
        tell()
        transaction.rollback(using=database)
        with transaction.atomic(using=database):
            tell()
        with suppress(Failure), transaction.atomic(using=database):
            tell()
            raise Failure
        transaction.commit(using=database)
        transaction.set_autocommit(True, using=database)
        tell()
    assert outcomes(recorded.trace) == [
        *(COMMITTED, ROLLED_BACK, COMMITTED, ROLLED_BACK, None)
    ]


@pytest.mark.django_db(transaction=True)
def test_autocommit_that_comes_back_commits_on_sqlite() -> None:
    connection = connections["default"]
    with signal_trace.record() as recorded:
        transaction.set_autocommit(False)
        tell()
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE noted (id int)")
        transaction.set_autocommit(True)
    assert not connection.connection.in_transaction
    assert outcomes(recorded.trace) == [COMMITTED]


def test_autocommit_that_is_refused_leaves_one_open(postgres: str) -> None:
    with signal_trace.record() as recorded:
        transaction.set_autocommit(False, using=postgres)
        Book.objects.using(postgres).create(title="Emma")
        tell()
        with pytest.raises(Exception, match="can't change 'autocommit' now"):
            transaction.set_autocommit(True, using=postgres)
        tell()
        transaction.rollback(using=postgres)
        transaction.set_autocommit(True, using=postgres)
    assert outcomes(recorded.trace) == [ROLLED_BACK, ROLLED_BACK]
    assert not Book.objects.using(postgres).exists()


def test_a_constraint_that_fails_at_the_end_rolls_back(postgres: str) -> None:
    links = Book.tags.through.objects.using(postgres)

    def link_nothing() -> None:
        with transaction.atomic(using=postgres):
            links.create(book_id=999, tag_id=999)
            tell()

    with signal_trace.record() as recorded:
        with pytest.raises(IntegrityError):
            link_nothing()
        tell()
    assert outcomes(recorded.trace) == [ROLLED_BACK, None]


def test_a_closed_connection_rolls_back(postgres: str) -> None:
    with signal_trace.record() as recorded:
        with suppress(Failure), transaction.atomic(using=postgres):
            tell()
            connections[postgres].close()
            raise Failure
        tell()
        with transaction.atomic(using=postgres):
            tell()
    assert outcomes(recorded.trace) == [ROLLED_BACK, None, COMMITTED]


def test_two_databases_have_two(postgres: str) -> None:
    with signal_trace.record() as recorded:
        with transaction.atomic(using="default"):
            tell()
            with suppress(Failure), transaction.atomic(using=postgres):
                tell()
                tell(using="default")
                tell(using=postgres)
                tell(using="other")
                tell(using=3)
                raise Failure
            tell()
            tell(using=postgres)
    assert outcomes(recorded.trace) == [
        *(COMMITTED, ROLLED_BACK, COMMITTED, ROLLED_BACK, None, ROLLED_BACK),
        *(COMMITTED, None),
    ]


def test_a_recording_that_ends_first_leaves_it_open(database: str) -> None:
    with transaction.atomic(using=database):
        with signal_trace.record() as recorded:
            tell()
            with suppress(Failure), transaction.atomic(using=database):
                tell()
                raise Failure
        with signal_trace.record() as again:
            tell()
    assert outcomes(recorded.trace) == [OPEN, ROLLED_BACK]
    assert outcomes(again.trace) == [OPEN]


def test_a_recording_opened_inside_and_ended_after_it(database: str) -> None:
    recording = signal_trace.record()
    with transaction.atomic(using=database):
        before = make_savepoint(using=database)
        recording.__enter__()
        tell()
        transaction.savepoint_rollback(before, using=database)
        tell()
    tell()
    recording.__exit__(None, None, None)
    assert outcomes(recording.trace) == [ROLLED_BACK, COMMITTED, None]


def test_another_threads_is_its_own(database: str) -> None:
    def other() -> None:
        tell()
        with suppress(Failure), transaction.atomic(using=database):
            tell()
            raise Failure

    with signal_trace.record() as recorded, transaction.atomic(using=database):
        thread = threading.Thread(target=contextvars.copy_context().run, args=[other])
        thread.start()
        thread.join()
        tell()
    assert outcomes(recorded.trace) == [None, ROLLED_BACK, COMMITTED]


def test_many_savepoints_rolled_back_are_told_apart(database: str) -> None:
    with signal_trace.record() as recorded, transaction.atomic(using=database):
        for number in range(50):
            with suppress(Failure), transaction.atomic(using=database):
                tell()
                if number % 2:
                    raise Failure
    assert outcomes(recorded.trace) == [COMMITTED, ROLLED_BACK] * 25


def view(request: HttpRequest) -> HttpResponse:
    tell()
    if "fail" in request.GET:
        raise Failure
    return HttpResponse()


@pytest.mark.parametrize(
    ("query", "outcome"), [("", COMMITTED), ("?fail", ROLLED_BACK)]
)
def test_atomic_requests(database: str, query: str, outcome: str) -> None:
    connections[database].settings_dict["ATOMIC_REQUESTS"] = True
    try:
        with signal_trace.record() as recorded, suppress(Failure):
            BaseHandler().make_view_atomic(view)(RequestFactory().get(f"/{query}"))
    finally:
        connections[database].settings_dict["ATOMIC_REQUESTS"] = False
    assert outcomes(recorded.trace) == [outcome]


# -- Tests' own ----------------------------------------------------------------------


@contextmanager
def as_in_a_test_case(alias: str) -> Iterator[None]:
    """Two blocks, as `TestCase` opens for the class and for the test."""
    blocks = []
    for _ in range(2):
        block = transaction.atomic(using=alias)
        block._from_testcase = True
        block.__enter__()
        blocks.append(block)
    try:
        yield
    finally:
        for block in reversed(blocks):
            transaction.set_rollback(True, using=alias)
            block.__exit__(None, None, None)


def in_blocks(alias: str) -> None:
    tell()
    with transaction.atomic(using=alias):
        tell()
        with suppress(Failure), transaction.atomic(using=alias):
            tell()
            raise Failure
    tell()
    with suppress(Failure), transaction.atomic(using=alias):
        tell()
        raise Failure
    with transaction.atomic(using=alias, savepoint=False):
        tell()
    with transaction.atomic(using=alias):
        tell()
        transaction.set_rollback(True, using=alias)
    lost = make_savepoint(using=alias)
    tell()
    transaction.savepoint_rollback(lost, using=alias)
    tell()


IN_BLOCKS = [
    *(None, COMMITTED, ROLLED_BACK, None, ROLLED_BACK, COMMITTED, ROLLED_BACK),
    *(None, None),
]


def test_blocks_outside_of_tests(database: str) -> None:
    with signal_trace.record() as recorded:
        in_blocks(database)
    assert outcomes(recorded.trace) == IN_BLOCKS


def test_blocks_inside_a_test_are_as_outside(database: str) -> None:
    with as_in_a_test_case(database), signal_trace.record() as recorded:
        in_blocks(database)
    assert outcomes(recorded.trace) == IN_BLOCKS


def test_a_tests_own_blocks_are_none_even_if_they_are_seen_to_begin(
    database: str,
) -> None:
    with signal_trace.record() as recorded:
        with as_in_a_test_case(database):
            in_blocks(database)
        in_blocks(database)
    assert outcomes(recorded.trace) == [*IN_BLOCKS, *IN_BLOCKS]


def test_a_recording_inside_a_block_inside_a_test(database: str) -> None:
    recording = signal_trace.record()
    watching.keep(recording)
    with signal_trace.record():
        pass
    with as_in_a_test_case(database):
        with transaction.atomic(using=database):
            recording.__enter__()
            tell()
        tell()
        recording.__exit__(None, None, None)
    assert outcomes(recording.trace) == [COMMITTED, None]


@pytest.mark.usefixtures("unpatched")
def test_a_block_inside_a_test_that_began_unwatched_is_not_seen_to_end(
    database: str,
) -> None:
    recording = signal_trace.record()
    with as_in_a_test_case(database):
        # Python has looked up how it will end by now.
        with transaction.atomic(using=database):
            recording.__enter__()
            tell()
        tell()
        recording.__exit__(None, None, None)
    assert outcomes(recording.trace) == [OPEN, OPEN]


class InsideATestCase(TestCase):
    def setUp(self) -> None:
        told.connect(hear)

    def test_its_own_block_is_none(self) -> None:
        with signal_trace.record() as recorded:
            in_blocks("default")
        assert outcomes(recorded.trace) == IN_BLOCKS

    def test_callbacks_are_the_very_functions(self) -> None:
        def callback() -> None:
            tell()

        with signal_trace.record() as recorded:
            with self.captureOnCommitCallbacks(execute=True) as found:
                transaction.on_commit(callback)
        assert found == [callback]
        assert found[0] is callback
        assert [event.count for event in callbacks(recorded.trace)] == [1]
        # The test runs them, and no transaction that ends.
        assert [send.on_commit for send in recorded.trace.sends] == [False]


# -- on_commit -----------------------------------------------------------------------


def announce() -> None:
    tell()


def test_callbacks_are_counted_and_never_wrapped(database: str) -> None:
    connection = connections[database]

    def register(**kwargs: Any) -> None:
        for _ in range(3):
            transaction.on_commit(announce, using=database)

    retold = Signal()
    retold.connect(register)
    with signal_trace.record() as recorded, transaction.atomic(using=database):
        transaction.on_commit(announce, using=database)
        retold.send(Sender)
        held = [entry[1] for entry in connection.run_on_commit]

    assert all(callback is announce for callback in held)
    outside, inside = callbacks(recorded.trace)
    assert outside.subject == inside.subject == f"{__name__}.announce"
    assert (outside.count, outside.call, outside.in_transaction) == (1, None, True)
    registering = recorded.trace.sends[0].calls[0]
    assert (inside.count, inside.call) == (3, registering.id)
    assert inside.call_site is not None
    assert inside.call_site.function.endswith("register")
    assert [send.on_commit for send in recorded.trace.sends] == [False, *[True] * 4]


@pytest.mark.parametrize("robust", [False, True])
def test_what_callbacks_send_is_marked(database: str, robust: bool) -> None:
    def tell_more(**kwargs: Any) -> None:
        tell()

    retold = Signal()
    retold.connect(tell_more)

    async def send_later() -> None:
        await retold.asend(Sender)

    def callback() -> None:
        retold.send(Sender)
        async_to_sync(send_later)()

    with signal_trace.record() as recorded:
        with transaction.atomic(using=database):
            tell()
            transaction.on_commit(callback, using=database, robust=robust)
        tell()

    top = [send for send in recorded.trace.sends if send.parent is None]
    nested = [send for send in recorded.trace.sends if send.parent is not None]
    assert [send.on_commit for send in top] == [False, True, True, False]
    assert [send.on_commit for send in nested] == [False, False]
    assert outcomes(recorded.trace) == [COMMITTED, *[None] * 5]


def test_callbacks_of_a_block_in_a_receiver_belong_to_its_call(database: str) -> None:
    def receive(**kwargs: Any) -> None:
        with transaction.atomic(using=database):
            transaction.on_commit(announce, using=database)
        tell()

    retold = Signal()
    retold.connect(receive)
    with signal_trace.record() as recorded:
        retold.send(Sender)

    outer, announced, after = recorded.trace.sends
    assert announced.parent == after.parent == outer.calls[0].id
    assert (announced.on_commit, after.on_commit) == (True, False)


def test_a_callback_may_open_a_transaction_of_its_own(database: str) -> None:
    def callback() -> None:
        with transaction.atomic(using=database):
            transaction.on_commit(announce, using=database)
            tell()
        tell()

    with signal_trace.record() as recorded, transaction.atomic(using=database):
        transaction.on_commit(callback, using=database)

    sends = recorded.trace.sends
    assert [send.on_commit for send in sends] == [True] * 3
    assert outcomes(recorded.trace) == [COMMITTED, None, None]
    registered = callbacks(recorded.trace)
    assert [(one.in_callback, one.in_transaction) for one in registered] == [
        (False, True),
        (True, True),
    ]


def test_callbacks_that_never_run_are_counted(database: str) -> None:
    with signal_trace.record() as recorded:
        with suppress(Failure), transaction.atomic(using=database):
            transaction.on_commit(announce, using=database)
            raise Failure
        tell()

    assert [event.count for event in callbacks(recorded.trace)] == [1]
    assert [send.on_commit for send in recorded.trace.sends] == [False]


def test_a_callback_run_at_once_is_counted_and_its_sends_are_not_marked(
    database: str,
) -> None:
    with signal_trace.record() as recorded:
        transaction.on_commit(announce, using=database)

    (event,) = callbacks(recorded.trace)
    assert (event.count, event.in_transaction) == (1, False)
    assert [send.on_commit for send in recorded.trace.sends] == [False]


def test_a_callback_that_raises_passes_its_exception_on(database: str) -> None:
    failure = Failure()

    def callback() -> None:
        tell()
        raise failure

    def commit() -> None:
        with transaction.atomic(using=database):
            tell()
            transaction.on_commit(callback, using=database)

    with signal_trace.record() as recorded:
        with pytest.raises(Failure) as caught:
            commit()
        tell()

    assert caught.value is failure
    assert [send.on_commit for send in recorded.trace.sends] == [False, True, False]
    assert outcomes(recorded.trace) == [COMMITTED, None, None]


@pytest.mark.usefixtures("unpatched")
def test_wrong_arguments_of_on_commit_are_refused_as_by_django(database: str) -> None:
    connection = connections[database]

    def refused(*arguments: Any) -> str:
        with pytest.raises(TypeError) as error:
            connection.on_commit(*arguments)
        return str(error.value)

    without = refused(), refused("no function")
    with signal_trace.record() as recorded:
        within = refused(), refused("no function")
    assert within == without
    assert not callbacks(recorded.trace)


# -- Patches -------------------------------------------------------------------------


def djangos() -> dict[str, Any]:
    return {
        f"{cls.__name__}.{name}": cls.__dict__[name]
        for cls, name, _ in watched._methods()
    }


@pytest.mark.usefixtures("unpatched")
def test_patches_come_out_again() -> None:
    before = djangos()
    with signal_trace.record():
        assert not before.items() & djangos().items()
    assert djangos() == before
    assert all(
        "signal_trace" not in one.__code__.co_filename for one in before.values()
    )


@pytest.mark.usefixtures("unpatched")
def test_without_queries_nothing_of_the_database_is_patched(
    settings: Settings, database: str
) -> None:
    settings.SIGNAL_TRACE = {"QUERIES": False}
    before = djangos()
    with signal_trace.record() as recorded:
        assert djangos() == before
        with transaction.atomic(using=database):
            transaction.on_commit(announce, using=database)
            tell()
            Book.objects.using(database).count()
    trace = recorded.trace
    assert outcomes(trace) == [None, None]
    assert not trace.events
    assert trace.queries.count == 0


UNRECORDED = """
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["signal_trace"])
django.setup()
from signal_trace import database, effects
for cls, name, _ in [*database._methods(), *effects._methods()]:
    function = cls.__dict__[name]
    file = getattr(function, "__wrapped__", function).__code__.co_filename
    assert "django" in file and "signal_trace" not in file, (cls, name)
print("ok")
"""


def test_a_process_that_records_nothing_runs_djangos_own_functions() -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNRECORDED], capture_output=True, text=True
    )
    assert done.stdout == "ok\n", done.stderr


@pytest.mark.django_db(transaction=True)
def test_what_was_undone_is_kept_once() -> None:
    one = transactions.Transaction(connections["default"])
    for start, end in [(20, 30), (40, 50), (10, 60), (70, 80)]:
        one.last_send = start
        one.undo(start, end)
    assert one.undone == [(10, 60), (70, 80)]
    moments = {5: OPEN, 10: ROLLED_BACK, 35: ROLLED_BACK, 60: ROLLED_BACK, 65: OPEN}
    assert {moment: one.outcome_at(moment) for moment in moments} == moments
    assert [one.outcome_at(moment) for moment in (75, 80, 95)] == [
        *(ROLLED_BACK, ROLLED_BACK, OPEN)
    ]


def test_importing_leaves_the_settings_to_be_configured() -> None:
    code = (
        "import signal_trace, signal_trace.middleware;"
        " from django.conf import settings; settings.configure()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""


def test_a_connection_is_not_kept(database: str) -> None:
    with signal_trace.record() as recorded, transaction.atomic(using=database):
        tell()
        opened = transactions.open_transaction()
        assert opened is not None
        assert opened.connection() is connections[database]
    assert transactions.open_transaction() is None
    assert outcomes(recorded.trace) == [COMMITTED]


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_gone_leaves_no_transaction_behind() -> None:
    with signal_trace.record() as recorded:
        other = connections.create_connection("default")
        other.set_autocommit(False)
        tell()
        other.connection.close()
        del other
        gc.collect()
        tell()
    assert outcomes(recorded.trace) == [OPEN, None]


class Tenant:
    """Stands for a connection, where a project makes its own."""

    in_atomic_block = closed_in_transaction = needs_rollback = False
    commit_on_exit = True
    savepoint_ids: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.atomic_blocks: list[object] = []
        self.done: list[object] = []

    def get_autocommit(self) -> bool:
        return True

    def set_autocommit(self, autocommit: bool, **kwargs: Any) -> None:
        self.done.append(autocommit)

    def commit(self) -> None:
        self.done.append("commit")


def test_blocks_of_connections_that_django_does_not_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tenant = Tenant()
    monkeypatch.setattr(transaction, "get_connection", lambda using: tenant)
    with signal_trace.record(), transaction.atomic(using="a tenant"):
        pass
    assert tenant.done == [False, "commit", True]


def test_blocks_are_left_by_the_names_of_djangos_arguments(database: str) -> None:
    with signal_trace.record():
        block = transaction.atomic(using=database)
        block.__enter__()
        block.__exit__(exc_type=None, exc_value=None, traceback=None)
    assert not connections[database].in_atomic_block


def test_what_was_undone_without_a_send_is_forgotten() -> None:
    one = transactions.Transaction(connections["default"])
    one.last_send = 5
    one.undo(6, 7)
    assert one.undone == []
    one.undo(5, 8)
    assert one.outcome_at(5) == ROLLED_BACK
