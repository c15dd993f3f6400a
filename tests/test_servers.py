"""Real servers on loopback: each of many concurrent requests has its own trace."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from signal_trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
REQUESTS = 200

SERVERS = {
    "wsgi": "waitress --threads=16 --port={port} tests.app.wsgi:application",
    "asgi": "uvicorn --lifespan=off --port={port} tests.app.asgi:application",
}
VIEWS = {"wsgi": "send", "asgi": "asend"}

# With the whole of each request traced.
GUNICORN = "gunicorn --workers=2 --bind=127.0.0.1:{port}"
WHOLE = {
    "waitress": "waitress --threads=16 --port={port} tests.app.wsgi:whole",
    "gunicorn-sync": f"{GUNICORN} tests.app.wsgi:whole",
    "gunicorn-threads": f"{GUNICORN} --threads=8 --preload tests.app.wsgi:whole",
    "uvicorn": "uvicorn --port={port} tests.app.asgi:whole",
}


@contextmanager
def serve(command: str, folder: Path) -> Iterator[tuple[str, Path]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    traces = folder / "traces.jsonl"
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.server_settings",
        "TEST_DATABASE": str(folder / "db.sqlite3"),
        "TEST_TRACES": str(traces),
    }
    output = folder / "output.txt"
    with (
        output.open("w") as printed,
        subprocess.Popen(
            [sys.executable, "-m", *command.format(port=port).split()],
            cwd=ROOT,
            env=environment,
            stdout=printed,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            for _ in range(300):
                assert process.poll() is None, output.read_text()
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}", traces
        finally:
            process.terminate()
            process.wait(20)


def get(url: str) -> tuple[str, str]:
    """The body, and the toolbar's id of the request."""
    with urllib.request.urlopen(url, timeout=60) as response:
        return response.read().decode(), response.headers["djdt-request-id"]


@pytest.mark.parametrize("flavour", SERVERS)
def test_concurrent_requests_give_as_many_traces_each_with_its_own_sends(
    flavour: str, tmp_path: Path
) -> None:
    names = [f"n{number}" for number in range(REQUESTS)]
    with serve(SERVERS[flavour], tmp_path) as (url, file):
        with ThreadPoolExecutor(16) as pool:
            answers = list(
                pool.map(lambda name: get(f"{url}/{VIEWS[flavour]}/{name}/"), names)
            )
        panels = {
            name: get(
                f"{url}/__debug__/render_panel/?request_id={request_id}"
                "&panel_id=SignalTracePanel"
            )[0]
            for name, (_, request_id) in list(zip(names, answers, strict=True))[::10]
        }

        wait_for_lines(file)
    traces = [Trace.from_json(line) for line in file.read_text().splitlines()]
    assert len(traces) == REQUESTS
    assert len({trace.id for trace in traces}) == REQUESTS
    by_name = {trace.attributes["path"].split("/")[2]: trace for trace in traces}
    assert sorted(by_name) == sorted(names)
    for name, trace in by_name.items():
        check_sends(trace, name)
    for name, panel in panels.items():
        senders = re.findall(r"tests\.senders\.(\w+)", json.loads(panel)["content"])
        assert set(senders) == {name}


@pytest.mark.parametrize("flavour", WHOLE)
def test_whole_requests_are_traced_each_with_its_own_sends(
    flavour: str, tmp_path: Path
) -> None:
    names = [f"n{number}" for number in range(REQUESTS)]
    view = "astream" if flavour == "uvicorn" else "stream"

    def get_id(name: str) -> str:
        with urllib.request.urlopen(f"{url}/{view}/{name}/", timeout=60) as response:
            assert response.read() == b"one two"
            return str(response.headers["X-Signal-Trace-Id"])

    with serve(WHOLE[flavour], tmp_path) as (url, file):
        with ThreadPoolExecutor(16) as pool:
            ids = list(pool.map(get_id, names))
        wait_for_lines(file)
    lines = file.read_text().splitlines()
    traces = {trace.id: trace for trace in map(Trace.from_json, lines)}
    assert len(lines) == len(traces) == REQUESTS
    assert sorted(traces) == sorted(ids)
    for name, id in zip(names, ids, strict=True):
        trace = traces[id]
        assert trace.attributes == {
            "method": "GET",
            "path": f"/{view}/{name}/",
            "status_code": 200,
            "route": f"{view}/<str:name>/",
            "view": f"tests.app.views.{view}",
        }
        by_signal: dict[str, set[str]] = {}
        for send in trace.sends:
            by_signal.setdefault(send.signal, set()).add(send.sender)
        assert by_signal["tests.app.signals.opened"] == {f"tests.senders.{name}"}
        signals = [send.signal for send in trace.sends]
        assert signals[0] == "django.core.signals.request_started", signals
        assert signals[-1] == "django.core.signals.request_finished", signals
        assert len(signals) == 11, signals


def wait_for_lines(file: Path) -> None:
    """Traces are sent in the background, and a server that is told to end ends."""
    for _ in range(300):
        if file.read_bytes().count(b"\n") >= REQUESTS:
            break
        time.sleep(0.1)


def check_sends(trace: Trace, name: str) -> None:
    """Two sends of ``opened``, each with the one of ``closed`` in both receivers."""
    assert {send.sender for send in trace.sends} == {f"tests.senders.{name}"}
    receivers = {call.id: call.receiver.rpartition(".")[2] for call in trace.calls}
    parents = sorted(
        (send.signal.rpartition(".")[2], receivers.get(send.parent or 0, ""))
        for send in trace.sends
    )
    assert parents == [
        ("closed", "close"),
        ("closed", "close"),
        ("closed", "close_later"),
        ("closed", "close_later"),
        ("opened", ""),
        ("opened", ""),
    ]
    assert all(call.error is None and call.duration_ns for call in trace.calls)
