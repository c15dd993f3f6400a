from __future__ import annotations

import asyncio
import html
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from debug_toolbar.store import get_store
from django.template.loader import render_to_string
from django.test import AsyncClient, Client
from django.utils import translation
from django.utils.html import strip_tags

from signal_trace import Trace, exports
from signal_trace.packing import pack, unpack
from signal_trace.panel import SignalTracePanel
from signal_trace.parts import Error
from signal_trace.screen import screen
from signal_trace.words import texts
from tests.traces import CHECKOUT, EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings


@pytest.fixture(autouse=True)
def toolbar(settings: Settings) -> None:
    settings.MIDDLEWARE = ["debug_toolbar.middleware.DebugToolbarMiddleware"]


def get_async(path: str) -> Any:
    return asyncio.run(AsyncClient().get(path))  # type: ignore[arg-type]


def request_id(response: Any) -> str:
    found: str = response["djdt-request-id"]
    return found


def stats(response: Any) -> dict[str, Any]:
    found: dict[str, Any] = get_store().panel(request_id(response), "SignalTracePanel")
    return found


def content(response: Any) -> str:
    """The panel as the toolbar loads it: from the store, by another request."""
    answer = Client().get(
        "/__debug__/render_panel/",
        {"request_id": request_id(response), "panel_id": "SignalTracePanel"},
    )
    found: str = answer.json()["content"]
    return found


def words(markup: str) -> str:
    return " ".join(html.unescape(strip_tags(markup)).split())


ways: dict[str, Callable[[], Any]] = {
    "wsgi": lambda: Client().get("/send/a/"),
    "asgi": lambda: get_async("/asend/a/"),
    "sync view under asgi": lambda: get_async("/send/a/"),
    "async view under wsgi": lambda: Client().get("/asend/a/"),
}
every_way = pytest.mark.parametrize("way", ways)


def data(response: Any) -> dict[str, Any]:
    """What the panel gives to its scripts."""
    [found] = re.findall(
        r'<script id="signal-trace-data" type="application/json">(.*?)</script>',
        content(response),
        re.DOTALL,
    )
    read: dict[str, Any] = json.loads(found)
    return read


def trace_of(response: Any) -> Trace:
    return unpack(Trace, data(response)["trace"])


@every_way
def test_the_panel_has_the_trace(way: str) -> None:
    trace = trace_of(ways[way]())
    assert {send.sender for send in trace.sends} == {"tests.senders.a"}
    assert {call.receiver for call in trace.calls} == {
        f"tests.app.receivers.{name}" for name in ("close", "close_later", "note")
    }


@every_way
def test_the_subtitle_is_true(way: str) -> None:
    response = ways[way]()
    recorded = stats(response)
    ((calls, time),) = re.findall(r"(\d+) calls in ([\d.]+) ms", response.text)
    assert int(calls) == recorded["calls"] == 8
    assert float(time) == pytest.approx(recorded["receivers_ns"] / 1e6, abs=0.005)


@every_way
def test_the_server_timing_header_has_the_time_of_receivers(way: str) -> None:
    response = ways[way]()
    timing = re.search(
        r'SignalTracePanel_receivers;dur=([\d.]+);desc="Signal receivers"',
        response["Server-Timing"],
    )
    assert timing is not None
    recorded = stats(response)["receivers_ns"] / 1e6
    assert float(timing[1]) == pytest.approx(recorded, abs=0.001)


def test_a_json_response_is_in_the_history() -> None:
    response = Client().get("/json/b/")
    assert response.json() == {"name": "b"}
    answer = Client().get(
        "/__debug__/history_sidebar/",
        {"request_id": request_id(response), "exclude_history": True},
    )
    panel = answer.json()["SignalTracePanel"]
    assert "4 calls in" in words(panel["button"])
    assert trace_of(response).name == "GET /json/b/"


def test_concurrent_requests_each_show_their_own_sends() -> None:
    async def get_all() -> list[Any]:
        client = AsyncClient()
        return await asyncio.gather(
            *(client.get(f"/asend/n{n}/") for n in range(20))  # type: ignore[arg-type]
        )

    for number, response in enumerate(asyncio.run(get_all())):
        senders = {send.sender for send in trace_of(response).sends}
        assert senders == {f"tests.senders.n{number}"}


@pytest.mark.parametrize("format", exports.FORMATS)
def test_every_export_can_be_downloaded(format: str) -> None:
    response = Client().get("/send/a/")
    (link,) = re.findall(
        rf'href="(/__debug__/signal_trace/\w+/{format}/)"', content(response)
    )
    download = Client().get(link)
    assert download.status_code == 200
    assert download["Content-Disposition"].startswith('attachment; filename="signal-')
    assert "tests.senders.a" in download.text


def test_the_json_export_is_the_trace() -> None:
    response = Client().get("/send/a/")
    link = f"/__debug__/signal_trace/{request_id(response)}/json/"
    download = Client().get(link)
    trace = Trace.from_json(download.text)
    assert trace.name == "GET /send/a/"
    assert len(list(trace.calls)) == stats(response)["calls"]
    assert json.loads(download.text)["kind"] == "request"


def test_an_export_that_the_store_no_longer_has_says_so() -> None:
    gone = Client().get("/__debug__/signal_trace/0123456789/json/")
    assert gone.status_code == 404
    assert "no longer has the trace of this request" in gone.text


@every_way
def test_the_trace_knows_how_the_request_was_answered(way: str) -> None:
    link = f"/__debug__/signal_trace/{request_id(ways[way]())}/json/"
    attributes = Trace.from_json(Client().get(link).text).attributes
    assert attributes["status_code"] == 200
    assert attributes["view"].startswith("tests.app.views.")


