"""The panel in a real browser, on the demo's checkout."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from signal_trace import Trace

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from tests.conftest import DemoServer

pytestmark = pytest.mark.browser

CHECK_ORDER = "shop.receivers.fraud.check_order"
THIRD_PARTY = "simple_history.models.HistoricalRecords.post_save"
CHECK_ORDER_SLEEPS_MS = 40


def check_out(page: Page, server: DemoServer) -> None:
    page.goto(f"{server.url}/checkout/")
    page.locator("main form").get_by_role("button").first.click()
    page.wait_for_load_state()


def open_panel(page: Page) -> Locator:
    page.locator("#djdt-SignalTracePanel a").click()
    panel = page.locator(".signal-trace")
    panel.wait_for()
    return panel


def download(page: Page, panel: Locator, format: str) -> Path:
    with page.expect_download() as downloading:
        panel.get_by_role("link", name=format, exact=True).click()
    return downloading.value.path()


def row_of(panel: Locator, receiver: str) -> Locator:
    return panel.locator("tr", has=panel.page.get_by_text(receiver, exact=True)).first


def milliseconds(cell: Locator) -> float:
    return float(cell.inner_text().removesuffix(" ms").replace(",", ""))


def last_checkout(server: DemoServer) -> dict[str, Any]:
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    checkouts = [
        line for line in lines if line["signal_trace_name"] == "POST /checkout/"
    ]
    found: dict[str, Any] = checkouts[-1]
    return found


def test_the_panel_shows_the_checkouts_tree(
    page: Page, demo_server: DemoServer
) -> None:
    check_out(page, demo_server)
    panel = open_panel(page)

    slow = row_of(panel, CHECK_ORDER)
    total, own = slow.locator(".st-time").all()
    assert milliseconds(total) >= CHECK_ORDER_SLEEPS_MS
    assert milliseconds(own) == milliseconds(total)
    source = slow.locator(".st-source").inner_text()
    assert re.fullmatch(r"shop/receivers/fraud\.py:\d+", source)
    assert row_of(panel, THIRD_PARTY).is_visible()
    assert panel.get_by_text("order_placed", exact=True).first.is_visible()


def test_what_failed_and_what_was_slow_is_said_first(
    page: Page, demo_server: DemoServer
) -> None:
    check_out(page, demo_server)
    highlights = open_panel(page).locator(".st-highlights")
    failed = "shop.receivers.delivery.print_label raised ValueError"
    assert highlights.get_by_text(failed).is_visible()
    assert CHECK_ORDER in highlights.get_by_text("Slowest by self time").inner_text()


def test_a_failed_call_opens_to_its_traceback(
    page: Page, demo_server: DemoServer
) -> None:
    check_out(page, demo_server)
    failed = open_panel(page).locator("tr.st-error")
    traceback = failed.locator("pre")
    assert not traceback.is_visible()
    failed.locator("summary").click()
    assert traceback.is_visible()
    assert "ValueError: a parcel label needs a postcode" in traceback.inner_text()
    assert "print_label" in traceback.inner_text()


def test_receivers_that_never_ran_are_shown(
    page: Page, demo_server: DemoServer
) -> None:
    page.goto(demo_server.url)
    page.get_by_role("button", name="Order too much").click()
    page.wait_for_load_state()
    panel = open_panel(page)
    missed = row_of(panel, CHECK_ORDER)
    assert "not called: an earlier receiver raised" in missed.inner_text()
    highlights = panel.locator(".st-highlights").inner_text()
    assert "shop.receivers.stock.take_from_shelf raised" in highlights
    assert "announce_placed raised" not in highlights  # It only let it through.
    assert "2 receivers were not called" in highlights


def test_the_same_request_is_one_json_line_in_the_log(
    page: Page, demo_server: DemoServer
) -> None:
    check_out(page, demo_server)
    subtitle = page.locator("#djdt-SignalTracePanel small").inner_text()
    line = last_checkout(demo_server)
    assert line["signal_trace_attributes"]["status_code"] == 200
    assert line["signal_trace_failed_receivers"] == [
        {
            "receiver": "shop.receivers.delivery.print_label",
            "error": "ValueError",
            "signal": "shop.signals.order_paid",
        }
    ]
    # The panel's window lies within the middleware's: the same calls.
    assert subtitle.startswith(f"{line['signal_trace_calls']} calls in ")
    assert "1 failed" in subtitle


def test_a_download_is_the_trace_that_the_panel_shows(
    page: Page, demo_server: DemoServer
) -> None:
    check_out(page, demo_server)
    panel = open_panel(page)
    trace = Trace.load(download(page, panel, "json"))
    (check,) = [call for call in trace.calls if call.receiver == CHECK_ORDER]
    assert check.duration_ns is not None
    shown = milliseconds(row_of(panel, CHECK_ORDER).locator(".st-time").first)
    assert shown == pytest.approx(check.duration_ns / 1e6, abs=0.005)
    assert trace.attributes["outer"] == last_checkout(demo_server)["signal_trace_id"]
    assert panel.locator("tr.st-Call").count() == len(list(trace.calls))
    text = download(page, panel, "text").read_text()
    assert CHECK_ORDER in text


def test_an_earlier_request_is_shown_from_the_history(
    page: Page, demo_server: DemoServer
) -> None:
    check_out(page, demo_server)
    page.goto(f"{demo_server.url}/healthy/")
    page.locator("#djdt-HistoryPanel a").click()
    page.locator("#djdtHistoryRequests").wait_for()
    # Until the panel's script is there its buttons send their forms themselves.
    page.wait_for_load_state("networkidle")
    request = page.locator("#djdtHistoryRequests tr", has_text="POST").first
    request.get_by_role("button", name="Switch").click()
    page.locator("#djdt-SignalTracePanel small", has_text="1 failed").wait_for()
    panel = open_panel(page)
    assert row_of(panel, CHECK_ORDER).is_visible()


def test_the_export_opens_in_speedscope(
    page: Page, demo_server: DemoServer, speedscope: Path
) -> None:
    check_out(page, demo_server)
    panel = open_panel(page)
    trace = Trace.load(download(page, panel, "json"))
    exported = download(page, panel, "perfetto")

    page.set_viewport_size({"width": 1200, "height": 3000})  # It draws visible rows.
    page.goto(speedscope.as_uri())
    page.locator("input[type=file]").set_input_files(exported)
    page.get_by_text("Sandwich").click()
    page.get_by_text(CHECK_ORDER).wait_for()
    table = page.locator("table").last.inner_text()
    receivers = {call.receiver for call in trace.calls}
    # These ran while another async receiver did, and so are on the second track.
    concurrent = {
        "shop.receivers.warehouse.book_parcel",
        "shop.receivers.audit.note_parcel",
    }
    assert {one for one in receivers if one in table} == receivers - concurrent
    row = page.locator("tr", has_text=CHECK_ORDER).inner_text()
    (check,) = [call for call in trace.calls if call.receiver == CHECK_ORDER]
    assert check.duration_ns is not None
    shown = [float(ms) for ms in re.findall(r"([\d.]+)ms", row)]
    assert shown[0] == pytest.approx(check.duration_ns / 1e6, abs=0.01)
