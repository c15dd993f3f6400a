"""A page with the views of any trace, as a panel has them, served under a strict
Content Security Policy."""

from __future__ import annotations

import functools
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from django.template.loader import render_to_string

import signal_trace
from signal_trace.packing import pack
from signal_trace.screen import Download, screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

    from signal_trace import Trace

PACKAGE = Path(signal_trace.__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:;"
    " connect-src 'self'"
)
PAGE = """<!doctype html>
<html lang="en"><head><title>x</title><link rel="icon" href="data:,"></head>
<body>{}<script type="module" src="/static/signal_trace/start.js"></script></body>
</html>"""


class Stage:
    """Serves one page, that of the trace which was last put on it."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}/"
        self.markup = ""

    def put(self, trace: Trace) -> None:
        context = screen(
            pack(trace),
            downloads=[Download("json", "json")],
            text_url="text",
            in_toolbar=True,
        )
        self.markup = render_to_string("signal_trace/panel.html", context)

    def show(self, page: Page, trace: Trace) -> Locator:
        self.put(trace)
        page.goto(self.url)
        views = page.locator(".signal-trace")
        views.locator(".st-view").wait_for()
        return views


@contextmanager
def serve() -> Iterator[Stage]:
    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/":
                return super().do_GET()
            body = PAGE.format(stage.markup).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", POLICY)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return None

        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Handler, directory=PACKAGE)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        stage = Stage(server)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield stage
        server.shutdown()
        thread.join()
