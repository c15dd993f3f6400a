"""What browser tests need: Chromium, the demo as a server, and speedscope.

Without a browser or npm these tests are skipped; with REQUIRE_BROWSER=1 they fail.
"""

from __future__ import annotations

import functools
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from weakref import WeakSet

import pytest
from hypothesis import HealthCheck, settings

import signal_trace
from signal_trace import watching
from tests.fake_clock import clock as clock
from tests.missing import missing
from tests.postgres import database as database
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tests.sent import sent as sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page

ROOT = Path(__file__).parent.parent

# How long anything takes is no reason to fail: machines are busy.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")

# Each kind of test that loads the machine by itself stays in one process, and in order.
HEAVY = ("browser", "slow")
SPEEDSCOPE = "speedscope@1.25.0"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for kind in HEAVY:
            if item.get_closest_marker(kind):
                item.add_marker(pytest.mark.xdist_group(kind))
                break


def find_chromium(download: str) -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    if not Path(download).exists():
        remedy = "install it, or set CHROMIUM to its path"
        missing("Chromium", remedy, "REQUIRE_BROWSER")
    return download


@pytest.fixture
def unpatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process without panel and middleware, where patches come out again."""
    for patches in watching._ALL:
        monkeypatch.setattr(patches, "_entrances", WeakSet())
        monkeypatch.setattr(patches, "_removals", 0)
    with signal_trace.record():
        pass  # Takes out what earlier tests have left in.


# One browser a module, not a session: while Playwright's synchronous API is open, an
# event loop counts as running in this thread, and `asyncio.run`, `async_to_sync` and
# Django's ORM refuse to work. Browser tests keep to modules of their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium
        browser = chromium.launch(
            executable_path=os.environ.get("CHROMIUM")
            or find_chromium(chromium.executable_path),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page, on which no script may fail and nothing may be missing."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(f"{message.text} ({message.location['url']})")

    with browser.new_context() as context:
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", note)
        yield page
    assert not complaints


@dataclass(frozen=True)
class DemoServer:
    url: str
    log: Path  # the demo's structured log
    output: Path  # what the server itself prints


SERVERS = {
    "wsgi": "waitress --listen=127.0.0.1:{port} config.wsgi:application",
    "asgi": "uvicorn --port={port} config.asgi:application",
}


@contextmanager
def serve_demo(flavour: str, folder: Path) -> Iterator[DemoServer]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = DemoServer(
        f"http://127.0.0.1:{port}", folder / "demo.log", folder / "server.txt"
    )
    environment = os.environ | {
        "DEMO_DATABASE": str(folder / "db.sqlite3"),
        "DEMO_LOG": str(server.log),
        "DJANGO_SETTINGS_MODULE": "tests.demo_settings",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "PYTHONUNBUFFERED": "1",
    }
    with server.output.open("w") as output:

        def start(command: str) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [sys.executable, *command.split()],
                cwd=ROOT / "demo",
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

        for command in ("manage.py migrate --verbosity=0", "manage.py seed"):
            with start(command) as process:
                assert process.wait(120) == 0, server.output.read_text()
        with start("-m " + SERVERS[flavour].format(port=port)) as process:
            try:
                wait_for(port, process, server.output)
                yield server
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()


def wait_for(port: int, process: subprocess.Popen[bytes], output: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, f"The demo ended:\n{output.read_text()}"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"The demo doesn't answer:\n{output.read_text()}")


@pytest.fixture(scope="session")
def demo_servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], DemoServer]]:
    """Give the running demo of a flavour, started when first asked for."""
    with ExitStack() as stack:

        @functools.cache
        def serve(flavour: str) -> DemoServer:
            folder = tmp_path_factory.mktemp(f"demo-{flavour}")
            return stack.enter_context(serve_demo(flavour, folder))

        yield serve


@pytest.fixture(params=SERVERS)
def demo_server(
    request: pytest.FixtureRequest, demo_servers: Callable[[str], DemoServer]
) -> Iterator[DemoServer]:
    """The demo under WSGI, then under ASGI; every test shares the two servers."""
    server = demo_servers(request.param)
    printed_before = server.output.stat().st_size
    yield server
    # Pytest shows it beside a failure, and drops it otherwise.
    print(server.output.read_text()[printed_before:])


def npm_package(name: str) -> Path:
    """Where a package from npm is, such as ``"axe-core@4.11.0"``, once fetched."""
    bare = name.partition("@")[0]
    folder = ROOT / ".cache" / name
    if not folder.exists():
        npm = shutil.which("npm")
        if npm is None:
            missing(bare, "install npm", "REQUIRE_BROWSER")
        folder.parent.mkdir(exist_ok=True)
        # Tests run side by side: others see all of it or nothing.
        with TemporaryDirectory(dir=folder.parent) as made:
            subprocess.run(
                [npm, "install", "--no-save", "--prefix", made, name], check=True
            )
            with suppress(OSError):  # Another was faster.
                (Path(made) / "node_modules").rename(folder)
    return folder / bare


@pytest.fixture(scope="session")
def speedscope() -> Path:
    """The page of speedscope's released app."""
    if "SPEEDSCOPE_DIR" in os.environ:
        package = Path(os.environ["SPEEDSCOPE_DIR"], "node_modules/speedscope")
    else:
        package = npm_package(SPEEDSCOPE)
    page = package / "dist/release/index.html"
    if not page.exists():
        missing("speedscope", "set SPEEDSCOPE_DIR to where it is", "REQUIRE_BROWSER")
    return page
