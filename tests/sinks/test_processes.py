"""Whole processes: at their start, their end, and when they fork."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from signal_trace import json_lines
from tests.missing import missing

ROOT = Path(__file__).parent.parent.parent

SETUP = """
import atexit, logging, os, sys, threading
import django
from django.conf import settings

PATH = sys.argv[1]
settings.configure(SIGNAL_TRACE={"SINKS": [
    {"BACKEND": "__main__.hold"},
    {"BACKEND": "signal_trace.sinks.FileSink", "OPTIONS": {"path": PATH}},
]})
logging.basicConfig(format="%(levelname)s %(message)s")
hold_until = threading.Event()
hold_until.set()
held = threading.Event()

def hold(trace):
    held.set()
    hold_until.wait()

import signal_trace
from signal_trace import sinks
from signal_trace.sinks import worker

def submit(*names):
    for name in names:
        with signal_trace.record(name) as recording:
            pass
        sinks.submit(recording)
"""


def run(path: Path, script: str, *, code: int = 0, before: str = "") -> str:
    """What a process that runs *script* prints."""
    folders = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", before + SETUP + script, str(path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": folders},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == code, finished.stdout
    return finished.stdout


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "traces.jsonl"


def names(path: Path) -> list[str]:
    if not path.exists():
        return []
    with path.open("rb") as file:
        return [trace.name for trace in json_lines.read(file)]


def test_importing_and_setting_up_starts_no_thread(path: Path) -> None:
    script = """
django.setup()
import signal_trace.middleware, signal_trace.checks, signal_trace.apps
assert threading.active_count() == 1
with signal_trace.record("one"):
    pass
assert threading.active_count() == 1
submit("one")
# One that sends, and one that says what is lost.
assert threading.active_count() == 3
"""
    assert run(path, script) == ""
    assert names(path) == ["one"]


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("raise SystemExit(4)", 4),
        ("import signal\nsignal.signal(15, lambda *a: sys.exit(5))\nos.kill(0, 15)", 5),
    ],
)
def test_what_is_queued_is_sent_at_the_end(path: Path, end: str, code: int) -> None:
    end = end.replace("os.kill(0,", "os.kill(os.getpid(),")
    output = run(path, f"submit(*map(str, range(200)))\n{end}", code=code)
    assert output == ""
    assert names(path) == [f"{number}" for number in range(200)]


def test_what_threads_submit_after_the_main_one_ended_is_sent(path: Path) -> None:
    script = """
def work():
    threading.main_thread().join()
    submit("late")
threading.Thread(target=work).start()
submit("early")
"""
    assert run(path, script) == ""
    assert names(path) == ["early", "late"]


def test_log_is_still_open_when_the_rest_is_sent(path: Path) -> None:
    script = """
import logging.handlers
file = logging.FileHandler(PATH)
buffered = logging.handlers.MemoryHandler(1000, target=file)
logger = logging.getLogger("signal_trace")
logger.addHandler(buffered)
logger.setLevel("INFO")
logger.propagate = False
settings.SIGNAL_TRACE["SINKS"] = [{"BACKEND": "signal_trace.sinks.LogSink"}]
submit("one", "two")
"""
    assert run(path, script) == ""
    lines = path.read_text().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["one", "two"]


def test_what_a_sink_closes_at_the_end_is_open_until_the_rest_is_sent(
    path: Path,
) -> None:
    script = """
class Client:
    is_open = True
    def __init__(self):
        atexit.register(self.close)
    def close(self):
        self.is_open = False
    def __call__(self, trace):
        assert self.is_open
        print(trace.name)
settings.SIGNAL_TRACE["SINKS"] = [
    {"BACKEND": "__main__.Client"}, {"BACKEND": "__main__.hold"}
]
hold_until.clear()
submit("one", "two")
held.wait()
atexit.register(hold_until.set)
"""
    assert run(path, script) == "one\ntwo\n"


def test_sink_that_hangs_does_not_keep_the_process_from_ending(path: Path) -> None:
    script = """
