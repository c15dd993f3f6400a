"""The command line, run in this process."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from signal_trace import Trace
from signal_trace.cli import alone
from tests.traces import CHECKOUT, MS


class Screenful(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@dataclass
class Ended:
    status: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of its own, and in a terminal of 80 columns with colour, if any."""
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("COLUMNS", "80"), ("LINES", "24"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``python -m signal_trace`` with these arguments; *on_terminal* it prints and
    reads on one."""

    def run(
        *arguments: str | os.PathLike[str],
        piped: bytes = b"",
        on_terminal: bool = False,
    ) -> Ended:
        screen = Screenful if on_terminal else io.StringIO
        out, err = screen(), screen()
        stdin: Any = io.TextIOWrapper(io.BytesIO(piped))
        if on_terminal and not piped:
            stdin = Screenful()
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        try:
            status = alone.main([os.fspath(one) for one in arguments])
        except SystemExit as end:  # As argparse ends it.
            status = int(end.code or 0)
        return Ended(status, out.getvalue(), err.getvalue())

    return run


def numbered(number: int, trace: Trace = CHECKOUT, **changes: Any) -> Trace:
    """A trace with an id of its own, and a duration."""
    made: dict[str, Any] = {"id": f"{number:08x}{'0' * 24}"}
    return replace(trace, **(made | changes))


#: Five of them: one failed, and each is longer than the one before.
FIVE = [
    numbered(
        0xA0000000 + i,
        name=f"GET /page/{i}/",
        duration_ns=i * 10 * MS,
        error=CHECKOUT.error if i == 3 else None,
        sends=CHECKOUT.sends if i in (3, 4) else (),
        not_called=(),
        attributes={"status_code": 200},
        findings=CHECKOUT.findings[: i % 3],
    )
    for i in range(1, 6)
]


@pytest.fixture
def five(tmp_path: Path) -> Path:
    return write(tmp_path / "five.jsonl", FIVE)


def write(path: Path, traces: list[Trace]) -> Path:
    path.write_text("".join(f"{one.to_json()}\n" for one in traces), "utf-8")
    return path