def test_downloads_and_scripts_need_no_login(settings: Settings) -> None:
    settings.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    answer = Client().get("/__debug__/signal_trace/0123456789/json/")
    assert answer.status_code == 404  # And no redirect to a login page.
    assert Client().get("/__debug__/signal_trace/views.js").status_code == 200


def test_the_server_timing_header_survives_a_translation_with_quotes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("signal_trace.panel.gettext", lambda text: 'the "receivers"')
    assert 'desc="the receivers"' in Client().get("/send/a/")["Server-Timing"]


def test_an_export_in_an_unknown_format_is_not_found() -> None:
    response = Client().get("/send/a/")
    link = f"/__debug__/signal_trace/{request_id(response)}/pdf/"
    assert Client().get(link).status_code == 404


@pytest.mark.parametrize("link", ["views.js", "{}/json/", "{}/html/", "{}/pdf/"])
def test_without_permission_nothing_is_found(
    monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    response = Client().get("/send/a/")
    link = f"/__debug__/signal_trace/{link.format(request_id(response))}"
    monkeypatch.setattr(
        "debug_toolbar.middleware.show_toolbar_func_or_path",
        lambda: lambda request: False,
    )
    assert Client().get(link).status_code == 404


def test_a_panel_that_the_user_switched_off_records_nothing() -> None:
    client = Client()
    client.cookies["djdtSignalTracePanel"] = "off"
    response = client.get("/send/a/")
    assert response.status_code == 200
    assert stats(response) == {}
    assert "calls in" not in response.text


def test_disabled_by_the_settings_it_records_nothing(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"ENABLED": False}
    response = Client().get("/send/a/")
    assert stats(response) == {}
    assert "was not recorded" in words(content(response))


def test_a_failing_view_is_still_answered() -> None:
    response = Client(raise_request_exception=False).get("/fail/")
    assert response.status_code == 500
    answer = get_async_failing()
    assert answer.status_code == 500


def get_async_failing() -> Any:
    return asyncio.run(AsyncClient(raise_request_exception=False).get("/fail/"))  # type: ignore[arg-type]


def test_the_panel_with_the_toolbar_rendering_everything_at_once(
    settings: Settings,
) -> None:
    settings.DEBUG_TOOLBAR_CONFIG = {
        **settings.DEBUG_TOOLBAR_CONFIG,
        "RENDER_PANELS": True,
    }
    response = Client().get("/send/a/")
    assert '<script id="signal-trace-data"' in response.text
    assert '/signal_trace/views.js"' in response.text


def test_the_page_itself_grows_by_no_more_than_title_and_subtitle() -> None:
    client = Client()
    with_panel = client.get("/send/a/").text
    client.cookies["djdtSignalTracePanel"] = "off"
    without = client.get("/send/a/").text
    assert "signal-trace" not in with_panel
    assert len(with_panel) - len(without) < 1000


def test_a_trace_that_the_toolbar_no_longer_has_is_said_to_be_gone() -> None:
    answer = Client().get(
        "/__debug__/render_panel/",
        {"request_id": "0123456789", "panel_id": "SignalTracePanel"},
    )
    assert "available anymore" in words(answer.json()["content"])


def test_nothing_needs_what_a_content_security_policy_forbids() -> None:
    markup = content(Client().get("/send/a/"))
    scripts = re.findall(r"<script[^>]*>", markup)
    assert scripts == ['<script id="signal-trace-data" type="application/json">']
    assert not re.search(r"<style|\sstyle=|\son\w+=", markup)


def test_what_the_application_calls_things_ends_no_script() -> None:
    evil = "</script><script>alert(1)</script><!--"
    error = Error(evil, evil, ())
    trace = replace(CHECKOUT, name=evil, error=error)
    markup = render_to_string("signal_trace/panel.html", screen(pack(trace)))
    assert evil not in markup
    assert markup.count("</script>") == 1


def test_texts_come_in_the_readers_language() -> None:
    with translation.override("de"):
        settings = json.loads(screen(pack(EMPTY))["data"])["settings"]
    assert settings["language"] == "de"


def test_every_text_can_be_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    marked = lambda text: f"⟦{text}⟧"  # noqa: E731
    monkeypatch.setattr("signal_trace.words.gettext", marked)
    for name, text in texts().items():
        assert text.startswith("⟦"), name


def test_the_editor_is_the_projects(settings: Settings) -> None:
    response = Client().get("/send/a/")
    assert data(response)["settings"]["editor"] is None
    settings.SIGNAL_TRACE = {"EDITOR_URL": "vscode://file/{file}:{line}"}
    assert data(response)["settings"]["editor"] == "vscode://file/{file}:{line}"


@pytest.mark.parametrize(
    ("stats", "subtitle"),
    [
        ((0, 0, 0), "4 calls in 18.00 ms"),
        ((1, 1, 0), "4 calls in 18.00 ms, 1 failed • 1 finding"),
        ((0, 2, 1), "4 calls in 18.00 ms ⚠ 2 findings, 1 problem"),
    ],
)
def test_the_subtitle_counts_what_went_wrong(
    monkeypatch: pytest.MonkeyPatch, stats: tuple[int, int, int], subtitle: str
) -> None:
    counts = zip(("failures", "findings", "problems"), stats, strict=True)
    every = {"calls": 4, "receivers_ns": 18_000_000, **dict(counts)}
    monkeypatch.setattr(SignalTracePanel, "get_stats", lambda panel: every)
    panel = SignalTracePanel(None, None)  # type: ignore[arg-type]
    assert panel.nav_subtitle == subtitle
