"""What is promised of servers under load, and what was measured of them."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Figure, summarize
from tests.benchmarks.measures import Measure, Result
from tests.benchmarks.report import Table, number

PROGRAM = Path(__file__).parent / "load.py"
SERVERS = {
    "sync": "gunicorn, sync, 4 workers",
    "gthread": "gunicorn, gthread, 4 workers",
    "uvicorn": "uvicorn",
}
BASE = "without"
#: By the ways of tracing: what they are, and how much of the throughput is to be left.
WAYS = {
    "tail": ("tail rules and 1% sampled", 0.97),
    "log": ("everything kept, in the log", 0.9),
    "file": ("everything kept, in the file", 0.9),
}
MOST_MS = 10
RESAMPLED = 400

Round = Mapping[str, Any]
Rounds = Sequence[Round]
Observed = Mapping[str, Mapping[str, Rounds]]


def measure(
    checkout: Path, rounds: int, requests: int, servers: Sequence[str]
) -> Observed:
    """Measure a checkout's package, in processes of their own."""
    made = subprocess.run(
        [sys.executable, PROGRAM, checkout, str(rounds), str(requests), *servers],
        stdout=subprocess.PIPE,
        check=True,
    )
    observed: Observed = json.loads(made.stdout)
    return observed


def results(observed: Observed) -> list[Result]:
    """What is left of the throughput, and what is added to the slowest of a hundred:
    with the range in which it lies with a probability of 95%."""
    found = []
    for server, ways in observed.items():
        for way, (label, least) in WAYS.items():
            name = f"{SERVERS[server]}, {label}: "
            pairs = list(zip(ways[way], ways[BASE], strict=True))
            for measure, figure in (
                (Measure(f"{name}throughput", no, math.inf, "x", least), throughput),
                (
                    Measure(f"{name}added to the p99", no, MOST_MS, "ms", -math.inf),
                    added_p99,
                ),
            ):
                found.append(Result(measure, resampled(pairs, figure)))
    return found


def no(cells: object) -> float:
    """What such a figure is made of are no cells."""
    raise KeyError


def throughput(pairs: Sequence[tuple[Round, Round]]) -> float:
    return summarize(
        [one["per_second"] / base["per_second"] for one, base in pairs]
    ).value


def added_p99(pairs: Sequence[tuple[Round, Round]]) -> float:
    ours, bases = zip(*pairs, strict=True)
    return percentile(ours, 99) - percentile(bases, 99)


def percentile(rounds: Rounds, percent: float) -> float:
    """So many of a hundred requests had their response by then."""
    ordered = sorted(ms for one in rounds for ms in one["ms"])
    return float(ordered[math.ceil(percent / 100 * len(ordered)) - 1])


def resampled(
    pairs: Sequence[tuple[Round, Round]],
    figure: Callable[[Sequence[tuple[Round, Round]]], float],
) -> Figure:
    """The figure, and in what range it lies if the rounds are drawn by lot again."""
    lot = random.Random(1)
    again = sorted(figure(lot.choices(pairs, k=len(pairs))) for _ in range(RESAMPLED))
    aside = RESAMPLED // 40
    return Figure(figure(pairs), again[aside], again[-1 - aside])


def times(observed: Observed) -> Table:
    """What each server did."""
    rows = [["", "without", *(label for label, _ in WAYS.values())]]
    for server, ways in observed.items():
        each = [ways[way] for way in (BASE, *WAYS)]
        for label, text in (
            ("requests a second", lambda all: middle(all, "per_second")),
            ("p50 (ms)", lambda all: number(percentile(all, 50))),
            ("p99 (ms)", lambda all: number(percentile(all, 99))),
            ("processor time a request (ms)", lambda all: middle(all, "processor_ms")),
        ):
            rows.append([f"{SERVERS[server]}: {label}", *map(text, each)])
    return rows


def middle(rounds: Rounds, key: str) -> str:
    return number(summarize([one[key] for one in rounds]).value)
