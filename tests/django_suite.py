"""Runs Django's own tests, each test's body inside a recording.

    python tests/django_suite.py FOLDER [LABEL ...]

FOLDER is the ``tests`` folder of Django's source distribution, of the version that is
installed; the labels name suites in it, all without any. What fails recorded is run
again without a recording: a failure that this second run has too is Django's own.
"""

from __future__ import annotations

import atexit
import re
import runpy
import subprocess
import sys
import unittest
from collections.abc import Callable
from pathlib import Path

FAILURE = re.compile(r"^(?:ERROR|FAIL): .*\((\S+)\)", re.MULTILINE)
RECORDED = re.compile(r"^(\d+) sends recorded$", re.MULTILINE)


def main(folder: Path, labels: list[str]) -> str | None:
    """Run the suites; what is wrong, or None."""
    output, passed = run(folder, labels, recorded=True)
    counted = RECORDED.search(output)
    if counted is None or counted[1] == "0":
        return "No send was recorded: this run shows nothing."
    if passed:
        return None
    failures = set(FAILURE.findall(output))
    if not failures:
        return "The suites could not be run."
    print(f"{len(failures)} failed; again without a recording.", flush=True)
    output, _ = run(folder, sorted(failures), recorded=False)
    ours = failures - set(FAILURE.findall(output))
    return f"Failing only when recorded: {', '.join(sorted(ours))}" if ours else None


def run(folder: Path, labels: list[str], *, recorded: bool) -> tuple[str, bool]:
    """Run tests in a process of their own: what it printed, and whether all passed."""
    with subprocess.Popen(
        [sys.executable, __file__, "--record" if recorded else "--plain", *labels],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    return "".join(lines), process.returncode == 0


def record_every_test() -> None:
    """Put each test's body, and no more, inside a recording."""
    import signal_trace

    call = unittest.TestCase._callTestMethod  # type: ignore[attr-defined]
    sends = 0

    def call_recorded(self: unittest.TestCase, method: Callable[[], object]) -> None:
        nonlocal sends
        recording = signal_trace.record(self.id())
        try:
            with recording:
                call(self, method)
        finally:
            sends += len(recording.trace.sends)

    unittest.TestCase._callTestMethod = call_recorded  # type: ignore[attr-defined]
    atexit.register(lambda: print(f"{sends} sends recorded"))


if __name__ == "__main__":
    first, *rest = sys.argv[1:]
    if first in ("--record", "--plain"):
        if first == "--record":
            record_every_test()
        sys.path[0] = str(Path.cwd())  # And not this file's folder.
        sys.argv = ["runtests.py", "--parallel=1", *rest]
        runpy.run_path("runtests.py", run_name="__main__")
    else:
        sys.exit(main(Path(first), rest))
