"""A clock that tests wind by hand."""

from __future__ import annotations

import pytest

from signal_trace import recording

MS = 1_000_000


class FakeClock:
    """Counts nanoseconds from *now*; only `pass_ms` makes time pass."""

    def __init__(self, now: int = 5_000 * MS) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def pass_ms(self, ms: int) -> None:
        self.now += ms * MS


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    fake = FakeClock()
    monkeypatch.setattr(recording, "clock", fake)
    return fake
