from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from signal_trace.documents import json_text
from signal_trace.packing import pack, unpack
from signal_trace.trace import Trace
from tests.missing import missing
from tests.traces import CHECKOUT, EMPTY, IMPORT, LARGE, many_calls, traces


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
    duration_ns: int | None = None
    self_ns: int | None = None
    due_at: Shelf | None = None


@dataclass(frozen=True)
class Library:
    books: tuple[Book, ...]
    best: Book | None = None


NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = Book(1, "Émile", Shelf("A", 1), False, NEW_YEAR, {"pages": 500})
SECOND = replace(FIRST, id=2, shelf=Shelf("A", 2), notes={"pages": 500, "copy": 2})
THIRD = replace(FIRST, id=3, duration_ns=10, self_ns=10)
LIBRARY = Library((FIRST, replace(SECOND, duration_ns=9, self_ns=8), THIRD))


UNPACKING = files("signal_trace") / "static/signal_trace/unpacking.js"

# As text, to compare the order of the keys as well.
COMPARE = """
import { readFileSync } from "node:fs";
import { unpack } from "./unpacking.mjs";

let alike = 0;
for (const [packed, document] of JSON.parse(readFileSync("pairs.json", "utf-8"))) {
  const found = JSON.stringify(unpack(packed));
  const expected = JSON.stringify(JSON.parse(document));
  if (found !== expected) throw new Error(`${found}\\nis not\\n${expected}`);
  alike += 1;
}
console.log(`${alike} alike`);
"""


def read_back(value: Any) -> Any:
    return unpack(type(value), json.loads(json_text(pack(value))))


def test_what_is_the_same_is_stored_once() -> None:
    packed: Any = json.loads(json_text(pack(LIBRARY)))
    assert (packed["of"], packed["count"]) == ("Library", 1)
    assert packed["new"]["keys"] == ["books", "best"]
    books, best = packed["new"]["columns"]
    assert best == {"same": None}
    assert books["lengths"] == [3]
    columns = dict(zip(books["items"]["keys"], books["items"]["columns"], strict=True))
    assert columns == {
        "id": {"first": 1, "steps": {"same": 1}},
        "title": {"same": "Émile"},
        "shelf": {
            "of": "Shelf",
            "count": 2,
            "new": {"keys": ["room", "number"], "columns": [{"same": "A"}, [1, 2]]},
            "after": 0,
            "numbers": [1, 1, 2],
        },
        "is_lent": {"same": False},
        "added_at": ["2026-01-01T00:00:00+00:00"] * 3,
        "notes": {
            "kinds": [0, 1, 0],
            "counts": [2, 1],
            "columns": [
                {"keys": ["pages"], "columns": [{"same": 500}]},
                {"keys": ["pages", "copy"], "columns": [[500], [2]]},
            ],
        },
        "duration_ns": [None, 9, 10],
        "self_ns": {"below": "duration_ns", "less": [None, 1, 0]},
        "due_at": {"same": None},
    }


def test_a_few_values_are_characters() -> None:
    books = tuple(
        replace(FIRST, id=i, title="EÉ"[i % 2], is_lent=i % 3 == 0) for i in range(6)
    )
    packed: Any = json.loads(json_text(pack(Library(books))))
    columns = packed["new"]["columns"][0]["items"]["columns"]
    assert columns[1] == {"table": ["E", "É"], "places": "?@?@?@"}
    assert columns[3] == {"table": [True, False], "places": "?@@?@@"}


def test_own_times_are_what_is_less_than_the_whole() -> None:
    books = tuple(
        replace(FIRST, id=i, duration_ns=100 + i * i, self_ns=100) for i in range(3)
    )
    packed: Any = json.loads(json_text(pack(Library(books))))
    *_, self_ns, _ = packed["new"]["columns"][0]["items"]["columns"]
    assert self_ns == {"below": "duration_ns", "less": [0, 1, 4]}
    assert read_back(Library(books)) == Library(books)


def test_texts_of_several_fields_are_stored_once() -> None:
    books = tuple(
        replace(FIRST, id=i, title=f"Émile {i}", notes={"of": f"Émile {i}"})
        for i in range(100)
    )
    text = json.dumps(pack(Library(books)))
    assert len(re.findall("mile 57", text)) == 1
    assert read_back(Library(books)) == Library(books)


def test_a_text_that_comes_again_is_a_number() -> None:
    numbers = [*range(100), 7, *range(100)]
    books = tuple(
        replace(FIRST, id=i, title=f"Émile {number}")
        for i, number in enumerate(numbers)
    )
    packed: Any = json.loads(json_text(pack(Library(books))))
    title = packed["new"]["columns"][0]["items"]["columns"][1]
    assert title["numbers"] == [*[1] * 100, 9, *range(2, 102)]
    assert read_back(Library(books)) == Library(books)


def test_objects_of_another_field_are_not_stored_again() -> None:
    shelves = [Shelf("B", number) for number in range(3)]
    for due_at in ([0, 1, 2], [0, 0, 2], [1, 2, 2], [2, 1, 0], [0, None, 2]):
        books = tuple(
            replace(
                FIRST, id=i, shelf=shelf, due_at=None if at is None else shelves[at]
            )
            for i, (shelf, at) in enumerate(zip(shelves, due_at, strict=True))
        )
        packed: Any = json.loads(json_text(pack(Library(books))))
        assert packed["new"]["columns"][0]["items"]["columns"][-1]["count"] == 0
        assert read_back(Library(books)) == Library(books)


def test_an_own_time_without_the_whole_is_kept() -> None:
    odd = replace(THIRD, duration_ns=None)
    assert read_back(Library((FIRST, odd))) == Library((FIRST, odd))


def test_what_is_of_no_known_kind_is_not_lost_in_silence() -> None:
    @dataclass(frozen=True)
    class Ratio:
        of: float

    with pytest.raises(TypeError, match="float"):
        pack(Ratio(0.5))


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


@pytest.mark.slow
@pytest.mark.parametrize("per_send", [1, 5])
def test_ten_thousand_calls_fit_into_a_megabyte(per_send: int) -> None:
    trace = many_calls(10_000, per_send)
    assert trace.call_count == 10_000
    text = json.dumps(pack(trace))  # As the toolbar's store does.
    assert len(text) < 1_000_000
    assert unpack(Trace, json.loads(text)) == trace


@pytest.mark.slow
@given(traces())
def test_any_trace_is_unpacked_as_it_was(trace: Trace) -> None:
    assert read_back(trace) == trace


@pytest.mark.slow
def test_the_browser_unpacks_what_python_packed(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        missing("node", "install it (it comes with npm)", "REQUIRE_BROWSER")
    names = {"instance": "shop.Order(pk=7)", "__proto__": "text", "9": [1], "": None}
    send = replace(CHECKOUT.sends[0], arguments=names)
    some = [
        *(CHECKOUT, LARGE, EMPTY, IMPORT, many_calls(1_000, 1), many_calls(1_000, 5)),
        replace(CHECKOUT, sends=(send, *CHECKOUT.sends[1:])),
    ]

    @settings(database=None)
    @given(traces())
    def collect(trace: Trace) -> None:
        some.append(trace)

    collect()
    pairs = [[pack(trace), json.dumps(trace.to_dict())] for trace in some]
    (tmp_path / "pairs.json").write_text(json.dumps(pairs))
    shutil.copy(UNPACKING, tmp_path / "unpacking.mjs")
    (tmp_path / "main.mjs").write_text(COMPARE)
    ran = subprocess.run(
        ["node", "main.mjs"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.stderr == ""
    assert ran.stdout == f"{len(some)} alike\n"
