"""What is promised of the panel, and what was measured of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.figures import Figure, low
from tests.benchmarks.measures import Measure, Result

PROGRAM = Path(__file__).parent / "panel.py"

#: By the names that `panel` has for them: what it is, and the most it may be.
PROMISES = {
    "size-1": ("stored, with 1 call to a send", 1_000_000, "bytes"),
    "size-5": ("stored, with 5 calls to a send", 1_000_000, "bytes"),
    "made-1": ("making and storing that, with 1 call to a send", 50, "ms"),
    "made-5": ("making and storing that, with 5 calls to a send", 50, "ms"),
    "grown": ("the page with the toolbar, against one with a single call", 30, "bytes"),
    "opened": ("in Chromium: from the click to the rows", 300, "ms"),
    "drawn": ("the same, from the server's answer", 300, "ms"),
    "typed": ("the slowest letter typed into the filter", 100, "ms"),
    "scrolled": ("the slowest frame in scrolling", 50, "ms"),
}


def measure(checkout: Path, calls: int, times: int) -> list[Result]:
    """Measure the panel of a checkout in a process of its own."""
    made = subprocess.run(
        [sys.executable, PROGRAM, checkout, str(calls), str(times)],
        stdout=subprocess.PIPE,
        check=True,
    )
    return results(json.loads(made.stdout))


def results(samples: Mapping[str, Sequence[float]]) -> list[Result]:
    """Of each the lower quartile, from the lowest to the median."""
    return [
        Result(
            Measure(label, lambda cells: 0, at_most=at_most, unit=unit),
            figure(samples[name]),
        )
        for name, (label, at_most, unit) in PROMISES.items()
        if name in samples
    ]


def figure(samples: Sequence[float]) -> Figure:
    ordered = sorted(samples)
    return Figure(low(ordered), ordered[0], ordered[(len(ordered) - 1) // 2])
