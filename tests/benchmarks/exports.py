"""Measure how fast traces are written in each format.

    python tests/benchmarks/exports.py CHECKOUT CALLS MANY TIMES

Prints as JSON, by the names that `promised` knows: how many times as long it takes to
write a trace of so many CALLS as `json.dumps` does for the same data, each of so many
TIMES; and how much longer a call takes in a trace of MANY calls than in one of a tenth
of them.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [*sys.argv[1:2], str(ROOT)]

from tests.benchmarks.figures import low  # noqa: E402
from tests.benchmarks.panel import Samples, set_up  # noqa: E402
from tests.benchmarks.promised import FORMATS  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from signal_trace import Trace


def recorded(calls: int, per_send: int) -> Trace:
    import signal_trace
    from tests.benchmarks.panel_urls import send_many

    with signal_trace.record("sends") as recording:
        send_many(calls, per_send)
    return recording.trace


def repeated(trace: Trace, times: int) -> Trace:
    """A trace in which the same is sent so many times over, of which nothing is found:
    findings would not grow with it."""
    last = max(one.id for one in (*trace.sends, *trace.calls))
    sends = []
    for turn in range(times):
        ids, start = turn * last, turn * trace.duration_ns
        for send in trace.sends:
            calls = tuple(
                replace(call, id=call.id + ids, start_ns=call.start_ns + start)
                for call in send.calls
            )
            shifted = replace(
                send, id=send.id + ids, start_ns=send.start_ns + start, calls=calls
            )
            sends.append(shifted)
    return replace(
        trace,
        duration_ns=trace.duration_ns * times,
        sends=tuple(sends),
        not_called=(),
        events=(),
        findings=(),
    )


def seconds(work: Callable[[], object]) -> float:
    """The processor's time for it. What was there before is none of the garbage
    collector's business."""
    gc.collect()
    gc.freeze()
    start = time.process_time()
    work()
    taken = time.process_time() - start
    gc.unfreeze()
    return taken


def write(trace: Trace, name: str) -> None:
    from signal_trace import exports

    with Path(os.devnull).open("w", encoding="utf-8") as file:
        exports.write([trace], name, file)


def against_dumps(calls: int, per_send: int, times: int) -> Samples:
    trace = recorded(calls, per_send)
    document = trace.to_dict()
    dumps, taken = [], {name: [] for name in FORMATS}
    for _ in range(times):
        dumps.append(seconds(lambda: json.dumps(document)))
        for name in FORMATS:
            taken[name].append(seconds(lambda: write(trace, name)))  # noqa: B023
    return {
        # Whatever slowed the machine down for a moment hit both.
        f"{name}-{per_send}": [
            one / other for one, other in zip(taken[name], dumps, strict=True)
        ]
        for name in FORMATS
    }


def growth(calls: int, many: int, times: int) -> Samples:
    one = recorded(calls, 5)
    tenth = repeated(one, many // calls // 10)
    whole = repeated(one, many // calls)
    found = {}
    for name in FORMATS:
        small, large = (
            [seconds(lambda: write(trace, name)) for _ in range(turns)]  # noqa: B023
            for trace, turns in ((tenth, min(times, 5)), (whole, min(times, 3)))
        )
        found[f"{name}-growth"] = [one / low(small) / 10 for one in large]
    return found


def main(calls: int, many: int, times: int) -> None:
    set_up()
    samples = {
        **against_dumps(calls, 1, times),
        **against_dumps(calls, 5, times),
        **growth(calls, many, times),
    }
    print(json.dumps(samples))


if __name__ == "__main__":
    main(*map(int, sys.argv[2:]))
