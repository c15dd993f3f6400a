"""What was sent to the sinks, without sinks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from signal_trace import sinks

if TYPE_CHECKING:
    from collections.abc import Callable

    from signal_trace import Recording, Trace


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Trace]:
    """The traces that were sent, as far as they were to be kept."""
    traces: list[Trace] = []

    def submit(
        recording: Recording, keep: Callable[[Trace], bool] | None = None
    ) -> None:
        if keep is None or keep(recording.trace):
            traces.append(recording.trace)

    monkeypatch.setattr(sinks, "submit", submit)
    return traces
