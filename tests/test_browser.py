"""The panel in a real browser, on the demo, under a strict Content Security Policy."""

from __future__ import annotations

import itertools
import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from signal_trace import Trace
from signal_trace.aggregates import by_receiver
from signal_trace.durations import shown
from tests.conftest import npm_package
from tests.reading import (
    AXE,
    choose,
    complaints,
    details,
    download,
    figure,
    lit_row,
    open_panel,
    rows,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.conftest import DemoServer

pytestmark = pytest.mark.browser

CHECK_ORDER = "shop.receivers.fraud.check_order"
PRINT_LABEL = "shop.receivers.delivery.print_label"
CHECK_ORDER_SLEEPS_MS = 40
MS = 1_000_000


def check_out(page: Page, server: DemoServer) -> None:
    page.goto(f"{server.url}/checkout/")
    page.locator("main form").get_by_role("button").first.click()
    page.wait_for_load_state()


def checkouts(server: DemoServer) -> list[dict[str, Any]]:
    """The log's lines of them; the first makes the file."""
    if not server.log.exists():
        return []
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    return [line for line in lines if line["signal_trace_name"] == "POST /checkout/"]


@pytest.fixture(params=["light", "dark"])
def themed_page(request: pytest.FixtureRequest, page: Page) -> Page:
    page.emulate_media(color_scheme=request.param)
    return page


def test_the_panel_alone_answers_what_a_new_user_asks(
    themed_page: Page, demo_server: DemoServer
) -> None:
    page = themed_page
    check_out(page, demo_server)
    panel = open_panel(page)

    # What failed, and with which exception?
    finding = panel.locator(".st-finding").first
    assert "Problem" in finding.inner_text()
    assert f"{PRINT_LABEL} raised ValueError" in finding.inner_text()
    assert figure(panel, "Failed") == "✗ 1"
    finding.get_by_role("button", name="delivery.print_label").click()
    said = details(panel)
    assert "a parcel label needs a postcode" in said["Exception"]
    assert re.search(r"receivers/delivery\.py:\d+ print_label", said["Exception"])
    assert lit_row(panel).get_by_text("swallowed ValueError").is_visible()

    # Which receiver is slowest, and what sent its signal?
    choose(panel, "Receivers")
    slowest = panel.locator("[data-part=receivers-panel] tbody tr").first
    name = slowest.locator("td").first.inner_text()
    slowest.get_by_role("button").click()
    assert set(rows(panel, ".st-row-call:not(.st-aside)")) == {
        ".".join(name.split(".")[-2:])
    }
    panel.locator(".st-row-call:not(.st-aside)").first.click()
    assert name in panel.locator(".st-details-title").inner_text()
    panel.locator(".st-details .st-link").last.click()
    assert "Sent at" in details(panel)
    panel.get_by_role("button", name="Clear").click()

    # Which SQL was repeated?
    row = panel.locator(".st-row-call", has_text="SQL ×").first
    times = row.locator(".st-tag", has_text="SQL ×").inner_text()
    row.click()
    repeated = details(panel)[times.replace("SQL ×", "SQL repeated ×")]
    assert re.match(r"(SELECT|INSERT|UPDATE) ", repeated)


def test_the_timeline_is_the_trace(page: Page, demo_server: DemoServer) -> None:
    check_out(page, demo_server)
    panel = open_panel(page)
    trace = Trace.load(download(page, panel, "json"))
    assert figure(panel, "Calls") == str(len(trace.calls))
    assert figure(panel, "In all") == shown(trace.duration_ns)
    (check,) = [call for call in trace.calls if call.receiver == CHECK_ORDER]
    assert check.duration_ns is not None
    assert check.duration_ns >= CHECK_ORDER_SLEEPS_MS * 1e6

    panel.get_by_role("searchbox").fill(CHECK_ORDER)
    row = panel.locator(".st-row-call:not(.st-aside)")
    assert row.locator(".st-cell-total").inner_text() == shown(check.duration_ns)
    axis, bar = (
        row.locator(name).bounding_box() for name in (".st-cell-bar", ".st-bar")
    )
    assert axis is not None
    assert bar is not None
    scale = axis["width"] / trace.duration_ns
    assert bar["width"] == pytest.approx(check.duration_ns * scale, abs=2)
    assert bar["x"] - axis["x"] == pytest.approx(check.start_ns * scale, abs=3)
    row.hover()
    line = panel.locator("[data-part=line]").inner_text()
    assert line.startswith(CHECK_ORDER)
    assert f"total {shown(check.duration_ns)}" in line

    choose(panel, "Receivers")
    listed = panel.locator("[data-part=receivers-panel] tbody td:first-child")
    assert listed.all_inner_texts() == [one.name for one in by_receiver(trace)]


def test_concurrent_receivers_overlap_on_the_axis(
    page: Page, demo_server: DemoServer
) -> None:
    check_out(page, demo_server)
    panel = open_panel(page)
    trace = Trace.load(download(page, panel, "json"))
    one, other = next(
        (one, other)
        for send in trace.sends
        for one, other in itertools.pairwise(send.calls)
        if other.start_ns + MS < trace.end_of(one)
    )
    ends = []
    for call in (one, other):
        panel.get_by_role("searchbox").fill(call.receiver)
        box = panel.locator(".st-row-call:not(.st-aside) .st-bar").bounding_box()
        assert box is not None
        ends.append((box["x"], box["x"] + box["width"]))
    assert ends[0][0] <= ends[1][0] < ends[0][1]


def test_what_was_asked_for_stays_when_the_panel_is_opened_again(
    page: Page, demo_server: DemoServer
) -> None:
    check_out(page, demo_server)
    panel = open_panel(page)
    panel.get_by_label("Failed only").check()
    assert rows(panel, ".st-row-call:not(.st-aside)") == ["delivery.print_label"]
    assert panel.locator("[data-part=found]").inner_text() == "Found: 1"
    check_out(page, demo_server)
    panel = open_panel(page)
    assert panel.get_by_label("Failed only").is_checked()
    assert rows(panel, ".st-row-call:not(.st-aside)") == ["delivery.print_label"]
    panel.get_by_role("button", name="Clear").click()
    panel.get_by_label("Slower than").fill("1000000")
    assert panel.get_by_text("Nothing here is what the filter asks for.").is_visible()


def test_everything_is_done_by_keys(page: Page, demo_server: DemoServer) -> None:
    check_out(page, demo_server)
    panel = open_panel(page)
    tree = panel.get_by_role("tree")
    tree.focus()
    first = tree.get_by_role("treeitem").first
    assert first.get_attribute("aria-expanded") == "true"
    before = int(first.get_attribute("aria-setsize") or 0)
    page.keyboard.press("ArrowLeft")
    assert tree.get_by_role("treeitem").first.get_attribute("aria-expanded") == "false"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    active = panel.locator(".st-active")
    assert active.get_attribute("aria-level") == "2"
    assert tree.get_attribute("aria-activedescendant") == active.get_attribute("id")
    page.keyboard.press("Enter")
    assert panel.locator(".st-details").is_visible()
    page.keyboard.press("Escape")
    assert not panel.locator(".st-details").is_visible()
    assert panel.locator(".st-view").is_visible()  # The toolbar kept it open.
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    assert active.get_attribute("aria-posinset") == active.get_attribute("aria-setsize")
    page.keyboard.press("Home")
    assert active.get_attribute("aria-setsize") == str(before)
    panel.get_by_role("button", name="Close").focus()
    page.keyboard.press("Escape")
    assert not panel.locator(".st-details").is_visible()
    assert panel.locator(".st-view").is_visible()  # The toolbar kept it open.
    panel.get_by_role("tab", name="Timeline").focus()
    page.keyboard.press("ArrowRight")
    assert panel.get_by_role("tabpanel", name="Receivers").is_visible()


def test_source_links_lead_to_the_editor_and_can_be_copied(
    page: Page, demo_server: DemoServer
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    check_out(page, demo_server)
    panel = open_panel(page)
    panel.get_by_role("searchbox").fill(CHECK_ORDER)
    panel.locator(".st-row-call:not(.st-aside)").click()
    source = panel.locator(".st-details .st-source").first
    link = source.get_by_role("link")
    assert re.fullmatch(r"shop/receivers/fraud\.py:\d+", link.inner_text())
    href = link.get_attribute("href") or ""
    assert re.fullmatch(r"vscode://file//.*/shop/receivers/fraud\.py:\d+", href)
    source.get_by_role("button").click()
    source.get_by_text("Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert f"vscode://file/{copied}" == href


def test_the_tree_is_copied_as_text(page: Page, demo_server: DemoServer) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    check_out(page, demo_server)
    panel = open_panel(page)
    panel.locator(".st-menu summary").click()
    panel.get_by_role("button", name="Copy as text").click()
    panel.get_by_text("Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == download(page, panel, "text").read_text()
    assert CHECK_ORDER in copied


def test_text_can_be_had_where_the_clipboard_can_not(
    page: Page, demo_server: DemoServer
) -> None:
    page.add_init_script("delete Navigator.prototype.clipboard")
    check_out(page, demo_server)
    panel = open_panel(page)
    panel.locator(".st-menu summary").click()
    panel.get_by_role("button", name="Copy as text").click()
    assert CHECK_ORDER in panel.locator("textarea").input_value()


def test_receivers_that_never_ran_are_shown(
    page: Page, demo_server: DemoServer
) -> None:
    page.goto(demo_server.url)
    page.get_by_role("button", name="Order too much").click()
    page.wait_for_load_state()
    panel = open_panel(page)
    panel.get_by_label("Failed only").check()
    assert "fraud.check_order" in rows(panel, ".st-row-missed")
    panel.get_by_role("button", name="Clear").click()
    choose(panel, "Not called")
    missed = panel.locator("[data-part=not-called-panel] tbody tr").first
    assert "an earlier receiver raised" in missed.inner_text()
    missed.get_by_role("button", name="order_placed").click()
    assert "order_placed" in lit_row(panel).inner_text()
    assert "stock.take_from_shelf" in rows(panel, ".st-row-call")


def test_sends_that_nobody_heard_are_listed(
    page: Page, demo_server: DemoServer
) -> None:
    check_out(page, demo_server)
    panel = open_panel(page)
    choose(panel, "Unreceived")
    listed = panel.locator("[data-part=unreceived-panel] tbody tr")
    assert "pre_init" in " ".join(listed.all_inner_texts())


def test_the_same_request_is_one_json_line_in_the_log(
    page: Page, demo_server: DemoServer
) -> None:
    earlier = len(checkouts(demo_server))
    check_out(page, demo_server)
    subtitle = page.locator("#djdt-SignalTracePanel small").inner_text()
    # It is written in the background.
    until = time.monotonic() + 10
    while len(checkouts(demo_server)) == earlier and time.monotonic() < until:
        time.sleep(0.05)
    line = checkouts(demo_server)[earlier]
    assert line["signal_trace_attributes"]["status_code"] == 200
    assert line["signal_trace_failed_receivers"] == [
        {
            "receiver": PRINT_LABEL,
            "error": "ValueError",
            "signal": "shop.signals.order_paid",
        }
    ]
    # The panel's window lies within the middleware's: the same calls.
    assert subtitle.startswith(f"{line['signal_trace_calls']} calls in ")
    assert "1 failed ⚠ " in subtitle
    assert subtitle.endswith("1 problem")


def test_earlier_requests_are_shown_from_the_history(
    page: Page, demo_server: DemoServer
) -> None:
    check_out(page, demo_server)
    page.goto(f"{demo_server.url}/healthy/")
    panel = open_panel(page)
    assert panel.get_by_text("No receiver heard a signal here.").is_visible()
    assert panel.locator("h4").inner_text().startswith("GET /healthy/")
    page.locator("#djdt-HistoryPanel a").click()
    page.locator("#djdtHistoryRequests").wait_for()
    # Until the panel's script is there its buttons send their forms themselves.
    page.wait_for_load_state("networkidle")
    request = page.locator("#djdtHistoryRequests tr", has_text="POST").first
    request.get_by_role("button", name="Switch").click()
    page.locator("#djdt-SignalTracePanel small", has_text="1 failed").wait_for()
    panel = open_panel(page)
    assert panel.locator("h4").inner_text().startswith("POST /checkout/")
    assert PRINT_LABEL in panel.locator(".st-finding").first.inner_text()


def test_a_trace_that_is_gone_is_said_to_be(
    browser: Browser, demo_server: DemoServer
) -> None:
    page = browser.new_page()  # On which something may be missing.
    page.goto(f"{demo_server.url}/healthy/")
    panel = open_panel(page)
    page.route(
        "**/signal_trace/*/text/",
        lambda route: route.continue_(
            url=re.sub(r"\w{8,}/text", "0/text", route.request.url)
        ),
    )
    panel.locator(".st-menu summary").click()
    panel.get_by_role("button", name="Copy as text").click()
    panel.get_by_text("The toolbar no longer has the trace of this request").wait_for()
    page.close()


@pytest.mark.parametrize("width", [1280, 320])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_hinders_those_who_need_help(
    browser: Browser, demo_servers: Any, theme: Any, width: int
) -> None:
    # axe itself styles what it measures, which the policy would forbid.
    with browser.new_context(bypass_csp=True, color_scheme=theme) as context:
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        check_out(page, demo_servers("wsgi"))
        panel = open_panel(page)
        page.evaluate((npm_package(AXE) / "axe.min.js").read_text())
        assert complaints(page) == []
        panel.locator(".st-lead").first.click()
        assert complaints(page) == []
        for tab in ("Receivers", "Not called", "Unreceived"):
            choose(panel, tab)
            assert complaints(page) == []
        room = panel.evaluate("one => [one.scrollWidth, one.clientWidth]")
        assert room[0] <= room[1]
