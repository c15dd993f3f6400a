from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest

from signal_trace.cli import listing
from signal_trace.cli.listing import Listed
from tests.cli.conftest import FIVE, Run, numbered, write
from tests.traces import LARGE


def ids(out: str) -> list[str]:
    return [line.split()[0] for line in out.splitlines()[1:]]


def test_table(run: Run, five: Path) -> None:
    ended = run("list", five)
    assert (ended.status, ended.err) == (0, "")
    head, first, second, third, *_ = ended.out.splitlines()
    assert head.split() == [
        *("id", "when", "(UTC)", "duration", "sends", "calls", "findings", "name")
    ]
    when = "2026-01-02 03:04:05"
    assert first == f"a0000001  {when}  10.00 ms      0      0        ✗1  GET /page/1/"
    assert second == f"a0000002  {when}  20.00 ms      0      0     ✗1 ·1  GET /page/2/"
    assert third.split("  ")[-1] == "✗ GET /page/3/"


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("when", "12345"),
        ("duration", "54321"),
        ("sends", "34125"),
        ("calls", "34125"),
        ("findings", "25143"),
        ("name", "12345"),
    ],
)
def test_sorted(run: Run, five: Path, order: str, expected: str) -> None:
    out = run("list", "--sort", order, five).out
    assert "".join(id[-1] for id in ids(out)) == expected


def test_the_earliest_is_first_whatever_the_file_has_first(
    run: Run, tmp_path: Path
) -> None:
    traces = [
        numbered(i, started_at=LARGE.started_at.replace(microsecond=micro, year=year))
        for i, micro, year in ((1, 5, 2026), (2, 0, 2026), (3, 5, 2025))
    ]
    out = run("list", write(tmp_path / "t.jsonl", traces)).out
    assert ids(out) == ["00000003", "00000002", "00000001"]


def test_limit(run: Run, five: Path) -> None:
    out = run("list", "--limit=2", five).out
    assert ids(out) == ["a0000001", "a0000002", "…"]
    assert out.endswith("… and 3 more\n")


def test_no_more_is_kept_than_the_limit(
    run: Run, five: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: WeakSet[Listed] = WeakSet()
    most = 0

    class Watched(Listed):  # Without slots, so that it can be watched.
        def __hash__(self) -> int:
            return id(self)

        def __init__(self, **given: Any) -> None:
            nonlocal most
            super().__init__(**given)
            kept.add(self)
            most = max(most, len(kept))

    monkeypatch.setattr(listing, "Listed", Watched)
    out = run("list", "--limit=2", "--sort=duration", five, five, five).out
    assert ids(out) == ["a0000005", "a0000005", "…"]
    assert 2 <= most <= 4


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5"])
def test_limit_that_is_none(run: Run, five: Path, limit: str) -> None:
    ended = run("list", f"--limit={limit}", five)
    assert ended.status == 2
    assert f"argument --limit: '{limit}' is not 1 or more" in ended.err


def test_filtered(run: Run, five: Path) -> None:
    assert ids(run("list", "--failed", five).out) == ["a0000003", "a0000004"]


def test_nothing_fits(run: Run, five: Path) -> None:
    ended = run("list", "--name=no such", five)
    assert (ended.status, ended.out) == (0, "")
    assert ended.err == "No trace is like that.\n"


def test_json(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", [LARGE])
    assert json.loads(run("list", "--json", path).out) == [
        {
            "id": LARGE.id,
            "kind": "request",
            "name": "POST /checkout/",
            "started_at": "2026-01-02T03:04:05+00:00",
            "duration_ns": 20_000_000,
            "sends": 2402,
            "calls": 2404,
            "failed": True,
            "failures": 2,
            "error": "ValueError",
            "findings": {"problem": 1, "hint": 1},
        }
    ]


def test_json_of_nothing_is_an_empty_list(run: Run, five: Path) -> None:
    assert json.loads(run("list", "--json", "--name=no such", five).out) == []


def test_piped(run: Run) -> None:
    piped = gzip.compress(FIVE[0].to_json().encode())
    for arguments in ([], ["-"]):
        assert ids(run("list", *arguments, piped=piped).out) == ["a0000001"]


def test_bad_lines_are_told_at_the_end(run: Run, five: Path) -> None:
    with five.open("a") as file:
        file.write("nonsense\n" * 12)
    ended = run("list", five)
    assert ended.status == 0
    assert len(ids(ended.out)) == 5
    first, *told, last = ended.err.splitlines()
    assert first == "Passed over 12 of 17:"
    assert told[0] == f"  {five}, line 6: not a trace: Expecting value at column 1"
    assert len(told) == 10
    assert last == "  and 2 more"


def test_no_file_on_a_terminal(run: Run) -> None:
    ended = run("list", on_terminal=True)
    assert ended.status == 2
    assert "no FILE was given: name files or folders with traces, or - f" in ended.err


def test_names_cannot_move_the_cursor(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    path = write(tmp_path / "t.jsonl", [numbered(1, name="a\x1b[2J[red]\u202eb\nc")])
    for on_terminal in (False, True):
        out = run("list", path, on_terminal=on_terminal).out
        assert r"a\x1b[2J[red]\u202eb\nc" in out
        assert "\x1b[2J" not in out
