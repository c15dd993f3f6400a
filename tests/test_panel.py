from __future__ import annotations

import asyncio
import html
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from debug_toolbar.store import get_store
from django.test import AsyncClient, Client
from django.utils.html import strip_tags

from signal_trace import Trace
from signal_trace.panel import SignalTracePanel
from signal_trace.parts import Finding, Queries, Statement
from tests.traces import CHECKOUT, EMPTY, IMPORT, saves

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


@every_way
def test_the_panel_shows_the_tree(way: str) -> None:
    shown = words(content(ways[way]()))
    assert "opened from tests.senders.a" in shown
    assert "closed from tests.senders.a" in shown
    for receiver in ("close", "close_later", "note"):
        assert f"tests.app.receivers.{receiver} " in shown
    assert "receivers.py:" in shown


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
    assert "opened from tests.senders.b" in words(content(response))


def test_concurrent_requests_each_show_their_own_sends() -> None:
    async def get_all() -> list[Any]:
        client = AsyncClient()
        return await asyncio.gather(
            *(client.get(f"/asend/n{n}/") for n in range(20))  # type: ignore[arg-type]
        )

    for number, response in enumerate(asyncio.run(get_all())):
        shown = words(content(response))
        senders = set(re.findall(r"from tests\.senders\.(\w+)", shown))
        assert senders == {f"n{number}"}


@pytest.mark.parametrize("format", ["json", "perfetto", "text"])
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


def test_downloads_need_no_login(settings: Settings) -> None:
    settings.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    answer = Client().get("/__debug__/signal_trace/0123456789/json/")
    assert answer.status_code == 404  # And no redirect to a login page.


def test_the_server_timing_header_survives_a_translation_with_quotes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("signal_trace.panel.gettext", lambda text: 'the "receivers"')
    assert 'desc="the receivers"' in Client().get("/send/a/")["Server-Timing"]


def test_lines_are_no_localised_numbers(settings: Settings) -> None:
    settings.USE_THOUSAND_SEPARATOR = True
    shown = content(Client().get("/send/a/"))
    assert re.search(r"receivers\.py:\d+<", shown)
    assert not re.search(r"receivers\.py:[\d]+,", shown)


def test_an_export_in_an_unknown_format_is_not_found() -> None:
    response = Client().get("/send/a/")
    link = f"/__debug__/signal_trace/{request_id(response)}/pdf/"
    assert Client().get(link).status_code == 404


def test_an_export_without_permission_is_not_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    response = Client().get("/send/a/")
    link = f"/__debug__/signal_trace/{request_id(response)}/json/"
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
    assert "opened from tests.senders.a" in words(response.text)


def test_sends_beyond_the_limit_are_counted_and_summed_up(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"MAX_SENDS": 1}
    shown = words(content(Client().get("/send/a/")))
    assert "5 sends beyond the first 1 are only counted: see below." in shown
    assert "Counted only" in shown
    assert "4 closed from tests.senders.a" in shown
    assert "1 opened from tests.senders.a" in shown


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[[Trace], str]:
    """The panel's markup for a trace, as the toolbar's store would have it."""

    def show(trace: Trace) -> str:
        response = Client().get("/send/a/")
        monkeypatch.setattr(SignalTracePanel, "trace", trace)
        return content(response)

    return show


def test_findings_come_first_as_sentences_with_their_level(
    shown: Callable[[Trace], str],
) -> None:
    text = words(shown(CHECKOUT))
    first = (
        "Problem: shop.receivers.take_from_stock raised, and 1 receiver never ran."
        " Send with send_robust, or catch the exception in the receiver."
        " Hint: shop.receivers.send_voucher listens to shop.GiftOrder."
    )
    assert first in text
    assert text.index(first) < text.index("Recorded for")


def test_no_findings_is_said_where_there_was_something_to_find_them_in(
    shown: Callable[[Trace], str],
) -> None:
    assert "No findings." in words(shown(replace(CHECKOUT, findings=())))
    assert "No findings." not in words(shown(EMPTY))


def test_a_row_that_a_finding_is_about_is_marked_with_it(
    shown: Callable[[Trace], str],
) -> None:
    rows = shown(CHECKOUT).split("<tr ")
    marked = [row for row in rows if "A receiver raised</span>" in row]
    assert len(marked) == 1
    assert "take_from_stock raised, and" in marked[0]  # In the mark's title.


