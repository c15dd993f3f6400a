"""Measure what tracing costs a server under load.

    python tests/benchmarks/load.py CHECKOUT GENERATIONS ROUNDS REQUESTS SERVER...

Of each server there is one for each way of tracing. All of them are alive at once, and
in each round each of them, in an order that is drawn by lot, serves so many of the
demo's checkouts to visitors who come back as soon as they have their receipt. In each
generation they are new: where a process's memory happens to lie, and how its strings
hash, makes it faster or slower by some per cent for as long as it lives. Prints as JSON
what each round was like, by server, generation and way.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.load.serving import (  # noqa: E402
    GUNICORN,
    UVICORN,
    Server,
    seed,
    serve,
    wait_for,
)
from tests.load.visits import Visits, visit  # noqa: E402

FOUR = f"{GUNICORN} --workers=4"
#: The command of each server, the path of its checkout, and how many visitors it has:
#: as many as leave some of the processor's time over.
SERVERS = {
    "sync": (f"{FOUR} tests.load.wsgi:application", "/checkout/", 3),
    "gthread": (f"{FOUR} --threads=2 tests.load.wsgi:application", "/checkout/", 3),
    "uvicorn": (f"{UVICORN} tests.load.asgi:application", "/checkout/async/", 2),
}
FILE = {
    "BACKEND": "signal_trace.sinks.FileSink",
    "OPTIONS": {"path": "{folder}/traces.jsonl"},
}
#: The settings of each way of tracing; None: signal_trace isn't installed.
WAYS: dict[str, dict[str, Any] | None] = {
    "without": None,
    "tail": {"SAMPLE_RATE": 0.01, "KEEP": {"slower_than_ms": 2_000, "failed": True}},
    "log": {"SAMPLE_RATE": 1},
    "file": {"SAMPLE_RATE": 1, "SINKS": [FILE]},
}

Round = dict[str, Any]
Generation = dict[str, list[Round]]


def main(
    checkout: Path, generations: int, rounds: int, requests: int, names: list[str]
) -> None:
    # Where the disk has no part in it, if there is such a place.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as made:
        folder = Path(made)
        # Its own tests, demo and all are not to be measured.
        package = folder / "package"
        package.mkdir()
        (package / "signal_trace").symlink_to(checkout / "signal_trace")
        # With a postcode nothing fails, so that tail rules don't keep everything.
        seeded = seed(folder, postcode="SW1A")
        paths = os.pathsep.join(map(str, (package, ROOT, ROOT / "demo")))
        found: dict[str, list[Generation]] = {name: [] for name in names}
        for name in names:
            for number in range(generations):
                own = folder / f"{name}-{number}"
                one = measure(name, own, seeded, paths, rounds, requests)
                found[name].append(one)
                print(f"load: {name}, {number + 1} of {generations}", file=sys.stderr)
    print(json.dumps(found))


def measure(
    name: str, folder: Path, seeded: Path, paths: str, rounds: int, requests: int
) -> Generation:
    """The rounds of one server, by the way of tracing."""
    command, path, visitors = SERVERS[name]
    folder.mkdir()
    found: Generation = {way: [] for way in WAYS}
    with ExitStack() as stack:
        servers = {}
        for way, given in WAYS.items():
            own = folder / way
            tracing = json.loads(json.dumps(given).replace("{folder}", str(own)))
            server = serve(command, own, seeded, tracing, PYTHONPATH=paths)
            servers[way] = stack.enter_context(server)
        for server in servers.values():
            wait_for(server)
            # So many at once that every worker has had its first one.
            serve_visitors(server, path, 8, min(48, 2 * requests))
        for _ in range(rounds):
            for way in random.sample(list(servers), len(servers)):
                one = serve_visitors(servers[way], path, visitors, requests)
                found[way].append(one)
        for server in servers.values():
            server.stop()
    return found


def serve_visitors(server: Server, path: str, visitors: int, requests: int) -> Round:
    """One round, and what it was like."""
    before = processor_ms(server)
    began = time.perf_counter()
    answers = Visits(
        server.port,
        range(1, requests + 1),
        lambda port, number: visit(port, number, path),
        at_once=visitors,
    ).answers()
    seconds = time.perf_counter() - began
    if any(answer.status != 200 or not answer.order for answer in answers):
        raise SystemExit(f"A checkout failed:\n{server.output}")
    # What is queued would be in the way of the next one.
    then, now = -1.0, processor_ms(server)
    while then != now:
        time.sleep(0.1)
        then, now = now, processor_ms(server)
    return {
        "per_second": requests / seconds,
        "ms": [answer.seconds * 1000 for answer in answers],
        "processor_ms": (now - before) / requests,
    }


def processor_ms(server: Server) -> float:
    """What the server's processes have worked by now; 0 where there is no telling."""
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # It has just ended.
        if int(fields[2]) == server.process.pid:  # The group that it leads.
            ticks += int(fields[11]) + int(fields[12])
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]), sys.argv[5:])
