from __future__ import annotations

import io
from pathlib import Path

import pytest

from signal_trace.cli import progress
from signal_trace.cli.reading import Reader
from signal_trace.cli.screen import Screen
from tests.cli.conftest import FIVE, Run, Screenful


class Clock:
    def __init__(self, step: float) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def shown(
    five: Path, monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, step: float
) -> str:
    monkeypatch.setattr(progress, "clock", Clock(step))
    reader = Reader([str(five)], io.BytesIO)
    assert list(progress.traces(reader, Screen(stream))) == FIVE
    return stream.getvalue()


def test_long_reading_has_a_bar_that_is_taken_away_again(
    five: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = shown(five, monkeypatch, Screenful(), 0.5)
    assert "2 traces" in printed
    assert "5 traces" in printed
    assert printed.endswith("\x1b[2K")  # The line is empty again.


def test_short_reading_has_none(five: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(five, monkeypatch, Screenful(), 0.1) == ""


def test_no_terminal_has_none(five: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(five, monkeypatch, io.StringIO(), 10) == ""


def test_bar_is_not_in_the_way_of_what_is_printed_meanwhile(
    run: Run, five: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "clock", Clock(5))
    for arguments, has_bar in (([], False), (["--output=out.jsonl"], True)):
        ended = run("export", five, "--format=jsonl", *arguments, on_terminal=True)
        assert ended.status == 0
        assert ("5 traces" in ended.err) is has_bar


def test_bar_is_taken_away_where_reading_ends_early(
    five: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "clock", Clock(5))
    stream = Screenful()
    traces = progress.traces(Reader([str(five)], io.BytesIO), Screen(stream))
    next(traces)
    next(traces)
    traces.close()  # type: ignore[attr-defined]
    assert stream.getvalue().endswith("\x1b[2K")


def test_bytes_are_counted_to_the_end_of_all_files(five: Path) -> None:
    reader = Reader([str(five), str(five)], io.BytesIO)
    done: list[int] = []
    reader.advance = done.append
    assert len(list(reader.traces())) == 10
    assert done == sorted(done)
    assert reader.size == 2 * five.stat().st_size
    assert done[-1] == reader.size
