from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import FIVE, Run, numbered, write
from tests.traces import CHECKOUT, EMPTY, LARGE, many_calls, saves

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return write(tmp_path / "trace.json", [CHECKOUT])


def plain(out: str) -> str:
    return ESCAPES.sub("", out)


def squeezed(out: str) -> str:
    return " ".join(plain(out).split())


def test_no_terminal_has_the_text_export(run: Run, tmp_path: Path) -> None:
    for trace in (CHECKOUT, LARGE, EMPTY):
        path = write(tmp_path / "trace.json", [trace])
        ended = run("show", path)
        assert (ended.status, ended.err) == (0, "")
        assert ended.out == trace.export("text")


def test_by_id(run: Run, five: Path) -> None:
    assert run("show", "a0000003", five).out.startswith("GET /page/3/: 30.00 ms")
    ended = run("show", "b", five)
    assert (ended.status, ended.out) == (1, "")
    assert "no trace has an id that begins with b" in ended.err


def test_by_id_of_what_is_piped(run: Run, five: Path) -> None:
    out = run("show", "a0000002", piped=five.read_bytes()).out
    assert out.startswith("GET /page/2/")


def test_slowest(run: Run, five: Path) -> None:
    assert run("show", "--slowest", five).out.startswith("GET /page/5/")
    out = run("show", "--slowest", "--failed", five).out
    assert out.startswith("GET /page/4/")


def test_several_need_a_choice(run: Run, five: Path) -> None:
    ended = run("show", five)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("signal_trace: there are several traces: name one by ")
    assert run("show", "--name=page/2", five).out.startswith("GET /page/2/")


def test_nothing_fits(run: Run, five: Path) -> None:
    ended = run("show", "--slowest", "--name=no such", five)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("signal_trace: no trace is like that")


def test_sql(run: Run, checkout: Path) -> None:
    lines = run("show", "--sql", checkout).out.splitlines()
    (call,) = [i for i, line in enumerate(lines) if line.endswith("repeated ×2")]
    statement = 'SELECT COUNT(*) FROM "shop_line" WHERE "order_id" = %s'
    assert lines[call + 1].strip() == f"2 × {statement}"
    assert lines[call + 1].index("2") == lines[call].index("shop.receivers") + 4
    assert statement not in run("show", checkout).out


def test_terminal_has_colours(run: Run, checkout: Path) -> None:
    out = run("show", "--all", checkout, on_terminal=True).out
    assert "\x1b[1;31mshop.receivers.take_from_stock" in out
    assert "\x1b[36m▸ post_save from shop.Order(pk=7)" in out


@pytest.mark.parametrize("lines", [24, 40])
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_terminal_has_no_more_than_fits(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int, lines: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(lines))
    trace = replace(many_calls(400, 2), findings=CHECKOUT.findings)
    path = write(tmp_path / "trace.json", [trace])
    printed = plain(run("show", path, on_terminal=True).out).splitlines()
    assert len(printed) < lines
    assert max(map(len, printed)) <= columns
    assert any("(--all shows all" in line for line in printed)
    everything = run("show", "--all", path, on_terminal=True).out.splitlines()
    assert len(everything) > 400


def test_small_trace_is_shown_whole(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "trace.json", [FIVE[3]])
    out = squeezed(run("show", path, on_terminal=True).out)
    assert "more" not in out
    assert "--all shows" not in out


def test_findings_that_fill_the_screen_are_told_in_short(
    run: Run, tmp_path: Path
) -> None:
    problem, hint = CHECKOUT.findings
    for count, expected in ((1, (True, True)), (3, (False, True)), (9, (False, False))):
        trace = numbered(1, findings=(problem, *[hint] * count))
        path = write(tmp_path / "trace.json", [trace])
        out = squeezed(run("show", path, on_terminal=True).out)
        assert problem.message in out
        told = (problem.advice in out, hint.message in out)
        assert told == expected
    assert "· 9 hints (--all)" in out


def test_like_sends_are_one_line(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "trace.json", [replace(EMPTY, sends=tuple(saves(30)))])
    out = squeezed(run("show", path, on_terminal=True).out)
    assert "▸ pre_save from shop.Line × 30" in out


def test_very_deep_tree_stays_on_the_screen(run: Run, tmp_path: Path) -> None:
    sends, parent = [], None
    for depth in range(1500):
        (send,) = saves(1, parent=parent, first_id=100 + 2 * depth)[:1]
        sends.append(replace(send, duration_ns=10_000 - depth))
        parent = send.calls[0].id
    path = write(tmp_path / "trace.json", [replace(EMPTY, sends=tuple(sends))])
    lines = plain(run("show", "--all", path, on_terminal=True).out).splitlines()
    assert max(map(len, lines)) <= 80
    assert any("[2999] shop.receivers.check" in line for line in lines)
    short = plain(run("show", path, on_terminal=True).out).splitlines()
    assert len(short) < 24


def test_unknown_words_of_a_newer_version_are_shown(run: Run, tmp_path: Path) -> None:
    strange = replace(CHECKOUT.findings[0], level="catastrophe")
    path = write(tmp_path / "trace.json", [replace(CHECKOUT, findings=(strange,))])
    assert "· catastrophe: shop" in run("show", path).out
