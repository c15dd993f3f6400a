"""What is promised of the panel, exports and commands, and what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.figures import Figure, low
from tests.benchmarks.measures import Measure, Result

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Part:
    """A program that measures a part, and what is promised of that: by the name that
    the program has for it, what it is, the most it may be, and the unit."""

    program: Path
    promises: Mapping[str, tuple[str, float, str]]


PANEL = Part(
    FOLDER / "panel.py",
    {
        "size-1": ("stored, with 1 call to a send", 1_000_000, "bytes"),
        "size-5": ("stored, with 5 calls to a send", 1_000_000, "bytes"),
        "made-1": ("making and storing that, with 1 call to a send", 50, "ms"),
        "made-5": ("making and storing that, with 5 calls to a send", 50, "ms"),
        "grown": (
            "the page with the toolbar, against one with a single call",
            30,
            "bytes",
        ),
        "opened": ("in Chromium: from the click to the rows", 300, "ms"),
        "drawn": ("the same, from the server's answer", 300, "ms"),
        "typed": ("the slowest letter typed into the filter", 100, "ms"),
        "scrolled": ("the slowest frame in scrolling", 50, "ms"),
    },
)
FORMATS = ("html", "json", "jsonl", "otlp", "perfetto", "speedscope", "text")
EXPORTS = Part(
    FOLDER / "exports.py",
    {
        f"{name}-{per_send}": (
            f"`{name}`, with {per_send} call{'s' * (per_send > 1)} to a send",
            2,
            "x",
        )
        for name in FORMATS
        for per_send in (1, 5)
    }
    | {
        f"{name}-growth": (
            f"`{name}`, per call, in a trace ten times as large",
            1.2,
            "x",
        )
        for name in FORMATS
    },
)
COMMANDS = Part(
    FOLDER / "commands.py",
    {
        "top-memory": ("the most memory that `signaltrace top` has", 300, "MB"),
        "top-time": ("the processor's time that it takes for a gigabyte", 60, "s"),
    },
)


def measure(part: Part, checkout: Path, *numbers: int) -> list[Result]:
    """Measure a part of a checkout in a process of its own, which is given how much to
    do."""
    made = subprocess.run(
        [sys.executable, part.program, checkout, *map(str, numbers)],
        stdout=subprocess.PIPE,
        check=True,
    )
    return results(part, json.loads(made.stdout))


def results(part: Part, samples: Mapping[str, Sequence[float]]) -> list[Result]:
    """Of each the lower quartile, from the lowest to the median."""
    return [
        Result(
            Measure(label, lambda cells: 0, at_most=at_most, unit=unit),
            figure(samples[name]),
        )
        for name, (label, at_most, unit) in part.promises.items()
        if name in samples
    ]


def figure(samples: Sequence[float]) -> Figure:
    ordered = sorted(samples)
    return Figure(low(ordered), ordered[0], ordered[(len(ordered) - 1) // 2])
