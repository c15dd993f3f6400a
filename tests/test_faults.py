"""What goes wrong around servers under load: no request fails or waits for it, and
what was lost is counted and said."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from signal_trace.json_lines import TraceWarning
from tests.load import seen
from tests.load.database.base import process_of
from tests.load.serving import GUNICORN, UVICORN, Server, seed, serve, wait_for
from tests.load.visits import Answer, Visits
from tests.missing import missing, need_instrumentation
from tests.otlp import Received, plain, receive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

REQUESTS = 48

TWO = f"{GUNICORN} --workers=2"
THREADS = f"{TWO} --threads=4 --preload tests.load.wsgi:application"
ASYNC = f"{UVICORN} tests.load.asgi:application"


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seed(tmp_path_factory.mktemp("seeded"))


def to_file(path: Path) -> dict[str, Any]:
    options = {"path": str(path)}
    return {"BACKEND": "signal_trace.sinks.FileSink", "OPTIONS": options}


@contextmanager
def running(
    seeded: Path,
    folder: Path,
    *sinks: dict[str, Any],
    command: str = THREADS,
    **variables: str,
) -> Iterator[Server]:
    with serve(command, folder, seeded, {"SINKS": list(sinks)}, **variables) as server:
        wait_for(server)
        yield server


def visiting(server: Server, count: int = REQUESTS) -> Visits:
    return Visits(server.port, range(1, count + 1))


def wait_until(is_so: Callable[[], object]) -> None:
    for _ in range(1_200):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError("It doesn't come.")


def expect_answers(answers: list[Answer], server: Server) -> None:
    assert {answer.status for answer in answers} == {200}, server.output
    assert set(seen.named_in(answers).values()) == {1}


def expect_lines_and_losses(
    file: Path, answers: list[Answer], server: Server
) -> tuple[int, int]:
    """Of each request there is one line, or it was said to be lost."""
    lines = seen.ids_of(seen.traces(file))
    assert lines <= seen.named_in(answers)
    lost = seen.said(server)
    assert lines.total() + lost == len(answers)
    return lines.total(), lost


def test_sink_that_raises_loses_its_traces_and_says_how_many(
    seeded: Path, tmp_path: Path
) -> None:
    file = tmp_path / "traces.jsonl"
    failing = {"BACKEND": "tests.load.sinks.fail"}
    with running(seeded, tmp_path, failing, to_file(file)) as server:
        answers = visiting(server).answers()
        server.stop()
    expect_answers(answers, server)
    assert seen.ids_of(seen.traces(file)) == seen.named_in(answers)
    assert seen.said(server) == len(answers)
    assert all("tests.load.sinks.fail failed" in one["message"] for one in server.log)
    # Of each worker the first one, and the rest at its end.
    assert len(server.log) <= 4


def test_sink_that_hangs_keeps_no_request_and_what_it_holds_up_is_said(
    seeded: Path, tmp_path: Path
) -> None:
    hanging = {"BACKEND": "tests.load.sinks.hang"}
    with running(seeded, tmp_path, hanging, LOAD_QUEUE="5", LOAD_EXIT="1") as server:
        answers = visiting(server).answers()
        server.stop()
    expect_answers(answers, server)
    assert seen.said(server) == len(answers)
    dropped = [one["message"] for one in server.log if "dropped" in one["message"]]
    assert dropped
    assert all("tests.load.sinks.hang has been at work" in one for one in dropped)


def test_sink_that_hangs_keeps_no_request_of_an_event_loop(
    seeded: Path, tmp_path: Path
) -> None:
    hanging = {"BACKEND": "tests.load.sinks.hang"}
    with running(
        seeded, tmp_path, hanging, command=ASYNC, LOAD_QUEUE="5", LOAD_EXIT="1"
    ) as server:
        answers = visiting(server).answers()
        server.stop()
    expect_answers(answers, server)
    # It ends by the signal, so that the rest isn't said.
    (dropped,) = server.log
    assert "Traces dropped, since the queue is full: 1." in dropped["message"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.getuid() != 0 or shutil.which("mount") is None:
        missing("a small disk", "run this as root on Linux", "REQUIRE_TMPFS")
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        missing("a small disk", "allow this process to mount one", "REQUIRE_TMPFS")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_loses_traces_until_there_is_room(
    seeded: Path, small_disk: Path, tmp_path: Path
) -> None:
    file, ballast = small_disk / "traces.jsonl", small_disk / "ballast"
    # All but what a few traces take.
    ballast.write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 100_000))
    with running(seeded, tmp_path, to_file(file)) as server:
        load = visiting(server)
        load.wait_for(REQUESTS // 2)
        ballast.unlink()
        answers = load.answers()
        server.stop()
    expect_answers(answers, server)
    written, lost = expect_lines_and_losses(file, answers, server)
    assert file.stat().st_size > 100_000
    assert written
    assert lost
    assert any("No space left" in one.get("exc_info", "") for one in server.log)


def test_folder_that_vanishes_loses_traces_until_it_comes_back(
    seeded: Path, tmp_path: Path
) -> None:
    folder, away = tmp_path / "traces", tmp_path / "away"
    folder.mkdir()
    with running(seeded, tmp_path, to_file(folder / "traces.jsonl")) as server:
        load = visiting(server)
        load.wait_for(REQUESTS // 3)
        folder.rename(away)
        load.wait_for(2 * REQUESTS // 3)
        away.rename(folder)
        answers = load.answers()
        server.stop()
    expect_answers(answers, server)
    written, lost = expect_lines_and_losses(folder / "traces.jsonl", answers, server)
    assert written
    assert lost


def test_otlp_endpoint_that_is_down_and_comes_back_gets_everything(
    seeded: Path, tmp_path: Path
) -> None:
    need_instrumentation()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    spans = {"BACKEND": "signal_trace.sinks.OpenTelemetrySink"}
    with running(
        seeded,
        tmp_path,
        spans,
        # So that something is sent before and during, and not all at the end.
        OTEL_BSP_SCHEDULE_DELAY="200",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
    ) as server:
        load = visiting(server, 48)
        with receive(port) as before:
            load.wait_for(16)
            wait_until(lambda: before.spans)
        # The SDK says it, and tries again.
        wait_until(lambda: "retrying" in server.output)
        with receive(port) as after:
            answers = load.answers()
            server.stop()
    expect_answers(answers, server)
    # There was room for what came meanwhile.
    assert "dropping" not in server.output
    assert trees(before, after) == seen.named_in(answers)
    assert server.log == []


def test_otlp_endpoint_that_stays_down_fails_no_request_and_the_sdk_says_it(
    seeded: Path, tmp_path: Path
) -> None:
    need_instrumentation()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    spans = {"BACKEND": "signal_trace.sinks.OpenTelemetrySink"}
    with running(
        seeded,
        tmp_path,
        spans,
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE="50",
        OTEL_BSP_MAX_QUEUE_SIZE="100",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
    ) as server:
        answers = visiting(server).answers()
        server.stop()
    expect_answers(answers, server)
    assert "Failed to export span" in server.output
    assert "dropping" in server.output
    # The sink did its part.
    assert server.log == []


def trees(*receivers: Received) -> Counter[str]:
    """The ids of the traces that are there as a whole tree of spans."""
    spans = {span.span_id: span for one in receivers for span in one.spans}
    below = Counter(span.parent_span_id for span in spans.values())
    tops = [span for span in spans.values() if span.name == "signals"]
    # What is inside of no span that arrived is the request of our own caller.
    outside = [one for one in spans.values() if one.parent_span_id not in spans]
    assert {one.kind for one in outside} == {tops[0].SPAN_KIND_SERVER}
    assert len(outside) == len(tops)
    assert len({below[span.span_id] for span in tops}) == 1
    return Counter(plain(span.attributes)["signal_trace.id"] for span in tops)


def visit_new_worker(server: Server, before: set[int]) -> list[Answer]:
    """Go on until somebody serves who wasn't there *before*."""
    answers: list[Answer] = []
    while not seen.processes(server) - before:
        number = REQUESTS + 1 + len(answers)
        assert number < 2_000
        answers += Visits(server.port, range(number, number + 8)).answers()
    return answers


