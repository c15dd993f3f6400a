from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings

from signal_trace import recording, sinks
from signal_trace.middleware import SignalTraceMiddleware

if TYPE_CHECKING:
    from pytest_django import Settings

    from signal_trace import Recording, Trace

OURS = "signal_trace.middleware.SignalTraceMiddleware"
TOOLBAR = "debug_toolbar.middleware.DebugToolbarMiddleware"


@pytest.fixture
def traces(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[Trace]:
    """The traces that the middleware sends, which is switched on."""
    settings.MIDDLEWARE = [OURS]
    sent: list[Trace] = []

    def submit(recording: Recording, keep: Any = None) -> None:
        sent.append(recording.trace)

    monkeypatch.setattr(sinks, "submit", submit)
    return sent


def get_async(path: str) -> Any:
    return asyncio.run(AsyncClient().get(path))  # type: ignore[arg-type]


def signals(trace: Trace) -> list[tuple[str, str, int]]:
    return sorted(
        (send.signal, send.sender.rpartition(".")[2], len(send.calls))
        for send in trace.sends
        if send.signal.startswith("tests.")
    )


EXPECTED = [
    ("tests.app.signals.closed", "a", 1),
    ("tests.app.signals.closed", "a", 1),
    ("tests.app.signals.closed", "a", 1),
    ("tests.app.signals.closed", "a", 1),
    ("tests.app.signals.opened", "a", 2),
    ("tests.app.signals.opened", "a", 2),
]


def test_a_sync_request_is_one_trace(traces: list[Trace]) -> None:
    response = Client().get("/send/a/?secret=1")
    assert response.status_code == 200
    (trace,) = traces
    assert signals(trace) == EXPECTED
    assert trace.kind == "request"
    assert trace.name == "GET /send/a/"
    assert trace.attributes == {
        "method": "GET",
        "path": "/send/a/",
        "status_code": 200,
        "route": "send/<str:name>/",
        "view": "tests.app.views.send",
    }


def test_an_async_request_is_one_trace(traces: list[Trace]) -> None:
    response = get_async("/asend/a/")
    assert response.status_code == 200
    (trace,) = traces
    assert signals(trace) == EXPECTED
    assert trace.attributes["view"] == "tests.app.views.asend"


def test_a_sync_view_under_asgi(traces: list[Trace]) -> None:
    assert get_async("/send/a/").status_code == 200
    (trace,) = traces
    assert signals(trace) == EXPECTED


def test_an_async_view_under_wsgi(traces: list[Trace]) -> None:
    assert Client().get("/asend/a/").status_code == 200
    (trace,) = traces
    assert signals(trace) == EXPECTED


def test_concurrent_async_requests_have_their_own_traces(traces: list[Trace]) -> None:
    async def get_all() -> None:
        client = AsyncClient()
        await asyncio.gather(*(client.get(f"/asend/n{n}/") for n in range(30)))  # type: ignore[arg-type]

    asyncio.run(get_all())
    assert len(traces) == 30
    for trace in traces:
        name = trace.attributes["path"].split("/")[2]
        assert {send.sender for send in trace.sends} == {f"tests.senders.{name}"}
        assert len(trace.sends) == 6


def test_a_failing_view_is_an_error_response_on_its_trace(traces: list[Trace]) -> None:
    response = Client(raise_request_exception=False).get("/fail/")
    assert response.status_code == 500
    (trace,) = traces
    assert trace.attributes["status_code"] == 500


def test_an_exception_of_an_outer_kind_passes_through(traces: list[Trace]) -> None:
    def fail(request: Any) -> HttpResponse:
        raise LookupError("below")

    with pytest.raises(LookupError, match="below"):
        SignalTraceMiddleware(fail)(RequestFactory().get("/x/"))
    (trace,) = traces
    assert trace.error is not None
    assert trace.error.type == "LookupError"


def test_a_bug_while_noting_the_response_leaves_it_unharmed(
    traces: list[Trace], monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    class Answer:
        """Not quite a response."""

    monkeypatch.setattr(recording, "_reported", set())
    answer = Answer()
    middleware = SignalTraceMiddleware(lambda request: answer)  # type: ignore[arg-type, return-value]
    assert middleware(RequestFactory().get("/x/")) is answer
    assert len(traces) == 1
    assert [record.name for record in caplog.records] == ["signal_trace.bugs"]


def test_an_unknown_page_has_no_route(traces: list[Trace]) -> None:
    assert Client().get("/nowhere/").status_code == 404
    (trace,) = traces
    assert "route" not in trace.attributes


def fail(trace: Trace) -> None:
    raise OSError("the disk is full")


def test_a_sink_that_raises_leaves_the_response_unharmed(
    settings: Settings, caplog: Any
) -> None:
    settings.MIDDLEWARE = [OURS]
    settings.SIGNAL_TRACE = {"SINKS": [{"BACKEND": f"{__name__}.fail"}]}
    for _ in range(3):
        assert Client().get("/json/a/").json() == {"name": "a"}
    assert sinks.flush(60)
    records = [record for record in caplog.records if record.name.startswith("signal")]
    assert [record.exc_info[0] for record in records] == [OSError]


def test_traces_of_the_test_client_can_be_read_after_a_flush(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.MIDDLEWARE = [OURS]
    settings.SIGNAL_TRACE = {}
    with caplog.at_level("INFO", "signal_trace"):
        Client().get("/send/a/")
        assert sinks.flush(60)
    (record,) = [record for record in caplog.records if record.name == "signal_trace"]
    assert record.getMessage().startswith("GET /send/a/: sends 6, ")


@override_settings(SIGNAL_TRACE={"ENABLED": False})
def test_disabled_it_is_not_used() -> None:
    with pytest.raises(MiddlewareNotUsed):
        SignalTraceMiddleware(lambda request: HttpResponse())


def test_the_toolbars_own_requests_are_not_sent(
    traces: list[Trace], settings: Settings
) -> None:
    settings.MIDDLEWARE = [OURS, TOOLBAR]
    Client().get("/__debug__/history_sidebar/")
    assert traces == []


def test_with_the_panel_on_every_send_is_recorded_once_and_both_get_it(
    traces: list[Trace], settings: Settings
) -> None:
    from debug_toolbar.toolbar import DebugToolbar

    from signal_trace.packing import unpack
    from signal_trace.trace import Trace as TraceClass

    settings.MIDDLEWARE = [OURS, TOOLBAR]
    response = Client().get("/send/a/")
    (trace,) = traces
    toolbar = DebugToolbar.fetch(response["djdt-request-id"], "SignalTracePanel")
    assert toolbar is not None
    stats = toolbar.get_panel_by_id("SignalTracePanel").get_stats()
    inner = unpack(TraceClass, stats["trace"])
    assert signals(trace) == signals(inner) == EXPECTED
    assert inner.attributes["outer"] == trace.id
    assert {send.signal.partition(".")[0] for send in trace.sends} == {"tests"}
