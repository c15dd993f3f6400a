from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings

from signal_trace.documents import (
    DocumentError,
    from_plain,
    json_pieces,
    json_text,
    to_plain,
)
from signal_trace.trace import Trace
from tests.traces import changed, traces


@dataclass(frozen=True)
class Copy:
    shelf: str
    number: int | None


@dataclass(frozen=True)
class Work:
    title: str
    is_lent: bool
    added_at: datetime
    notes: dict[str, Any]
    copies: tuple[Copy, ...]
    best: Copy | None
    edition: str = "first"


WORK = Work(
    title="Émile",
    is_lent=False,
    added_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    notes={"pages": 500},
    copies=(Copy("A", 1), Copy("A", None)),
    best=None,
)
PLAIN = {
    "title": "Émile",
    "is_lent": False,
    "added_at": "2026-01-02T03:04:05+00:00",
    "notes": {"pages": 500},
    "copies": [{"shelf": "A", "number": 1}, {"shelf": "A", "number": None}],
    "best": None,
    "edition": "first",
}


def test_plain_form_has_a_key_for_each_field() -> None:
    assert to_plain(WORK) == PLAIN


def test_plain_form_is_read_back() -> None:
    assert from_plain(Work, PLAIN) == WORK


def test_unknown_keys_are_passed_over() -> None:
    plain = changed(PLAIN | {"colour": "red"}, ("copies", 0), {"shelf": "A"})
    plain["copies"][0] |= {"number": 1, "state": "worn"}
    assert from_plain(Work, plain) == WORK


def test_key_that_has_a_default_may_be_missing() -> None:
    plain = {key: value for key, value in PLAIN.items() if key != "edition"}
    assert from_plain(Work, plain) == WORK


def test_time_of_another_zone_is_read() -> None:
    plain = PLAIN | {"added_at": "2026-01-02T05:04:05+02:00"}
    added_at = from_plain(Work, plain).added_at
    assert added_at == WORK.added_at
    assert added_at.tzinfo == timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ((), None, "the document is not an object: None"),
        ((), [], "the document is not an object: []"),
        (("title",), 5, "title is not a string: 5"),
        (("title",), None, "title is not a string: None"),
        (("is_lent",), 1, "is_lent is not true or false: 1"),
        (("notes",), [], "notes is not an object: []"),
        (("copies",), {}, "copies is not a list: {}"),
        (("copies", 1), "A", "copies[1] is not an object: 'A'"),
        (("copies", 1, "shelf"), 2, "copies[1].shelf is not a string: 2"),
        (("copies", 1, "number"), "2", "copies[1].number is not an integer: '2'"),
        (("copies", 1, "number"), 2.0, "copies[1].number is not an integer: 2.0"),
        (("copies", 1, "number"), True, "copies[1].number is not an integer: True"),
        (
            ("copies", 1, "number"),
            2**63,
            "copies[1].number is no integer of 64 bits: 9223372036854775808",
        ),
        (("copies", 1, "number"), -1, "copies[1].number is negative: -1"),
        pytest.param(
            *(("copies", 1, "number"), 10**5000),
            "copies[1].number is no integer of 64 bits: one of the type int",
            id="longer than Python writes",
        ),
        (("copies", 1), {"shelf": "A"}, "copies[1].number is missing"),
        (("best",), {"shelf": "A"}, "best.number is missing"),
        (("added_at",), 5, "added_at is not a date and time: 5"),
        (("added_at",), "soon", "added_at is not a date and time: 'soon'"),
        (
            ("added_at",),
            "0001-01-01T00:00:00+14:00",
            "added_at is not a date and time: '0001-01-01T00:00:00+14:00'",
        ),
        (
            ("added_at",),
            "9999-12-31T23:59:59-14:00",
            "added_at is not a date and time: '9999-12-31T23:59:59-14:00'",
        ),
        (
            ("added_at",),
            "2026-01-02T03:04:05",
            (
                "added_at is not a date and time with its UTC offset:"
                " '2026-01-02T03:04:05'"
            ),
        ),
    ],
)
def test_error_says_what_was_expected_and_where(
    path: tuple[str | int, ...], value: Any, message: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        from_plain(Work, changed(PLAIN, path, value))
    assert str(caught.value) == message


def test_error_shows_no_more_than_the_beginning_of_a_value() -> None:
    with pytest.raises(DocumentError) as caught:
        from_plain(Work, PLAIN | {"title": ["x" * 1000]})
    assert str(caught.value).startswith("title is not a string: ['xxx")
    assert str(caught.value).endswith("...")
    assert len(str(caught.value)) < 100


@pytest.mark.slow
@given(traces())
def test_any_trace_is_read_back_from_its_plain_form(trace: Trace) -> None:
    assert from_plain(Trace, to_plain(trace)) == trace


def test_json_text_is_one_line_of_readable_text() -> None:
    assert json_text({"a": "é\n"}) == '{"a": "é\\n"}'


def test_json_text_can_be_written_whatever_is_in_it() -> None:
    text = json_text({"file": "caf\udce9"})
    assert text.encode() == rb'{"file": "caf\udce9"}'
    assert json.loads(text) == {"file": "caf\udce9"}


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_text_holds_no_number_that_json_does_not_have(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text([number])


def test_json_text_of_what_has_no_form_in_json_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^JSON has no form for a set$"):
        json_text({"tags": {"tea"}})


def test_json_text_of_a_dataclass_is_that_of_its_plain_form() -> None:
    assert json.loads(json_text([WORK, Copy("B", 2)])) == [PLAIN, vars(Copy("B", 2))]


@settings(max_examples=50)
@given(traces())
def test_pieces_are_the_same_text(trace: Trace) -> None:
    assert "".join(json_pieces(trace)) == json_text(to_plain(trace))


def test_pieces_may_be_of_what_is_no_dataclass() -> None:
    odd: Any = replace(WORK, copies=("A", {"shelf": "B"}))
    assert "".join(json_pieces(odd)) == json_text(to_plain(odd))


def test_pieces_of_a_dataclass_are_no_larger_than_its_items() -> None:
    pieces = list(json_pieces(WORK))
    assert "".join(pieces) == json_text(to_plain(WORK))
    assert len(pieces) > len(WORK.copies)
