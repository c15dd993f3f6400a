from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from signal_trace import aggregates
from signal_trace.trace import Trace
from tests.cli.conftest import Run, numbered, write
from tests.traces import CHECKOUT, EMPTY, LARGE, MS


def slower(number: int) -> Trace:
    """A checkout in which each call and send takes so many times as long."""
    sends = tuple(
        replace(
            send,
            duration_ns=send.duration_ns and send.duration_ns * number,
            calls=tuple(
                replace(
                    call, duration_ns=call.duration_ns and call.duration_ns * number
                )
                for call in send.calls
            ),
        )
        for send in CHECKOUT.sends
    )
    return numbered(number, sends=sends)


@pytest.fixture
def hundred(tmp_path: Path) -> Path:
    return write(tmp_path / "hundred.jsonl", [slower(i) for i in range(1, 101)])


def document(run: Run, *arguments: Any) -> Any:
    return json.loads(run("top", "--json", *arguments).out)


def by_name(totals: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in totals}


def test_sums_are_those_of_a_traces_own(run: Run, tmp_path: Path) -> None:
    found = document(run, write(tmp_path / "t.jsonl", [LARGE]))
    assert (found["traces"], found["omitted"]) == (1, 2400)
    for kind, expected in (
        ("receivers", aggregates.by_receiver(LARGE)),
        ("signals", aggregates.by_signal(LARGE)),
    ):
        assert [one["name"] for one in found[kind]] == [one.name for one in expected]
        for told, one in zip(found[kind], expected, strict=True):
            for key in ("count", "total_ns", "self_ns", "max_ns", "queries_ns"):
                assert told[key] == getattr(one, key)
            assert (told["queries"], told["failures"]) == (one.queries, one.failures)


def test_many_traces_are_added_up(run: Run, hundred: Path) -> None:
    found = document(run, hundred)
    announce = by_name(found["receivers"])["shop.receivers.announce"]
    assert announce["count"] == 100
    assert announce["total_ns"] == 7 * MS * 5050
    assert announce["max_ns"] == 700 * MS
    assert (announce["p50_ns"], announce["p95_ns"]) == (350 * MS, 665 * MS)
    post_save = by_name(found["signals"])["django.db.models.signals.post_save"]
    assert (post_save["count"], post_save["p50_ns"]) == (100, 500 * MS)
    assert post_save["failures"] == 100


def test_what_only_adds_up_has_no_quantiles(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", [LARGE])
    recount = by_name(document(run, path)["receivers"])["shop.receivers.recount"]
    assert (recount["count"], recount["p50_ns"], recount["p95_ns"]) == (
        2400,
        None,
        None,
    )
    out = run("top", path).out
    assert "p50 and p95 are without 2,400 sends that traces only add up" in out


def test_quantile_is_never_beyond_the_longest(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", [slower(1)] * 101)
    for one in document(run, path)["receivers"]:
        assert one["p95_ns"] is None or one["p95_ns"] <= one["max_ns"]


def test_tables(run: Run, hundred: Path) -> None:
    ended = run("top", hundred)
    assert (ended.status, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[:2] == ["100 traces", ""]
    assert lines[2].split() == (
        ["count", "total", "self", "p50", "p95", "max", "SQL", "failed", "receiver"]
    )
    (announce,) = [one for one in lines if one.endswith("  shop.receivers.announce")]
    assert "350.00 ms  665.00 ms  700.00 ms" in announce


@pytest.mark.parametrize("order", ["count", "total", "self", "p50", "p95", "max"])
def test_sorted(run: Run, tmp_path: Path, order: str) -> None:
    found = document(run, "--sort", order, write(tmp_path / "t.jsonl", [LARGE]))
    key = order if order == "count" else f"{order}_ns"
    for kind in ("receivers", "signals"):
        values = [one[key] or 0 for one in found[kind]]
        assert values == sorted(values, reverse=True)
        assert len(values) > 1


@pytest.mark.parametrize(("order", "key"), [("sql", "queries"), ("failed", "failures")])
def test_sorted_by_what_has_another_name(
    run: Run, tmp_path: Path, order: str, key: str
) -> None:
    path = write(tmp_path / "t.jsonl", [LARGE])
    values = [one[key] for one in document(run, "--sort", order, path)["receivers"]]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]


def test_limit(run: Run, hundred: Path) -> None:
    out = run("top", "--limit=1", hundred).out
    assert out.count("shop.receivers.") == 1
    assert "more (--limit)" in out


def test_filtered(run: Run, five: Path) -> None:
    assert document(run, "--failed", five)["traces"] == 2


def test_nothing_fits_or_is_there(run: Run, five: Path, tmp_path: Path) -> None:
    ended = run("top", "--name=no such", five)
    assert (ended.status, ended.out, ended.err) == (0, "", "No trace is like that.\n")
    nothing = document(run, "--name=no such", five)
    assert (nothing["traces"], nothing["receivers"], nothing["signals"]) == (0, [], [])
    out = run("top", write(tmp_path / "t.jsonl", [EMPTY])).out
    assert out.startswith("1 trace\n")


def test_failed_receivers_are_red(run: Run, five: Path) -> None:
    out = run("top", five, on_terminal=True).out
    assert "\x1b[1;31mshop.receivers.take_from_stock" in out
