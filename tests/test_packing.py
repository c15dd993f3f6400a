from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from signal_trace.documents import json_text
from signal_trace.packing import pack, unpack
from signal_trace.parts import Call, Connection, Frame, Queries, Send
from signal_trace.trace import Trace
from tests.traces import CHECKOUT, MS, POST_SAVE, traces


@dataclass(frozen=True)
class Shelf:
    room: str
    number: int | None


@dataclass(frozen=True)
class Book:
    id: int
    title: str
    shelf: Shelf
    is_lent: bool
    added_at: datetime
    notes: dict[str, Any]
    queries: int = 0


@dataclass(frozen=True)
class Library:
    books: tuple[Book, ...]
    best: Book | None = None


NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = Book(1, "Émile", Shelf("A", 1), False, NEW_YEAR, {"pages": 500})
SECOND = replace(FIRST, id=2, shelf=Shelf("A", 1), notes={"pages": 500, "copy": 2})
LIBRARY = Library((FIRST, SECOND, replace(FIRST, id=3, queries=5)))


def read_back(value: Any) -> Any:
    return unpack(type(value), json.loads(json_text(pack(value))))


def test_what_objects_share_is_stored_once() -> None:
    packed = json.loads(json_text(pack(LIBRARY)))
    assert packed["texts"] == ["Émile", "A", "pages", "copy"]
    assert packed["items"] == [[2, 500], [3, 2]]
    library, shelf, book = [], [1, 1], [0, 1, False, "2026-01-01T00:00:00+00:00"]
    assert packed["shared"] == [library, shelf, book]
    assert packed["row"] == [0, [[2, 1, [0]], [2, 2, [0, 1]], [2, 3, [0], 5]]]


def test_packed_form_is_read_back_from_json() -> None:
    assert read_back(LIBRARY) == LIBRARY
    assert read_back(replace(LIBRARY, best=FIRST)).best == FIRST


@pytest.mark.parametrize(
    "value", [True, 1, False, 0, None, "1", 0.5, [1, "a"], {"a": [None]}]
)
def test_values_that_are_equal_keep_their_types(value: Any) -> None:
    books = tuple(
        replace(FIRST, notes={"value": one}) for one in (1, True, value, 0, False)
    )
    notes = [one.notes["value"] for one in read_back(Library(books)).books]
    expected = [1, True, value, 0, False]
    assert notes == expected
    assert list(map(type, notes)) == list(map(type, expected))


def many_calls(count: int) -> Trace:
    """A trace of so many calls, three to a send, as saving instances makes them."""

    def call(number: int) -> Call:
        place = number % 8
        queries = Queries(2, 3 * MS + number, 0, 0, 1) if place < 3 else Queries()
        return Call(
            id=number + count,
            receiver=f"shop.receivers.receiver_{place}",
            file=f"/srv/shop/receivers/module_{place}.py",
            line=10 + place,
            start_ns=number * MS,
            duration_ns=400_000 + number,
            self_ns=300_000 + number,
            is_async=False,
            error=None,
            queries=queries,
            connection=Connection(f"uid-{place}", place % 2 == 0, None, place + 1),
            app="shop",
        )

    sends = tuple(
        Send(
            id=number,
            signal=POST_SAVE,
            sender="shop.Order",
            method="send",
            parent=None,
            start_ns=number * MS,
            duration_ns=3 * MS - number,
            calls=tuple(map(call, range(number, number + 3))),
            error=None,
            call_site=Frame("/srv/shop/views.py", number % 40, "checkout"),
            arguments={
                "instance": f"shop.Order(pk={number})",
                "created": number % 2 == 0,
                "raw": False,
                "using": "default",
                "update_fields": None,
            },
            queries=Queries(4, 9 * MS + number, 0, 0, 2),
            transaction="committed",
        )
        for number in range(0, count, 3)
    )
    return replace(CHECKOUT, sends=sends, not_called=())


@pytest.mark.slow
def test_ten_thousand_calls_fit_into_a_megabyte() -> None:
    trace = many_calls(10_000)
    text = json.dumps(pack(trace))  # As the toolbar's store does.
    assert len(text) < 1_000_000
    assert unpack(Trace, json.loads(text)) == trace


@pytest.mark.slow
@settings(deadline=None)
@given(traces())
def test_any_trace_is_unpacked_as_it_was(trace: Trace) -> None:
    assert read_back(trace) == trace
