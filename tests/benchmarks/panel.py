"""Measure the panel: what it stores of 10,000 calls, and how soon a browser shows them.

    python tests/benchmarks/panel.py CHECKOUT CALLS TIMES

Prints as JSON, by the names that `promised` knows, what was measured each time. The
project is one page with the toolbar, which this process serves. Without Chromium only
that is measured which needs none.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [*sys.argv[1:2], str(ROOT)]

import django  # noqa: E402
from django.conf import settings  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page

Samples = dict[str, list[float]]

CLICK = """async () => {
    const root = document.querySelector("#djDebugRoot")?.shadowRoot ?? document;
    const start = performance.now();
    const drawn = new Promise((resolve) => {
        new PerformanceObserver((list) => {
            if (list.getEntriesByName("signal-trace-drawn").length) resolve();
        }).observe({ entryTypes: ["mark"] });
    });
    root.querySelector("#djdt-SignalTracePanel a").click();
    await drawn;
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    const end = performance.now();
    const answer = performance.getEntriesByType("resource")
        .findLast((one) => one.name.includes("render_panel"));
    return [end - start, end - answer.responseEnd];
}"""

TYPE = """async (text) => {
    const root = document.querySelector("#djDebugRoot")?.shadowRoot ?? document;
    const input = root.querySelector("[data-part=filter-text]");
    const painted = (done) => requestAnimationFrame(() => setTimeout(done));
    const took = [];
    for (let end = 1; end <= text.length; end++) {
        const start = performance.now();
        input.value = text.slice(0, end);
        input.dispatchEvent(new InputEvent("input", { bubbles: true }));
        await new Promise(painted);
        took.push(performance.now() - start);
    }
    input.value = "";
    input.dispatchEvent(new InputEvent("input", { bubbles: true }));
    return Math.max(...took);
}"""

# A third of a screen for each frame, as a finger makes it at its fastest.
SCROLL = """async () => {
    const root = document.querySelector("#djDebugRoot")?.shadowRoot ?? document;
    let scroller = root.querySelector("[data-part=scroller]");
    const frames = [];
    let last = await new Promise(requestAnimationFrame);
    for (let i = 0; i < 90; i++) {
        scroller.scrollTop += 150;
        const now = await new Promise(requestAnimationFrame);
        frames.push(now - last);
        last = now;
    }
    if (scroller.scrollTop < 1000) throw new Error(`scrolled to ${scroller.scrollTop}`);
    return Math.max(...frames);
}"""


def set_up() -> None:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
        },
        DEBUG=True,
        DEBUG_TOOLBAR_CONFIG={"SHOW_TOOLBAR_CALLBACK": lambda request: True},
        DEBUG_TOOLBAR_PANELS=["signal_trace.panel.SignalTracePanel"],
        INSTALLED_APPS=["django.contrib.staticfiles", "debug_toolbar", "signal_trace"],
        MIDDLEWARE=["debug_toolbar.middleware.DebugToolbarMiddleware"],
        ROOT_URLCONF="tests.benchmarks.panel_urls",
        SECRET_KEY="x",
        STATIC_URL="/static/",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
            }
        ],
        USE_TZ=True,
    )
    django.setup()


def stored(calls: int, per_send: int, times: int) -> Samples:
    """How many bytes the panel stores of so many calls, and how many milliseconds of
    the processor's time it takes to make them of the trace and to store them."""
    from debug_toolbar.toolbar import DebugToolbar
    from django.http import HttpResponse
    from django.test import RequestFactory

    import signal_trace
    from signal_trace.panel import SignalTracePanel
    from tests.benchmarks.panel_urls import send_many

    request = RequestFactory().get("/")
    with signal_trace.record() as recording:
        send_many(calls, per_send)
    assert recording.trace.call_count == calls
    sizes, took = [], []
    for _ in range(times):
        toolbar = DebugToolbar(request, lambda request: HttpResponse())
        toolbar.init_store()
        panel: Any = toolbar.get_panel_by_id(SignalTracePanel.panel_id)
        panel.recording = recording
        gc.collect()
        start = time.process_time_ns()
        panel.generate_stats(request, HttpResponse())
        took.append((time.process_time_ns() - start) / 1e6)
        store: Any = toolbar.store
        sizes.append(len(store._request_store[toolbar.request_id][panel.panel_id]))
    return {f"size-{per_send}": sizes, f"made-{per_send}": took}


def grown(calls: int) -> Samples:
    """How many bytes longer a page with the toolbar is for so many calls."""
    from django.test import Client

    pages = [Client().get(f"/{count}/1/").content for count in (calls, 1)]
    assert all(b"djdt-SignalTracePanel" in page for page in pages)
    return {"grown": [len(pages[0]) - len(pages[1])]}


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[str]:
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.wsgi import get_wsgi_application

    application = StaticFilesHandler(get_wsgi_application())
    server = make_server("127.0.0.1", 0, application, Server, Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def browser_page(chromium: str) -> Iterator[Callable[[], Page]]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        # A context each time, so that nothing is in a cache.
        yield lambda: browser.new_context(
            viewport={"width": 1280, "height": 800}
        ).new_page()
        browser.close()


def shown(calls: int, times: int, chromium: str) -> Samples:
    """How many milliseconds a browser takes for a panel of so many calls."""
    samples: Samples = {name: [] for name in ("opened", "drawn", "typed", "scrolled")}
    with serving() as url, browser_page(chromium) as new_page:
        for _ in range(times):
            page = new_page()
            page.goto(f"{url}/{calls}/1/")
            page.locator("#djdt-SignalTracePanel").wait_for()
            from_click, from_answer = page.evaluate(CLICK)
            samples["opened"].append(from_click)
            samples["drawn"].append(from_answer)
            samples["typed"].append(page.evaluate(TYPE, "Order"))
            samples["scrolled"].append(page.evaluate(SCROLL))
            page.context.close()
    return samples


def main(calls: int, times: int) -> None:
    set_up()
    samples = {**stored(calls, 1, times), **stored(calls, 5, times), **grown(calls)}
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium:
        samples |= shown(calls, times, chromium)
    print(json.dumps(samples))


if __name__ == "__main__":
    main(*map(int, sys.argv[2:]))
