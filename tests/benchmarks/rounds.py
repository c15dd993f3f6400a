"""Asks the contenders' processes for samples, in turn.

All of them are alive at once, and one works at a time, for some milliseconds: what
else the machine does, and how fast its processor runs, changes more slowly than that,
and so hits all of them alike.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.figures import low
from tests.benchmarks.plan import Phase

ROOT = Path(__file__).parent.parent.parent

Cell = tuple[str, str]  # A contender's name and a workload's.
Samples = dict[Cell, list[float]]
# What can be compared: what was measured at the same time.
Cells = dict[Cell, float]


def checkout() -> Path:
    """Whose `signal_trace` is measured: another checkout's if PYTHONPATH has one."""
    for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        if entry and (Path(entry) / "signal_trace").is_dir():
            return Path(entry).resolve()
    return ROOT


class Worker:
    """A contender's process, and its end of the pipe."""

    def __init__(self, contender: str, checkout: Path, hash_seed: int) -> None:
        self.contender = contender
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.benchmarks.worker"),
                *(contender, str(checkout)),
            ],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": str(hash_seed)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def sample(self, workload: str, times: int = 1) -> dict[str, float]:
        """What doing a workload once took, and what else was measured with it."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps([workload, times]) + "\n")
            stdin.flush()
            answer = stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise SystemExit(f"The process of {self.contender!r} ended: see above.")
        found: dict[str, float] = json.loads(answer)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._process as process:
            if error is not None:
                process.kill()


def measure(
    phase: Phase, checkout: Path, tell: Callable[[str], None]
) -> Iterator[tuple[Samples, list[Cells]]]:
    """Each generation's samples, and what of them can be compared."""
    deadline = time.monotonic() + phase.seconds
    for generation in range(phase.generations):
        if generation and time.monotonic() > deadline:
            tell(f"{phase.name}: out of time, so the figures are less sure")
            break
        tell(f"{phase.name}: {generation + 1} of {phase.generations}")
        # Which strings collide in a dict is a generation's luck, not a contender's.
        hash_seed = random.randrange(2**32)
        with ExitStack() as stack:
            workers = [
                stack.enter_context(Worker(contender, checkout, hash_seed))
                for contender in phase.contenders
            ]
            yield run_rounds(phase, workers, deadline)


def run_rounds(
    phase: Phase, workers: list[Worker], deadline: float
) -> tuple[Samples, list[Cells]]:
    for worker in workers:
        for workload in phase.workloads:  # Warms up, and isn't counted.
            worker.sample(workload.name, min(workload.times, 100))
    samples: Samples = defaultdict(list)
    rounds: list[Cells] = []
    for number in range(phase.rounds):
        if number and time.monotonic() > deadline:
            break
        cells: Cells = {}
        for workload in phase.workloads:
            for worker in random.sample(workers, len(workers)):
                contender = CONTENDERS[worker.contender]
                if number % contender.every:
                    continue
                times = workload.times_for(contender)
                for name, value in worker.sample(workload.name, times).items():
                    cells[worker.contender, name] = value
                    samples[worker.contender, name].append(value)
        rounds.append(cells)
    facts = {
        (worker.contender, name): value
        for worker in workers
        for name, value in worker.sample("is-djangos").items()
    }
    if phase.steady:
        rounds = [{cell: low(values) for cell, values in samples.items()} | facts]
    return samples, rounds
