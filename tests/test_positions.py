"""What the documentation says of each position that records a request is so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.signals import got_request_exception
from django.core.wsgi import get_wsgi_application

from signal_trace.panel import SignalTracePanel
from signal_trace.wsgi import trace_requests
from tests.app.signals import closed
from tests.app.views import make_sender
from tests.test_wsgi import Server
from tests.test_wsgi import heard as heard
from tests.test_wsgi import unwatched as unwatched

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings

    from signal_trace import Trace

OURS = "signal_trace.middleware.SignalTraceMiddleware"
TOOLBAR = "debug_toolbar.middleware.DebugToolbarMiddleware"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

# By the heads of the table's columns: the middleware, and whether it is all traced.
POSITIONS = {
    "the panel": (TOOLBAR, False),
    "the middleware": (OURS, False),
    "`trace_requests`": ("", True),
    "both of these": (OURS, True),
}


class Staff:
    is_staff = True


def sending(name: str) -> Callable[[Any], Any]:
    def middleware(get_response: Any) -> Any:
        def answer(request: Any) -> Any:
            closed.send(make_sender(name))
            request.user = Staff()
            return get_response(request)

        return answer

    return middleware


before = sending("before")
after = sending("after")


def other_layer(application: Any) -> Any:
    """Answers some requests by itself."""

    def layer(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != "/static/":
            return application(environ, start_response)
        start_response("200 OK", [])
        return [b"static"]

    return layer


@pytest.fixture
def traces(sent: list[Trace], monkeypatch: pytest.MonkeyPatch) -> list[Trace]:
    """Those of the panel too."""

    def generate_stats(panel: Any, request: Any, response: Any) -> None:
        sent.append(panel.recording.trace)

    monkeypatch.setattr(SignalTracePanel, "generate_stats", generate_stats)
    return sent


def hear(sender: Any, **named: Any) -> None:
    pass


def said(here: bool | str) -> str:
    return here if isinstance(here, str) else "yes" if here else "no"


@pytest.mark.parametrize("position", POSITIONS)
def test_table_of_what_is_seen(
    position: str,
    settings: Settings,
    traces: list[Trace],
    heard: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    middleware, is_whole = POSITIONS[position]
    place = [middleware] if middleware else []
    settings.DEBUG = True
    settings.MIDDLEWARE = [f"{__name__}.before", *place, f"{__name__}.after"]
    settings.SIGNAL_TRACE = {}
    monkeypatch.setattr(got_request_exception, "receivers", [])
    got_request_exception.connect(hear)
    application = other_layer(get_wsgi_application())
    server = Server(trace_requests(application) if is_whole else application)

    def traced(path: str) -> Trace | None:
        traces.clear()
        server.get(path, HTTP_TRACEPARENT=PARENT)
        assert len(traces) < 2
        return traces[0] if traces else None

    streamed, failed, static = map(traced, ("/stream/a/", "/fail/", "/static/"))
    settings.SIGNAL_TRACE = {"SHOULD_TRACE": lambda request: request.user.is_staff}
    by_user = traced("/json/a/")
    assert streamed is not None
    assert failed is not None
    signals = [send.signal.rpartition(".")[2] for send in streamed.sends]
    senders = {send.sender.rpartition(".")[2] for send in streamed.sends}
    assert "after" in senders
    what = "those after the toolbar's" if middleware == TOOLBAR else "those after it"
    attributes = {*streamed.attributes}
    seen = {
        "`request_started`": "request_started" in signals,
        "middlewares": "before" in senders or what,
        "the view, and exceptions that leave it": (
            signals.count("opened") > 0
            and failed.attributes["status_code"] == 500
            and [send.signal for send in failed.sends].count(
                "django.core.signals.got_request_exception"
            )
            == 1
        ),
        "the body of a streaming response": signals.count("opened") == 3,
        "closing the response, `request_finished`": "request_finished" in signals,
        "`method`, `path`, `status_code`, `traceparent`": (
            attributes >= {"method", "path", "status_code", "traceparent"}
        ),
        "`route`, `view`": attributes >= {"route", "view"},
        "a user, for [`SHOULD_TRACE`](choosing.md#should_trace)": (
            middleware != TOOLBAR and by_user is not None
        ),
        "requests that other layers answer, inside of it": static is not None,
    }
    column = list(POSITIONS).index(position)
    assert {row: said(cell) for row, cell in seen.items()} == {
        row: cells[column] for row, cells in rows().items()
    }


def rows() -> dict[str, list[str]]:
    text = (Path(__file__).parent.parent / "docs/recording.md").read_text()
    lines = text[text.index("| seen of a request |") :].split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    assert cells[0][1:] == list(POSITIONS)
    return {first: others for first, *others in cells[2:]}
