"""One well-formed line a trace, whatever happens to file, disk and process."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from signal_trace import json_lines, sinks
from signal_trace.json_lines import TraceWarning
from signal_trace.sinks import FileSink
from tests.missing import missing
from tests.traces import CHECKOUT, EMPTY, LARGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from signal_trace import Trace

ROOT = Path(__file__).parent.parent.parent

# A file of the writer's own would be passed over as a process of its own.
WRITER = """
import sys
from dataclasses import replace
from signal_trace.sinks import FileSink
from tests.traces import CHECKOUT, LARGE
path, name, count = sys.argv[1:]
sink = FileSink(path)
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(count)):
    # Lines of some kilobytes, and of some hundred.
    sink(replace(LARGE if number % 20 == 0 else CHECKOUT, name=f"{name}.{number}"))
print("done", flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "traces"
    folder.mkdir()
    return folder / "traces.jsonl"


def named(name: str, trace: Trace = CHECKOUT) -> Trace:
    return replace(trace, name=name)


def read(path: Path) -> list[Trace]:
    with path.open("rb") as file:
        return list(json_lines.read(file))


def names(path: Path) -> list[str]:
    return [trace.name for trace in read(path)]


@contextmanager
def writer(path: Path, name: str, count: int) -> Iterator[subprocess.Popen[str]]:
    """A process that writes traces once it is told to."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(count)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def wait_for(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == f"{word}\n"


def test_every_trace_is_a_line_that_reads_back(path: Path) -> None:
    sink = FileSink(path)
    for trace in (CHECKOUT, EMPTY, LARGE):
        sink(trace)
    assert read(path) == [CHECKOUT, EMPTY, LARGE]
    assert path.read_bytes().count(b"\n") == 3
    assert path.read_bytes().endswith(b"}\n")


def test_path_is_the_one_of_the_time_when_the_sink_was_made(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    sink = FileSink("traces.jsonl")
    monkeypatch.chdir("/")
    sink(CHECKOUT)
    assert read(path) == [CHECKOUT]


@pytest.mark.parametrize("wrong", ["", None, 5, b"traces", "a\0b", ["traces"]])
def test_what_is_no_path_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="which is no file's path"):
        FileSink(wrong)


def test_many_processes_write_whole_lines(path: Path) -> None:
    with (
        writer(path, "a", 60) as a,
        writer(path, "b", 60) as b,
        writer(path, "c", 60) as c,
    ):
        for process in (a, b, c):
            wait_for(process, "ready")
        for process in (a, b, c):
            go(process)
        for process in (a, b, c):
            wait_for(process, "done")
    found = names(path)
    assert sorted(found) == sorted(f"{one}.{n}" for one in "abc" for n in range(60))
    for one in "abc":
        own = [name for name in found if name.startswith(one)]
        assert own == [f"{one}.{n}" for n in range(60)]


def test_many_threads_write_whole_lines(path: Path) -> None:
    sink = FileSink(path)

    def write(label: str) -> None:
        for number in range(20):
            sink(named(f"{label}.{number}", CHECKOUT if number % 5 else LARGE))

    threads = [threading.Thread(target=write, args=(one,)) for one in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names(path)) == sorted(f"{a}.{n}" for a in "abcd" for n in range(20))


def test_file_that_logrotate_moved_is_made_anew(path: Path) -> None:
    sink = FileSink(path)
    sink(named("before"))
    path.rename(path.with_suffix(".1"))
    sink(named("after"))
    assert names(path.with_suffix(".1")) == ["before"]
    assert names(path) == ["after"]


def test_nothing_is_lost_while_the_file_is_moved_again_and_again(path: Path) -> None:
    with writer(path, "a", 200) as process:
        wait_for(process, "ready")
        go(process)
        moved = 0
        assert process.stdout is not None
        ended = threading.Thread(target=process.stdout.readline)
        ended.start()
        while ended.is_alive():
            if path.exists():
                moved += 1
                path.rename(path.with_suffix(f".{moved}"))
        ended.join()
    if path.exists():
        moved += 1
        path.rename(path.with_suffix(f".{moved}"))
    assert moved > 1
    files = [path.with_suffix(f".{number}") for number in range(1, moved + 1)]
    assert [name for file in files for name in names(file)] == [
        f"a.{number}" for number in range(200)
    ]


def test_file_that_was_removed_or_emptied_goes_on(path: Path) -> None:
    sink = FileSink(path)
    sink(named("removed"))
    path.unlink()
    sink(named("emptied"))
    os.truncate(path, 0)
    sink(named("kept"))
    assert names(path) == ["kept"]


def test_folder_that_vanishes_and_comes_back(
    path: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNAL_TRACE = to(path)
    sinks.emit(named("before"))
    shutil.rmtree(path.parent)
    for _ in range(3):
        sinks.emit(named("lost"))
    assert not path.parent.exists()
    path.parent.mkdir()
    sinks.emit(named("after"))
    assert names(path) == ["after"]
    [record] = caplog.records
    assert "The sink signal_trace.sinks.FileSink failed" in record.getMessage()
    assert "FileNotFoundError" in caplog.text


def to(path: Path) -> dict[str, Any]:
    sink = {"BACKEND": "signal_trace.sinks.FileSink", "OPTIONS": {"path": path}}
    return {"SINKS": [sink]}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for 64 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() != 0:
        missing("a small disk", "run this as root on Linux", "REQUIRE_TMPFS")
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        missing("a small disk", "allow this process to mount one", "REQUIRE_TMPFS")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_loses_the_trace_says_so_once_and_goes_on_when_there_is_room(
    small_disk: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    path = small_disk / "traces.jsonl"
    settings.SIGNAL_TRACE = to(path)
    sinks.emit(named("first"))
    (small_disk / "other").write_bytes(b"x" * 32 * 1024)
    for number in range(200):
        sinks.emit(named(f"{number}"))
    full = names(path)
    assert full[0] == "first"
    assert 0 < len(full) < 200
    [record] = caplog.records
    assert "failed. Traces lost to it: 1." in record.getMessage()
    assert os.strerror(errno.ENOSPC) in caplog.text
    (small_disk / "other").unlink()
    sinks.emit(named("room"))
    assert names(path) == [*full, "room"]


def test_what_is_left_of_a_line_on_a_full_disk_is_taken_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = FileSink(path)
    sink(named("whole"))
    before = path.read_bytes()

    class Full(io.FileIO):
        written = 0

        def write(self, data: Any) -> int:
            if self.written > 100:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.written += super().write(bytes(data[:50])) or 0
            return 50

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", lambda path, *_, **__: Full(path, "ab+"))
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            sink(named("half"))
    assert path.read_bytes() == before


def test_short_writes_are_gone_on_with(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Short(io.FileIO):
        def write(self, data: Any) -> int:
            return super().write(bytes(data[:50])) or 0

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", lambda path, *_, **__: Short(path, "ab+"))
        FileSink(path)(CHECKOUT)
    assert read(path) == [CHECKOUT]


def test_after_a_kill_at_most_the_last_line_is_cut_off_and_the_next_one_is_whole(
    path: Path,
) -> None:
    with writer(path, "a", 1_000_000) as process:
        wait_for(process, "ready")
        go(process)
        while not path.exists() or path.stat().st_size < 100_000:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    FileSink(path)(named("after"))
    lines = path.read_bytes().splitlines()
    *own, last = [json.loads(line)["name"] for line in lines if line.endswith(b"}")]
    assert last == "after"
    assert own == [f"a.{number}" for number in range(len(own))]
    assert len(lines) <= len(own) + 2


def test_line_that_was_cut_off_stays_a_line_of_its_own(path: Path) -> None:
    sink = FileSink(path)
    sink(named("whole"))
    with path.open("ab") as file:
        file.write(CHECKOUT.to_json().encode()[:500])
    sink(named("after"))
    with pytest.warns(TraceWarning, match="line 2: a trace that is cut off") as found:
        assert names(path) == ["whole", "after"]
    assert len(found) == 1


def test_processes_that_fork_while_a_line_is_written_do_not_keep_the_lock(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forked process has what is opened open as well, and so would its lock live."""
    sink = FileSink(path)
    children: list[subprocess.Popen[str]] = []
    real = FileSink.__call__.__globals__["_write"]

    def write(file: io.FileIO, line: bytes) -> None:
        os.set_inheritable(file.fileno(), True)
        children.append(
            subprocess.Popen(
                [sys.executable, "-c", "input()"],
                stdin=subprocess.PIPE,
                text=True,
                close_fds=False,
            )
        )
        real(file, line)

    with monkeypatch.context() as patched:
        patched.setitem(FileSink.__call__.__globals__, "_write", write)
        sink(named("one"))
    (child,) = children
    try:
        with writer(path, "b", 1) as process:
            wait_for(process, "ready")
            go(process)
            wait_for(process, "done")
    finally:
        child.communicate("\n")
    assert names(path) == ["one", "b.0"]


def test_a_line_is_written_in_pieces_that_let_others_run(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from signal_trace import documents

    pieces: list[str] = []
    real = documents.json_text

    def json_text(document: Any) -> str:
        pieces.append(real(document))
        return pieces[-1]

    monkeypatch.setattr(documents, "json_text", json_text)
    FileSink(path)(LARGE)
    assert max(map(len, pieces)) < len(LARGE.to_json()) / len(LARGE.sends) * 5
    assert read(path) == [LARGE]


def test_problem_says_what_keeps_the_file_from_being_written(path: Path) -> None:
    assert FileSink(path).problem() == ""
    path.touch()
    assert FileSink(path).problem() == ""
    assert "no regular file" in FileSink(path.parent).problem()
    assert "there is no folder" in FileSink(path / "more").problem()
    assert "there is no folder" in FileSink("/nowhere/at/all.jsonl").problem()


def test_problem_of_a_file_that_is_not_ours(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *args: False)
    assert "is not writable" in FileSink(path).problem()
    path.touch()
    assert "can't be both read and written" in FileSink(path).problem()
