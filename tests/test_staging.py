"""What docs/staging.md tells people to paste and to run works, step by step."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.missing import need_instrumentation
from tests.otlp import Received, receive
from tests.test_docs import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# Servers are started and stopped.
pytestmark = pytest.mark.slow

PAGE = "docs/staging.md"
FOLDER = "/var/log/mysite"
ADDRESS = "http://127.0.0.1:8000"
LOGIN = "/admin/login/"


def step(number: int) -> str:
    """The section of the page."""
    text = text_of(PAGE).partition(f"\n## {number}. ")[2]
    assert text
    return text.partition("\n## ")[0]


def pasted(number: int) -> list[tuple[str, str]]:
    """What a step has for which file."""
    return re.findall(r"<!-- (\S+) -->\n```python\n(.*?)```", step(number), re.DOTALL)


def commands(number: int, word: str) -> list[str]:
    """The commands of a step that begin with *word*."""
    found = re.findall(r"^\$ (.*)$", step(number), re.MULTILINE)
    return [command for command in found if command.split()[0] == word]


@dataclass
class Project:
    """A new project, set up as the page says, up to one of its steps."""

    folder: Path

    def follow(self, last: int) -> None:
        (self.folder / "log").mkdir()
        self.run("python -m django startproject mysite .")
        for number in range(1, last + 1):
            for file, block in pasted(number):
                block = block.replace(FOLDER, str(self.folder / "log"))
                mode = "a" if file == "settings.py" else "w"
                with (self.folder / "mysite" / file).open(mode) as opened:
                    opened.write(f"\n{block}")
        self.run("python manage.py migrate --verbosity 0")

    def run(self, command: str) -> str:
        finished = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    @contextmanager
    def serve(self, command: str, **variables: str) -> Iterator[Server]:
        """Run the page's own *command*, at an address that is free."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        variables |= {
            "GUNICORN_CMD_ARGS": f"--bind=127.0.0.1:{port}",
            "UVICORN_PORT": str(port),
        }
        output = self.folder / "output.txt"
        with (
            output.open("w") as printed,
            subprocess.Popen(
                f"exec {command}",
                shell=True,
                cwd=self.folder,
                env=environment() | variables,
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
                yield Server(f"http://127.0.0.1:{port}", output)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(30)


@dataclass
class Server:
    address: str
    output: Path

    def get(self, **headers: str) -> str:
        """The id that the response names."""
        request = urllib.request.Request(self.address + LOGIN, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return str(response.headers["X-Signal-Trace-Id"])

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of JSON that were logged, once it has ended."""
        printed = self.output.read_text().splitlines()
        return [json.loads(line) for line in printed if line.startswith("{")]

    @property
    def ids(self) -> list[str]:
        return [line["signal_trace_id"] for line in self.lines]


def environment() -> dict[str, str]:
    """With the commands of this Python first, and no settings but the project's."""
    kept = {name: value for name, value in os.environ.items() if "SETTINGS" not in name}
    return kept | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_steps_are_numbered_and_all_of_them_are_tried() -> None:
    headings = re.findall(r"^## (\d)\.", text_of(PAGE), re.MULTILINE)
    assert headings == ["1", "2", "3", "4", "5"]


def test_every_request_is_a_line(project: Project) -> None:
    project.follow(1)
    (check,) = commands(1, "python")
    assert "no issues" in project.run(check)
    (gunicorn,) = commands(1, "gunicorn")
    with project.serve(gunicorn) as server:
        named = [server.get() for _ in range(10)]
    assert sorted(server.ids) == sorted(named)
    assert {line["signal_trace_name"] for line in server.lines} == {f"GET {LOGIN}"}


@pytest.mark.parametrize("name", ["gunicorn", "uvicorn"])
def test_lines_are_of_whole_requests(project: Project, name: str) -> None:
    project.follow(2)
    (command,) = commands(2, name)
    with project.serve(command) as server:
        named = [server.get() for _ in range(10)]
    assert sorted(server.ids) == sorted(named)
    for line in server.lines:
        # Of Django's own, to `request_started` and to `request_finished`.
        assert line["signal_trace_sends"] >= 2, line
        assert line["signal_trace_attributes"]["view"] == "admin:login"


def test_little_is_said_but_what_is_asked_for(project: Project) -> None:
    project.follow(3)
    (curl,) = commands(3, "curl")
    (name, token) = re.findall(r'-H "(\S+): \$\((.*?)\)"', curl)[0]
    assert curl.endswith(f" {ADDRESS}{LOGIN}")
    (gunicorn,) = commands(2, "gunicorn")
    with project.serve(gunicorn) as server:
        for _ in range(20):
            server.get()
        asked = server.get(**{name: project.run(token).strip()})
    assert asked in server.ids
    assert len(server.lines) < 20


def test_whole_traces_are_kept_and_shown(project: Project) -> None:
    project.follow(4)
    (gunicorn,) = commands(2, "gunicorn")
    (_, token) = re.findall(r'-H "(\S+): \$\((.*?)\)"', *commands(3, "curl"))[0]
    assert "no issues" in project.run("python manage.py check")
    with project.serve(gunicorn) as server:
        asked = server.get(**{"X-Signal-Trace": project.run(token).strip()})
    show, top = commands(4, "python")
    assert f"GET {LOGIN}" in project.run(show.replace("c9122d7b", asked[:8]))
    assert "signal" in project.run(top)


def expect_one_tree_each(received: Received, count: int) -> None:
    spans = received.spans
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans)
    servers = [span for span in spans if span.kind == span.SPAN_KIND_SERVER]
    signals = [span for span in spans if span.name == "signals"]
    assert len(servers) == len(signals) == count
    assert {span.parent_span_id for span in signals} == {
        span.span_id for span in servers
    }
    for span in spans:
        if span not in servers:
            assert span.trace_id == by_id[span.parent_span_id].trace_id


@pytest.mark.parametrize("name", ["gunicorn", "uvicorn"])
def test_every_request_is_a_tree_of_spans(project: Project, name: str) -> None:
    need_instrumentation()
    project.follow(5)
    # All of them, so that there is something to see.
    settings = project.folder / "mysite/settings.py"
    settings.write_text(f'{settings.read_text()}\nSIGNAL_TRACE["SAMPLE_RATE"] = 1\n')
    (gunicorn,) = commands(5, "gunicorn")
    (uvicorn,) = commands(2, "uvicorn")
    assert f"or `{uvicorn}`" in step(5)
    with ExitStack() as stack:
        received = stack.enter_context(receive())
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
            "OTEL_SERVICE_NAME": "mysite",
        }
        command = {"gunicorn": gunicorn, "uvicorn": uvicorn}[name]
        with project.serve(command, **variables) as server:
            named = [server.get() for _ in range(5)]
    assert sorted(server.ids) == sorted(named)
    expect_one_tree_each(received, 5)
    spans = {span.span_id.hex() for span in received.spans}
    for line in server.lines:
        assert line["signal_trace_attributes"]["otel.span_id"] in spans


def test_system_checks_have_nothing_against_the_last_step(project: Project) -> None:
    need_instrumentation()
    project.follow(5)
    assert "no issues" in project.run("python manage.py check")
