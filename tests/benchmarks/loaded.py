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
#: By the server, for each generation: by the way of tracing.
Observed = Mapping[str, Sequence[Mapping[str, Rounds]]]
Pairs = Sequence[tuple[Round, Round]]


def measure(
    checkout: Path,
    generations: int,
    rounds: int,
    requests: int,
    servers: Sequence[str],
) -> Observed:
    """Measure a checkout's package, in processes of their own."""
    much = map(str, (generations, rounds, requests))
    made = subprocess.run(
        [sys.executable, PROGRAM, checkout, *much, *servers],
        stdout=subprocess.PIPE,
        check=True,
    )
    observed: Observed = json.loads(made.stdout)
    return observed


def results(observed: Observed) -> list[Result]:
    """What is left of the throughput, and what is added to the slowest of a hundred:
    with the range in which it lies with a probability of 95%."""
    found = []
    for server, generations in observed.items():
        for way, (label, least) in WAYS.items():
            name = f"{SERVERS[server]}, {label}: "
            pairs = [
                list(zip(ways[way], ways[BASE], strict=True)) for ways in generations
            ]
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


def throughput(pairs: Pairs) -> float:
    return summarize(
        [one["per_second"] / base["per_second"] for one, base in pairs]
    ).value


def added_p99(pairs: Pairs) -> float:
    ours, bases = zip(*pairs, strict=True)
    return percentile(ours, 99) - percentile(bases, 99)


def percentile(rounds: Rounds, percent: float) -> float:
    """So many of a hundred requests had their response by then."""
    ordered = sorted(ms for one in rounds for ms in one["ms"])
    return float(ordered[math.ceil(percent / 100 * len(ordered)) - 1])


def resampled(generations: Sequence[Pairs], figure: Callable[[Pairs], float]) -> Figure:
    """The figure, and in what range it lies if the generations, and of each the rounds,
    are drawn by lot again."""
    lot = random.Random(1)

    def again() -> float:
        drawn = lot.choices(generations, k=len(generations))
        return figure(
            [one for pairs in drawn for one in lot.choices(pairs, k=len(pairs))]
        )

    found = sorted(again() for _ in range(RESAMPLED))
    aside = RESAMPLED // 40
    every = [one for pairs in generations for one in pairs]
    return Figure(figure(every), found[aside], found[-1 - aside])


def times(observed: Observed) -> Table:
    """What each server did."""
    rows = [["", "without", *(label for label, _ in WAYS.values())]]
    for server, generations in observed.items():
        each = [
            [one for ways in generations for one in ways[way]] for way in (BASE, *WAYS)
        ]
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
