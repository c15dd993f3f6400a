"""Measure what `signaltrace top` takes for a large file.

    python tests/benchmarks/commands.py CHECKOUT MEGABYTES TIMES

Prints as JSON, by the names that `promised` knows: the most memory that it had, in
megabytes, and how many seconds of the processor's time it took for each gigabyte.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [*sys.argv[1:2], str(ROOT)]

from tests.benchmarks.exports import recorded  # noqa: E402
from tests.benchmarks.panel import Samples, set_up  # noqa: E402

#: So many calls the traces have, one after the other, and how many to a send; of the
#: largest there is one now and then.
SIZES = [(10, 1), (40, 2), (200, 5), (1_000, 5)] * 50 + [(10_000, 1)]

CHILD = """
import re, resource, sys, time
from pathlib import Path
from signal_trace.cli.alone import main
assert main(["top", "--json", sys.argv[1]]) == 0
status = Path("/proc/self/status")
if status.exists():  # Of this program alone, and not of what it was forked from.
    kilobytes = int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1])
else:
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(kilobytes / 1024, time.process_time(), file=sys.stderr)
"""


def lines() -> Iterator[str]:
    """Traces for ever, each with an id of its own."""
    halves = {}
    for size in set(SIZES):
        trace = recorded(*size)
        halves[size] = trace.to_json().split(trace.id, 1)
    for number, size in enumerate(cycle(SIZES)):
        before, after = halves[size]
        yield f"{before}{number:032x}{after}\n"


def write(path: Path, megabytes: int) -> int:
    """Write a file that is so large at least; gives how many bytes it has."""
    with path.open("w", encoding="utf-8") as file:
        for line in lines():
            file.write(line)
            if file.tell() >= megabytes * 1_000_000:
                return file.tell()
    raise AssertionError


def main(megabytes: int, times: int) -> None:
    set_up()
    samples: Samples = {"top-memory": [], "top-time": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "traces.jsonl")
        size = write(path, megabytes)
        for _ in range(times):
            ended = subprocess.run(
                [sys.executable, "-c", CHILD, path],
                capture_output=True,
                cwd=sys.argv[1],
                text=True,
                check=True,
            )
            memory, seconds = map(float, ended.stderr.split())
            samples["top-memory"].append(memory)
            samples["top-time"].append(seconds / size * 1e9)
    print(json.dumps(samples))


if __name__ == "__main__":
    main(*map(int, sys.argv[2:]))
