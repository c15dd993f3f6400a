"""The report in a real browser: from a file, with no network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from django.utils import translation

from signal_trace.parts import Error
from tests.traces import CHECKOUT, MS, many_calls

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

    from signal_trace import Trace

pytestmark = pytest.mark.browser

ANNOUNCE = "shop.receivers.announce"
NASTY = "</script><!--<script>alert(1)</script> \u202e\x00\ud800 \"'&amp;"


def open_report(page: Page, folder: Path, trace: Trace) -> Locator:
    """Opens it, and fails if it asks for anything but itself."""
    file = folder / "report.html"
    file.write_text(trace.export("html"), encoding="utf-8")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.context.set_offline(True)
    page.goto(file.as_uri())
    page.wait_for_load_state("networkidle")
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    return page.locator("signal-trace-views")


def test_a_report_shows_the_trace_from_a_file(page: Page, tmp_path: Path) -> None:
    views = open_report(page, tmp_path, CHECKOUT)
    assert "POST /checkout/" in page.title()
    assert views.get_by_role("tab", name="Timeline").is_visible()
    tree = views.get_by_role("tree")
    assert "announce" in tree.inner_text()
    assert "reindex" in tree.inner_text()
    assert not page.locator(".st-waiting").count()
    assert not page.locator(".st-report-text").is_visible()


def test_a_reports_row_opens_to_its_facts(page: Page, tmp_path: Path) -> None:
    views = open_report(page, tmp_path, CHECKOUT)
    views.get_by_role("treeitem").filter(has_text="take_from_stock").first.click()
    facts = views.locator("[data-part=facts]")
    assert "ValueError" in facts.inner_text()


def test_a_report_gives_its_text(page: Page, tmp_path: Path) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    views = open_report(page, tmp_path, CHECKOUT)
    views.get_by_text("Export", exact=True).click()
    views.get_by_role("button", name="Copy as text").click()
    views.get_by_text("Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == CHECKOUT.export("text")


def test_a_report_without_scripts_is_its_text(browser: Browser, tmp_path: Path) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        open_report(page, tmp_path, CHECKOUT)
        assert "take_from_stock" in page.locator(".st-report-text").inner_text()
        assert not page.locator(".st-view").is_visible()


def test_a_report_is_printed_as_text(page: Page, tmp_path: Path) -> None:
    views = open_report(page, tmp_path, CHECKOUT)
    page.emulate_media(media="print")
    assert page.locator(".st-report-text").is_visible()
    assert not views.is_visible()
    page.pdf(path=tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").stat().st_size > 5_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_follows_the_readers_theme(
    page: Page, tmp_path: Path, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    open_report(page, tmp_path, CHECKOUT)
    lightness = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert (sum(lightness) > 600) is (scheme == "light")


def test_time_runs_from_left_to_right_in_any_language(
    page: Page, tmp_path: Path
) -> None:
    with translation.override("he"):
        views = open_report(page, tmp_path, CHECKOUT)
    axis, first = views.locator(".st-axis"), views.locator(".st-tick").first
    places = [
        one.evaluate(
            """one => one.getBoundingClientRect().left
            + parseFloat(getComputedStyle(one).borderLeftWidth)"""
        )
        for one in (axis, first)
    ]
    assert page.evaluate("document.dir") == "rtl"
    assert first.evaluate("one => getComputedStyle(one).borderLeftWidth") == "1px"
    assert places[1] - places[0] == pytest.approx(1)
    twisty = views.locator("[aria-expanded=true] .st-twisty").first
    assert (
        twisty.evaluate("one => getComputedStyle(one, '::before').rotate") == "-90deg"
    )


def test_whatever_a_report_names_is_text(page: Page, tmp_path: Path) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    first, *others = CHECKOUT.sends
    call = replace(first.calls[0], receiver=NASTY, app=NASTY)
    sends = (replace(first, sender=NASTY, calls=(call, first.calls[1])), *others)
    long = Error(NASTY, "x" * MS, ())
    trace = replace(CHECKOUT, name=NASTY, error=long, sends=sends)
    views = open_report(page, tmp_path, trace)
    assert views.get_by_role("tree").is_visible()
    assert "alert(1)" in views.get_by_role("heading").first.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert dialogs == []


@pytest.mark.slow
def test_a_report_of_many_calls_opens(page: Page, tmp_path: Path) -> None:
    views = open_report(page, tmp_path, many_calls(10_000, 5))
    assert "10,000" in views.locator(".st-figures").inner_text()
