from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import signal_trace
from signal_trace import Trace, celery_tasks, choosing

pytest.importorskip("celery")

from celery import signals

from signal_trace.traced import innermost
from tests.app.celery import app, fail, nested, open_one, retry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

ROOT = Path(__file__).parent.parent
UID = "signal_trace.tasks"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def watched(settings: Settings) -> Iterator[None]:
    settings.SIGNAL_TRACE = {"TASKS": ["celery"]}
    celery_tasks.watch()
    yield
    signals.task_prerun.disconnect(dispatch_uid=UID)
    signals.task_postrun.disconnect(dispatch_uid=UID)
    signals.worker_process_shutdown.disconnect(dispatch_uid=UID)
    assert innermost() is None


def senders(trace: Trace) -> set[str]:
    return {send.sender.removeprefix("tests.senders.") for send in trace.sends}


@pytest.mark.usefixtures("watched")
def test_task_is_a_trace(sent: list[Trace]) -> None:
    result = open_one.apply(args=["a"])
    (trace,) = sent
    assert (trace.kind, trace.name) == ("task", "open")
    assert trace.attributes == {
        "task": "open",
        "task_id": result.id,
        "retries": 0,
        "state": "SUCCESS",
    }
    assert senders(trace) == {"a"}


@pytest.mark.usefixtures("watched")
def test_task_that_fails_is_a_trace_with_its_error(sent: list[Trace]) -> None:
    fail.apply()
    with pytest.raises(ValueError, match="it failed"):
        fail.apply(throw=True)
    assert [trace.error and trace.error.message for trace in sent] == ["it failed"] * 2


@pytest.mark.usefixtures("watched")
def test_each_try_is_a_trace(sent: list[Trace]) -> None:
    retry.apply(args=["a"])
    first, second = sent
    assert "outer" not in second.attributes
    assert (first.attributes["retries"], first.attributes["state"]) == (0, "RETRY")
    assert (second.attributes["retries"], second.attributes["state"]) == (1, "SUCCESS")
    assert first.error is None


@pytest.mark.usefixtures("watched")
def test_task_that_is_run_at_once_within_another_has_its_own_trace(
    sent: list[Trace],
) -> None:
    nested.apply(args=["outer"])
    inner, outer = sent
    assert inner.attributes["outer"] == outer.id
    assert (senders(inner), senders(outer)) == ({"inner"}, {"inner", "outer"})


@pytest.mark.usefixtures("watched")
def test_traceparent_of_a_task_is_kept_where_it_is_valid(sent: list[Trace]) -> None:
    for given in (PARENT, "00-1-2-3"):
        open_one.apply(args=["a"], headers={"traceparent": given})
    assert [trace.attributes.get("traceparent") for trace in sent] == [PARENT, None]


@pytest.mark.usefixtures("watched")
def test_task_that_never_ended_ends_as_unfinished_with_the_next(
    sent: list[Trace],
) -> None:
    request = {"id": "1", "is_eager": False, "retries": 0}
    open_one.push_request(**request)
    try:
        for task_id in ("1", "2"):
            signals.task_prerun.send(sender=open_one, task_id=task_id, task=open_one)
        signals.task_postrun.send(sender=open_one, task_id="2", state="SUCCESS")
    finally:
        open_one.pop_request()
    one, two = sent
    assert (one.attributes["task_id"], one.attributes["unfinished"]) == ("1", True)
    assert (two.attributes["task_id"], two.attributes["state"]) == ("2", "SUCCESS")
    assert "outer" not in two.attributes