@pytest.mark.parametrize(
    "said",
    [
        "from shop.Order(pk=7) created=True rolled back ✗ raised ValueError",
        "Sent at /srv/shop/views.py:12 in checkout",
        "instance=shop.Order(pk=7), created=True, raw=False",
        "Transaction rolled back",
        "3 SQL 2.00 ms",
        "SQL repeated × 2",
        'SQL executed most 2 × SELECT COUNT(*) FROM "shop_line"',
        "for shop.Order, weakly, number 1 in the order, dispatch_uid=shop.announce",
        "for any sender, strongly, number 2 in the order",
        "on_commit shop.tasks.print_label",
        "Suspended 3.00 ms",
        "shop.receivers.poll async never finished",
        "shop.receivers.reindex ✗ not called: an earlier receiver raised",
        "✗ 1 receiver was not called",
        "2 receivers are connected for other senders, and were not called",
        "were not called, 1 of them a near miss",
        "shop.GiftOrder ! near miss: its relative shop.Order sent it",
    ],
)
def test_what_is_known_is_said(shown: Callable[[Trace], str], said: str) -> None:
    assert said in words(shown(CHECKOUT))


def test_a_statement_that_was_executed_once_is_not_called_repeated(
    shown: Callable[[Trace], str],
) -> None:
    [send] = saves(1)[:1]
    [call] = send.calls
    queries = Queries(1, 1000, 6, 2000, repeated=Statement("SELECT 1", 1))
    once = replace(send, calls=(replace(call, queries=queries),))
    text = words(shown(replace(EMPTY, sends=(once,))))
    assert "1 SQL 0.001 ms + 6 inside" in text
    assert "SQL repeated" not in text


def test_what_is_not_known_takes_no_room(shown: Callable[[Trace], str]) -> None:
    [send] = saves(1)[:1]
    [call] = send.calls
    bare = replace(
        send,
        call_site=None,
        arguments={},
        transaction=None,
        queries=EMPTY.queries,
        calls=(replace(call, file=None, queries=EMPTY.queries),),
    )
    markup = shown(replace(EMPTY, sends=(bare,)))
    assert "pre<wbr>_save" in markup
    assert "<details" not in markup
    assert "<dl" not in markup
    assert " SQL" not in words(markup.partition("<tbody>")[2])


def test_like_sends_are_one_row_with_the_sums_of_their_receivers(
    shown: Callable[[Trace], str],
) -> None:
    markup = shown(IMPORT)
    assert markup.count('<tr class="st-Run">') == 2
    assert '<tr class="st-Send">' not in markup
    text = words(markup)
    assert "post_save from shop.Line × 240 0.000 ms to 0.024 ms each" in text
    assert "240 calls in 2.89 ms, 2.89 ms of their own, the longest 0.024 ms" in text


def test_a_finding_about_like_sends_is_on_their_row(
    shown: Callable[[Trace], str],
) -> None:
    every = tuple(send.id for send in IMPORT.sends)
    found = Finding("many", "So many", "warning", "Many.", "Less.", every, ())
    rows = shown(replace(IMPORT, findings=(found,))).split("<tr ")
    assert sum("So many</span>" in row for row in rows) == 2


def test_nothing_needs_what_a_content_security_policy_forbids(
    shown: Callable[[Trace], str],
) -> None:
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", shown(CHECKOUT))


def test_names_and_findings_are_escaped(shown: Callable[[Trace], str]) -> None:
    evil = "<b>bold</b>"
    [first, *others] = CHECKOUT.findings
    findings = (replace(first, title=evil, message=evil, advice=evil), *others)
    [send, *rest] = CHECKOUT.sends
    sends = (replace(send, arguments={evil: evil, "action": evil}), *rest)
    assert evil not in shown(replace(CHECKOUT, findings=findings, sends=sends))


@pytest.mark.parametrize(
    ("stats", "subtitle"),
    [
        ({"failures": 0, "findings": 0}, "4 calls in 18.00 ms"),
        ({"failures": 1, "findings": 1}, "4 calls in 18.00 ms, 1 failed, 1 finding"),
        ({"failures": 0, "findings": 2}, "4 calls in 18.00 ms, 2 findings"),
    ],
)
def test_the_subtitle_counts_what_went_wrong(
    monkeypatch: pytest.MonkeyPatch, stats: dict[str, int], subtitle: str
) -> None:
    every = {"calls": 4, "receivers_ns": 18_000_000, **stats}
    monkeypatch.setattr(SignalTracePanel, "get_stats", lambda panel: every)
    panel = SignalTracePanel(None, None)  # type: ignore[arg-type]
    assert panel.nav_subtitle == subtitle
