"""Starts and stops servers of the demo, each with a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

GUNICORN = (
    "gunicorn --no-control-socket --bind=127.0.0.1:{port} --graceful-timeout=30"
    " --log-level=warning"
)
UVICORN = "uvicorn --port={port} --log-level=warning --no-access-log"

SEED = """
import sys
import django
from django.core.management import call_command
django.setup()
call_command("migrate", verbosity=0, skip_checks=True)
call_command("seed", skip_checks=True)
from shop.models import Customer
Customer.objects.update(postcode=sys.argv[1])
"""

Settings = dict[str, Any]


@dataclass(frozen=True)
class Server:
    """A server, and the files in its *folder*."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    @property
    def output(self) -> str:
        """What the server itself has printed."""
        return (self.folder / "output.txt").read_text()

    @property
    def log(self) -> list[dict[str, Any]]:
        """The records of its log, as it is now."""
        file = self.folder / "demo.log"
        lines = file.read_text().splitlines() if file.exists() else []
        return [json.loads(line) for line in lines]

    def reload(self) -> None:
        """Have gunicorn replace its workers."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """Let it come to its end."""
        self.process.terminate()
        self.process.wait(60)


@contextmanager
def serve(
    command: str,
    folder: Path,
    seeded: Path,
    tracing: Settings | None,
    **variables: str,
) -> Iterator[Server]:
    """Serve the demo, with a copy of a database that is *seeded*."""
    folder.mkdir(exist_ok=True)
    shutil.copyfile(seeded, folder / "db.sqlite3")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    if tracing is not None:
        variables["LOAD_TRACING"] = json.dumps(tracing)
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command.format(port=port).split()],
            cwd=ROOT / "demo",
            env=_environment(folder / "db.sqlite3", folder / "demo.log") | variables,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # A group, to be killed as a whole.
        )
    server = Server(process, port, folder)
    with process:
        try:
            yield server
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_for(server: Server) -> None:
    """Wait until it answers."""
    for _ in range(600):
        assert server.process.poll() is None, server.output
        try:
            socket.create_connection(("127.0.0.1", server.port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"The server doesn't answer:\n{server.output}")


def seed(folder: Path, postcode: str = "") -> Path:
    """A database of the demo. With a *postcode* of its customer nothing fails."""
    database = folder / "seeded.sqlite3"
    subprocess.run(
        [sys.executable, "-c", SEED, postcode],
        cwd=ROOT / "demo",
        env=_environment(database, folder / "seed.log")
        | {"DJANGO_SETTINGS_MODULE": "config.settings"},
        check=True,
        capture_output=True,
    )
    return database


def _environment(database: Path, log: Path) -> dict[str, str]:
    paths = [str(ROOT), str(ROOT / "demo"), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "DEMO_DATABASE": str(database),
        "DEMO_LOG": str(log),
        "DJANGO_SETTINGS_MODULE": "tests.load.settings",
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
    }