@pytest.mark.usefixtures("watched")
def test_sample_and_keep_are_for_tasks_too(
    settings: Settings, sent: list[Trace], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SIGNAL_TRACE = {
        "TASKS": ["celery"],
        "SAMPLE_RATE": 0.5,
        "KEEP": {"failed": True},
    }
    monkeypatch.setattr(choosing, "draw", iter([0.9, 0.1, 0.9]).__next__)
    open_one.apply(args=["a"])
    open_one.apply(args=["b"])
    fail.apply()
    assert [trace.name for trace in sent] == ["open", "fail"]


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize(
    "given", [{}, {"TASKS": ["django"]}, {"TASKS": ["celery"], "ENABLED": False}]
)
def test_without_the_setting_there_is_no_trace(
    settings: Settings, sent: list[Trace], given: dict[str, Any]
) -> None:
    settings.SIGNAL_TRACE = given
    open_one.apply(args=["a"])
    assert sent == []


@pytest.mark.usefixtures("watched")
def test_task_within_a_recording_is_within_its_trace_too(sent: list[Trace]) -> None:
    with signal_trace.record("outer") as recording:
        open_one.apply(args=["a"])
    (trace,) = sent
    assert trace.attributes["outer"] == recording.trace.id
    assert senders(recording.trace) == {"a"}


POOLS = {
    "solo": "--pool=solo",
    "threads": "--pool=threads --concurrency=4",
    "prefork": "--pool=prefork --concurrency=2",
    # Each process ends with its task, and has to send the trace before.
    "short-lived": "--pool=prefork --concurrency=2 --max-tasks-per-child=1",
}


@contextmanager
def worker(pool: str, folder: Path) -> Iterator[Path]:
    """A worker of a process of its own, and the file that it writes its traces to."""
    for name in ("queue", "control"):
        (folder / name).mkdir()
    traces, output = folder / "traces.jsonl", folder / "output.txt"
    traces.touch()
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.celery_settings",
        "TEST_BROKER": str(folder),
        "TEST_TRACES": str(traces),
    }
    command = f"celery --app=tests.app.celery worker {POOLS[pool]}"
    flags = "--without-gossip --without-mingle --without-heartbeat"
    with (
        output.open("w") as printed,
        subprocess.Popen(
            [sys.executable, "-m", *command.split(), *flags.split()],
            cwd=ROOT,
            env=environment,
            stdout=printed,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield traces
        finally:
            process.terminate()
            process.wait(30)
            print(output.read_text())


def wait_for_traces(file: Path, count: int) -> list[Trace]:
    for _ in range(600):
        if file.read_bytes().count(b"\n") >= count:
            break
        time.sleep(0.1)
    return [Trace.from_json(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("pool", POOLS)
def test_real_worker_gives_one_trace_for_each_try_of_a_task(
    pool: str, tmp_path: Path
) -> None:
    names = [f"n{number}" for number in range(20)]
    with worker(pool, tmp_path) as file:
        broker = {
            "data_folder_in": str(tmp_path / "queue"),
            "data_folder_out": str(tmp_path / "queue"),
            "control_folder": str(tmp_path / "control"),
        }
        app.conf.broker_transport_options = broker
        with app.connection_for_write(transport_options=broker) as connection:
            ids = {
                name: open_one.apply_async([name], connection=connection).id
                for name in names
            }
            headers = {"traceparent": PARENT}
            fail.apply_async(connection=connection, headers=headers)
            retry.apply_async(["again"], connection=connection)
        traces = wait_for_traces(file, len(names) + 3)

    by_task: dict[str, list[Trace]] = {}
    for trace in traces:
        by_task.setdefault(trace.name, []).append(trace)
    opened = {trace.attributes["task_id"]: trace for trace in by_task["open"]}
    assert sorted(opened) == sorted(ids.values())
    for name, id in ids.items():
        assert senders(opened[id]) == {name}
        assert "outer" not in opened[id].attributes
    (failed,) = by_task["fail"]
    assert failed.error is not None
    assert failed.error.message == "it failed"
    assert failed.attributes["traceparent"] == PARENT
    tries = {trace.attributes["retries"]: trace for trace in by_task["retry"]}
    assert {number: one.attributes["state"] for number, one in tries.items()} == {
        0: "RETRY",
        1: "SUCCESS",
    }
    assert len(traces) == len(names) + 3