worker.EXIT_SECONDS = 0.05
submit("one")
sinks.flush()
hold_until.clear()
submit("two", "three")
"""
    output = run(path, script)
    assert names(path) == ["one"]
    [line] = output.splitlines()
    assert line.startswith(
        "ERROR Traces lost, since the process ended before they were sent: 2."
        " __main__.hold has been at work on one trace for "
    )


def test_where_no_exit_handlers_run_flush_sends_what_is_queued(path: Path) -> None:
    script = 'submit("one", "two")\nassert sinks.flush(60)\nos._exit(0)'
    assert run(path, script) == ""
    assert names(path) == ["one", "two"]


fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
# Python 3.12 and later warn of it, rightly.
WITHOUT_WARNING = "import warnings\nwarnings.simplefilter('ignore')\n"


@fork
@pytest.mark.parametrize("end", ["sys.exit()", "os._exit(0 if sinks.flush(60) else 1)"])
def test_forked_process_starts_afresh_and_nothing_is_sent_twice(
    path: Path, end: str
) -> None:
    script = f"""{WITHOUT_WARNING}
hold_until.clear()
submit("parent 1", "parent 2")
held.wait()  # It has the first one, and the second is queued.
with sinks._state.worker._changed, sinks._state._making:
    locked = threading.Event()
    pid = os.fork()
    if pid == 0:
        assert threading.active_count() == 1
        hold_until = threading.Event()
        hold_until.set()
        submit("child")
        assert sinks.flush(60)
        {end}
_, status = os.waitpid(pid, 0)
assert status == 0
hold_until.set()
submit("parent 3")
"""
    assert run(path, script) == ""
    assert sorted(names(path)) == ["child", "parent 1", "parent 2", "parent 3"]


@fork
def test_fork_while_other_threads_submit(path: Path) -> None:
    script = f"""{WITHOUT_WARNING}
ended = threading.Event()
def work(label):
    number = 0
    while not ended.is_set() and number < 200:
        submit(f"{{label}} {{number}}")
        number += 1
    counts.append(number)
counts = []
threads = [threading.Thread(target=work, args=(one,)) for one in "ab"]
for thread in threads:
    thread.start()
for number in range(5):
    pid = os.fork()
    if pid == 0:
        submit(f"child {{number}}")
        sys.exit()
    assert os.waitpid(pid, 0)[1] == 0
ended.set()
for thread in threads:
    thread.join()
print(sum(counts))
"""
    # The children end with the parent's threads gone: of what these did, nothing.
    count = int(run(path, script))
    found = names(path)
    assert len(found) == len(set(found)) == count + 5
    assert {f"child {number}" for number in range(5)} < set(found)


@fork
def test_sinks_are_built_again_in_a_forked_process(path: Path) -> None:
    script = f"""{WITHOUT_WARNING}
class Own:
    def __init__(self):
        self.pid = os.getpid()
    def __call__(self, trace):
        assert self.pid == os.getpid()
        os.write(1, f"{{trace.name}}\\n".encode())
settings.SIGNAL_TRACE["SINKS"] = [{{"BACKEND": "__main__.Own"}}]
submit("parent")
sinks.flush()
pid = os.fork()
submit("child" if pid == 0 else "parent again")
sinks.flush()
if pid:
    os.waitpid(pid, 0)
"""
    output = run(path, script).splitlines()
    assert output[0] == "parent"
    assert sorted(output[1:]) == ["child", "parent again"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_greenlets_of_gevent_do_not_wait_for_each_other_for_ever(
    path: Path, when: str
) -> None:
    if importlib.util.find_spec("gevent") is None:
        missing("gevent", "install it", "REQUIRE_GEVENT")
    patch = f"{WITHOUT_WARNING}import gevent.monkey\ngevent.monkey.patch_all()\n"
    script = """
import gevent
def work(label):
    for number in range(50):
        submit(f"{label} {number}")
        gevent.sleep(0)
gevent.joinall([gevent.spawn(work, label) for label in "abc"], raise_error=True)
assert sinks.flush(30)
submit("last")
"""
    if when == "before":
        run(path, script, before=patch)
    else:
        run(path, patch + script)
    assert len(names(path)) == 151
    assert names(path)[-1] == "last"
