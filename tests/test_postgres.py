"""Tests with the fixture `database` run on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from threading import Thread

import pytest
from django.db import connections, transaction

from tests.app.models import Book, Tag


def titles_seen_by_another_thread(alias: str) -> list[str]:
    seen: list[str] = []
    thread = Thread(
        target=lambda: seen.extend(
            Book.objects.using(alias).values_list("title", flat=True)
        )
    )
    thread.start()
    thread.join()
    return seen


def test_a_test_runs_on_the_database_that_it_is_named_after(
    database: str, request: pytest.FixtureRequest
) -> None:
    connection = connections[database]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sqlite_version()"
            if connection.vendor == "sqlite"
            else "SHOW server_version"
        )
        [version] = cursor.fetchone()

    assert f"[{connection.vendor}]" in request.node.name
    assert int(version.partition(".")[0]) >= (3 if database == "default" else 14)


# Twice on each database: rows of the first test would show in the second.
@pytest.mark.parametrize("title", ["Emma", "Persuasion"])
def test_what_is_committed_is_there_for_others_until_the_test_ends(
    database: str, title: str
) -> None:
    with transaction.atomic(using=database):
        book = Book.objects.using(database).create(title=title)
        book.tags.add(Tag.objects.using(database).create(name="novel"))

    assert titles_seen_by_another_thread(database) == [title]
    assert book.tags.get().name == "novel"


# Twice: Django's thread for synchronous code outlives the first test.
@pytest.mark.parametrize("title", ["Emma", "Persuasion"])
def test_asynchronous_code_has_the_database_too(database: str, title: str) -> None:
    async def write() -> int:
        await Book.objects.using(database).acreate(title=title)
        return await Book.objects.using(database).acount()

    assert asyncio.run(write()) == 1


def test_what_is_rolled_back_is_gone_and_on_commit_never_runs(database: str) -> None:
    ran = []

    with transaction.atomic(using=database):
        Book.objects.using(database).create(title="Sanditon")
        transaction.on_commit(lambda: ran.append("on_commit"), using=database)
        transaction.set_rollback(True, using=database)

    assert not Book.objects.using(database).exists()
    assert not ran


def test_a_test_may_leave_a_transaction_open(database: str) -> None:
    transaction.set_autocommit(False, using=database)
    Book.objects.using(database).create(title="The Watsons")

    assert Book.objects.using(database).exists()


@pytest.mark.usefixtures("postgres_server")
@pytest.mark.django_db(transaction=True)
def test_other_tests_know_one_database_only() -> None:
    assert list(connections) == ["default"]