def is_gone(process: int) -> bool:
    """Whether a process has ended, and gunicorn knows it."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_killed_worker_loses_its_own_traces_at_most(
    seeded: Path, tmp_path: Path
) -> None:
    file = tmp_path / "traces.jsonl"
    with running(seeded, tmp_path, to_file(file)) as server:
        load = visiting(server)
        load.wait_for(REQUESTS // 3)
        before = seen.processes(server)
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: is_gone(killed))
        gone_at = time.perf_counter()
        answers = load.answers() + visit_new_worker(server, before)
        server.stop()
    failed = [answer for answer in answers if answer.status != 200]
    assert {answer.status for answer in failed} <= {0}
    assert all(answer.began < gone_at for answer in failed)
    orders = seen.orders(tmp_path)
    by_process: dict[int, list[Answer]] = {}
    for answer in answers:
        if answer.order:
            process = process_of(orders[answer.order])
            by_process.setdefault(process, []).append(answer)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        lines = seen.ids_of(seen.traces(file))
    assert len([one for one in said if one.category is TraceWarning]) <= 1
    assert set(lines.values()) == {1}
    for process, served in by_process.items():
        named = seen.named_in(served)
        assert process == killed or named <= lines
    assert seen.said(server) == 0


@pytest.mark.parametrize("way", ["", "--threads=4"])
def test_nothing_is_lost_when_gunicorn_reloads(
    seeded: Path, tmp_path: Path, way: str
) -> None:
    file = tmp_path / "traces.jsonl"
    command = f"{TWO} {way} tests.load.wsgi:application"
    with running(seeded, tmp_path, to_file(file), command=command) as server:
        load = visiting(server)
        load.wait_for(REQUESTS // 3)
        before = seen.processes(server)
        server.reload()
        answers = load.answers() + visit_new_worker(server, before)
        server.stop()
    expect_answers(answers, server)
    assert seen.ids_of(seen.traces(file)) == seen.named_in(answers)
    assert seen.said(server) == 0
