from __future__ import annotations

from pathlib import Path

import pytest

from signal_trace.cli import picking
from signal_trace.cli.failing import Failure
from tests.cli.conftest import FIVE, numbered


@pytest.mark.parametrize(
    ("given", "id", "files"),
    [
        ([], "", []),
        (["3f8a"], "3f8a", []),
        (["3F8A", "a.jsonl"], "3f8a", ["a.jsonl"]),
        (["a.jsonl", "3f8a"], "", ["a.jsonl", "3f8a"]),
        (["./3f8a"], "", ["./3f8a"]),
        (["-"], "", ["-"]),
        (["0" * 33], "", ["0" * 33]),
        (["fee"], "", ["fee"]),
    ],
)
def test_what_is_an_id_and_what_a_file(
    given: list[str], id: str, files: list[str]
) -> None:
    Path("fee").touch()
    assert picking.split(given) == (id, files)


def test_by_the_first_digits() -> None:
    assert picking.by_id(FIVE, "a0000004") == FIVE[3]


def test_whole_id_is_found_without_reading_further() -> None:
    traces = iter(FIVE)
    assert picking.by_id(traces, FIVE[1].id) == FIVE[1]
    assert next(traces) == FIVE[2]


def test_the_same_trace_twice_is_one() -> None:
    assert picking.by_id([FIVE[0], FIVE[0]], "a") == FIVE[0]


def test_no_such_id() -> None:
    with pytest.raises(Failure, match="begins with b; 'signaltrace list' shows"):
        picking.by_id(FIVE, "b")


def test_digits_that_several_begin_with() -> None:
    with pytest.raises(Failure) as caught:
        picking.by_id(FIVE[:2], "a00")
    assert str(caught.value) == (
        "which of those that begin with a00: a00000010000 (GET /page/1/),"
        " a00000020000 (GET /page/2/)?"
    )
    with pytest.raises(Failure, match=r"and 4 more\?$"):
        picking.by_id(map(numbered, range(9)), "00")


def test_two_at_once() -> None:
    assert picking.by_ids(iter(FIVE), ["a0000004", "a0000001"]) == [FIVE[3], FIVE[0]]


def test_slowest() -> None:
    assert picking.slowest(FIVE) == FIVE[4]
    assert picking.slowest([]) is None


def test_only_one() -> None:
    assert picking.only(FIVE[:1], "choose") == FIVE[0]
    assert picking.only([], "choose") is None
    with pytest.raises(Failure, match="several traces: choose"):
        picking.only(FIVE, "choose")
