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


@contextmanager
def serve(flavour: str, folder: Path) -> Iterator[tuple[str, Path]]:
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
            [sys.executable, "-m", *SERVERS[flavour].format(port=port).split()],
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
    with serve(flavour, tmp_path) as (url, file):
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
