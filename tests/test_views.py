"""The views in a real browser, of traces that no demo has."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from django.utils import translation

from signal_trace import Trace
from signal_trace.aggregates import by_app, by_receiver, by_signal
from signal_trace.parts import (
    Error,
    Event,
    Finding,
    Frame,
    NotCalled,
    Statement,
    Unreceived,
)
from tests import stage as stages
from tests.reading import choose, details, figure, lit_row, rows
from tests.traces import CHECKOUT, EMPTY, IMPORT, LARGE, saves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page
    from pytest_django import Settings

    from tests.stage import Stage

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with stages.serve() as served:
        yield served


def table(views: Locator, tab: str) -> list[list[str]]:
    """The cells of a tab's table, but for the bars of shares."""
    choose(views, tab)
    lines = views.get_by_role("tabpanel", name=tab).locator("tbody tr")
    return [line.locator("td:not(.st-share)").all_inner_texts() for line in lines.all()]


def test_like_sends_are_one_row_that_unfolds(page: Page, stage: Stage) -> None:
    views = stage.show(page, IMPORT)
    assert rows(views) == [
        "pre_save from shop.Line × 240",
        "post_save from shop.Line × 240",
    ]
    views.locator(".st-row").get_by_text("post_save").click()
    said = details(views)
    assert said["Sends"] == "240"
    assert said["Time"] == "total 2.89 ms, 0.000 ms to 0.024 ms each"
    assert "calls 240, total 2.89 ms, self 2.89 ms" in said["Receivers"]
    assert said["Arguments"].splitlines() == ["raw=False"]
    views.locator(".st-twisty").first.click()
    assert len(rows(views)) < 100  # Only those on the screen are in the page.
    first = views.get_by_role("treeitem").nth(1)
    assert first.get_attribute("aria-setsize") == "240"
    views.get_by_role("tree").focus()
    page.keyboard.press("End")
    assert rows(views)[-1] == "post_save from shop.Line × 240"


def test_the_count_of_like_sends_is_seen_whole_in_a_narrow_page(
    page: Page, stage: Stage
) -> None:
    page.set_viewport_size({"width": 420, "height": 800})
    views = stage.show(page, IMPORT)
    cell = views.locator(".st-row-run .st-cell-name").first.bounding_box()
    count = views.locator(".st-times").first.bounding_box()
    assert cell
    assert count
    assert count["x"] + count["width"] <= cell["x"] + cell["width"]


def test_a_filter_closes_the_facts_of_a_row_that_it_leaves_out(
    page: Page, stage: Stage
) -> None:
    views = stage.show(page, CHECKOUT)
    views.locator(".st-row .st-name", has_text="Mailer.send").first.click()
    views.locator(".st-facts").wait_for()
    filtered = views.get_by_role("searchbox")
    filtered.fill("Mailer")
    assert views.locator(".st-facts").is_visible()
    filtered.fill("reindex")
    assert not views.locator(".st-facts").is_visible()
    assert filtered.evaluate("one => one === document.activeElement")


def test_tables_that_come_in_an_order_of_their_own_claim_no_other(
    page: Page, stage: Stage
) -> None:
    views = stage.show(page, CHECKOUT)
    for tab in ("Not called", "Unreceived"):
        choose(views, tab)
        table = views.get_by_role("tabpanel", name=tab)
        assert table.locator("tbody tr").count()
        assert table.locator("[aria-sort]").count() == 0
        table.locator("th button").first.click()
        assert table.locator("[aria-sort=ascending]").count() == 1


def test_a_near_miss_leads_to_the_receivers_that_were_not_called(
    page: Page, stage: Stage
) -> None:
    finding = Finding("near-miss", "Near miss", "warning", "Missed.", "", (), ())
    views = stage.show(page, replace(CHECKOUT, findings=(finding,)))
    views.locator(".st-finding .st-lead").click()
    assert views.get_by_role("tabpanel", name="Not called").is_visible()


def test_a_number_does_not_break_at_its_point(page: Page, stage: Stage) -> None:
    finding = Finding("f", "Slow", "warning", "a.b took 37.17 ms.", "", (), ())
    views = stage.show(page, replace(CHECKOUT, findings=(finding,)))
    said = views.locator(".st-finding bdi").first.inner_html()
    assert "a.<wbr>b took 37.17 ms." in said


def test_a_row_that_was_scrolled_to_is_the_one_that_a_click_opens(
    page: Page, stage: Stage
) -> None:
    every = tuple(
        replace(send, call_site=Frame("a.py", line, "a"))
        for line, send in enumerate(saves(500))
    )
    views = stage.show(page, replace(EMPTY, sends=every, duration_ns=10**9))
    scroller = views.locator("[data-part=scroller]")
    scroller.evaluate("one => { one.scrollTop = 26 * 1000 }")
    row = views.locator("[data-row='1003']")
    row.wait_for()
    box = row.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 100, box["y"] + 10)
    assert lit_row(views).get_attribute("data-row") == "1003"
    assert scroller.evaluate("one => one.scrollTop") == 26 * 1000
    scroller.evaluate("one => { one.scrollTop = 26 * 500 }")
    views.get_by_role("button", name="Close").click()
    assert scroller.evaluate("one => one.scrollTop") == 26 * 500


def test_tables_are_exact_beyond_the_limit(page: Page, stage: Stage) -> None:
    views = stage.show(page, LARGE)
    assert figure(views, "Calls") == f"{LARGE.call_count:,}"
    assert "Sends beyond MAX_SENDS" in views.locator(".st-notes").inner_text()
    for tab, sums in (
        ("Receivers", by_receiver(LARGE)),
        ("Signals", by_signal(LARGE)),
        ("Apps", by_app(LARGE)),
    ):
        listed = table(views, tab)
        assert [line[:2] for line in listed] == [
            [one.name or "–", f"{one.count:,}"] for one in sums
        ]
        failed = [int(re.sub(r"\D", "", line[-1])) for line in listed]
        assert failed == [one.failures for one in sums]


def test_tables_are_sorted_by_any_column(page: Page, stage: Stage) -> None:
    views = stage.show(page, CHECKOUT)
    choose(views, "Receivers")
    panel = views.get_by_role("tabpanel", name="Receivers")
    heading = panel.get_by_role("columnheader")
    for label in panel.locator("th button").all_inner_texts():
        column = heading.filter(has_text=label).first
        column.get_by_role("button").click()
        first = column.get_attribute("aria-sort")
        order = panel.locator("tbody td:first-child").all_inner_texts()
        column.get_by_role("button").click()
        assert {first, column.get_attribute("aria-sort")} == {"ascending", "descending"}
        again = panel.locator("tbody td:first-child").all_inner_texts()
        assert sorted(order) == sorted(again)
        assert panel.locator("th[aria-sort]").count() == 1
    heading.filter(has_text="Receiver").first.get_by_role("button").click()
    names = [one.name for one in by_receiver(CHECKOUT)]
    assert panel.locator("tbody td:first-child").all_inner_texts() == sorted(names)


@pytest.mark.parametrize(
    ("tab", "name", "expected"),
    [
        ("Receivers", "shop.receivers.Mailer.send", ["Mailer.send"]),
        ("Signals", "shop.signals.order_placed", ["Mailer.send", "receivers.poll"]),
        ("Apps", "shop", None),
    ],
)
def test_a_name_in_a_table_leads_to_its_calls(
    page: Page, stage: Stage, tab: str, name: str, expected: list[str] | None
) -> None:
    views = stage.show(page, CHECKOUT)
    choose(views, tab)
    views.get_by_role("tabpanel", name=tab).get_by_role("button", name=name).click()
    assert views.get_by_role("tree").is_visible()
    shown = rows(views, ".st-row-call:not(.st-aside)")
    if expected is not None:
        assert set(shown) <= set(expected)
    assert shown
    views.get_by_role("button", name="Remove the filter").click()
    assert len(rows(views)) > len(shown)


@pytest.mark.parametrize(
    ("row", "label", "said"),
    [
        ("post_save", "Sent at", "shop/views.py:12 checkout Copy"),
        ("post_save", "Arguments", "created=True"),
        ("post_save", "Transaction", "rolled back"),
        (
            "receivers.announce",
            "Connected",
            "for shop.Order, weakly, number 1 in the order",
        ),
        (
            "receivers.announce",
            "SQL",
            "3 SQL in 2.00 ms, 1 of them writing, in sends inside",
        ),
        ("receivers.announce", "SQL repeated × 2", "SELECT COUNT(*) FROM"),
        ("receivers.take_from_stock", "Exception", "ValueError\nno stock"),
        ("receivers.take_from_stock", "Connected", "for any sender, strongly"),
        ("Mailer.send", "Time", "waiting 3.00 ms"),
        ("Mailer.send", "Source", "no source"),
        ("receivers.poll", "Outcome", "never finished"),
        ("receivers.reindex", "Why", "an earlier receiver raised"),
    ],
)
def test_a_row_opens_to_what_is_known_of_it(
    page: Page, stage: Stage, row: str, label: str, said: str
) -> None:
    views = stage.show(page, CHECKOUT)
    views.locator(".st-row .st-name", has_text=row).first.click()
    assert said in details(views)[label]


def test_findings_stand_first_and_lead_to_rows_that_are_folded_or_filtered(
    page: Page, stage: Stage
) -> None:
    hidden = IMPORT.sends[100].id
    finding = Finding("f", "Odd", "problem", "This is odd.", "Mend it.", (hidden,), ())
    every = replace(IMPORT, findings=(finding,))
    views = stage.show(page, every)
    views.get_by_role("button", name="Fold all", exact=True).click()
    views.get_by_role("searchbox").fill("nothing of the kind")
    item = views.locator(".st-finding")
    assert item.inner_text().startswith("✗ Problem This is odd.")
    item.locator(".st-lead").click()
    assert lit_row(views).get_by_text("Odd").is_visible()
    assert details(views)["Odd"].startswith("This is odd.")
    item.get_by_text("What to do").click()
    assert item.get_by_text("Mend it.").is_visible()


def test_hints_wait_behind_what_matters_more(page: Page, stage: Stage) -> None:
    def finding(level: str, number: int) -> Finding:
        return Finding("f", "F", level, f"{level} {number}", "", (), ())

    levels = ["problem"] * 2 + ["warning"] * 6 + ["hint"] * 3
    every = tuple(finding(level, number) for number, level in enumerate(levels))
    views = stage.show(page, replace(CHECKOUT, findings=every))
    assert views.locator(".st-finding").count() == 6
    views.get_by_role("button", name="More findings: 5").click()
    assert views.locator(".st-finding").count() == 11
    only_hints = replace(CHECKOUT, findings=every[-3:])
    assert stage.show(page, only_hints).locator(".st-finding").count() == 3


def test_the_focus_goes_to_what_a_button_brought_in_its_place(
    page: Page, stage: Stage
) -> None:
    evidence = tuple(call.id for send in CHECKOUT.sends for call in (send, *send.calls))
    finding = Finding("f", "F", "problem", "Odd.", "", evidence, ())
    long = Error("E", "y" * 20_000, ())
    first = replace(CHECKOUT.sends[0], error=long)
    sends = (first, *CHECKOUT.sends[1:])
    views = stage.show(page, replace(CHECKOUT, findings=(finding,) * 8, sends=sends))
    focused = page.locator(":focus")

    views.get_by_role("button", name="more: 2").first.press("Enter")
    assert focused.get_attribute("class") == "st-lead"
    views.get_by_role("button", name="More findings: 2").press("Enter")
    assert focused.inner_text().startswith("✗ Problem Odd.")
    views.locator(".st-row-send").first.click()
    views.get_by_role("button", name="Show all 20,000 characters").press("Enter")
    assert len(focused.inner_text()) == 20_000


def test_no_findings_is_one_quiet_line(page: Page, stage: Stage) -> None:
    views = stage.show(page, replace(CHECKOUT, findings=()))
    assert views.get_by_text("No findings.").is_visible()
    views = stage.show(page, EMPTY)
    assert not views.get_by_text("No findings.").is_visible()


@pytest.mark.parametrize(
    ("attributes", "stands"),
    [
        ({"method": "GET", "status_code": 200}, True),
        ({"method": "POST", "status_code": 200}, False),
        ({"method": "GET", "status_code": 404}, False),
        ({}, False),
    ],
)
def test_the_advice_on_redirects_stands_where_it_makes_sense(
    page: Page, stage: Stage, attributes: dict[str, object], stands: bool
) -> None:
    views = stage.show(page, replace(EMPTY, attributes=attributes))
    assert views.get_by_text("No receiver heard a signal here.").is_visible()
    assert views.get_by_text("open the History panel").is_visible() is stands


EVIL = "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>"
HIDDEN = "a\u202eb\u0000c\x1b[31m\ud800d\u2028e"


def bad(text: str) -> Trace:
    """A trace in which everything is called so."""
    frame = Frame(text, 1, text)
    error = Error(text, text, (frame,))
    [send, *_] = CHECKOUT.sends
    [call, *_] = send.calls
    assert call.connection is not None
    call = replace(
        call,
        receiver=text,
        file=text,
        line=1,
        error=error,
        outcome="swallowed",
        app=text,
        queries=replace(call.queries, repeated=Statement(text, 2)),
        connection=replace(call.connection, dispatch_uid=text, sender=text),
    )
    send = replace(
        send,
        signal=text,
        sender=text,
        calls=(call,),
        call_site=frame,
        stack=(frame,),
        error=error,
        arguments={text: text, "action": text, "instance": text, "__proto__": text},
    )
    missed = NotCalled(send.id, text, text, text, 1, "earlier receiver raised")
    other = NotCalled(
        None, text, text, text, 1, "connected for another sender", text, text, "child"
    )
    return replace(
        CHECKOUT,
        name=text,
        error=error,
        sends=(send,),
        attributes={"status_code": text},
        not_called=(missed, other),
        unreceived=(Unreceived(text, text, 3),),
        events=(Event("mail", text, call.id, frame, 2, False, False, (text,)),),
        findings=(
            Finding(text, text, "problem", text, text, (send.id, call.id), (text,)),
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        EVIL,
        HIDDEN,
        "שלום ולהתראות",
        "x" * 1_000_000,
        "",
        "{time} %s $& ${x}",
        "__proto__",
    ],
    ids=[
        "markup",
        "control characters",
        "right to left",
        "long",
        "empty",
        "format",
        "proto",
    ],
)
def test_whatever_things_are_called_is_text(
    page: Page, stage: Stage, text: str, settings: Settings
) -> None:
    settings.SIGNAL_TRACE = {"EDITOR_URL": "vscode://file/{file}:{line}"}
    views = stage.show(page, bad(text))
    for kind in ("send", "call", "missed"):
        views.locator(f".st-row-{kind}").first.click()
        assert details(views)
    for tab in ("Receivers", "Signals", "Apps", "Not called", "Unreceived"):
        assert table(views, tab)
    assert views.locator("img, script:not([type])").count() == 0
    assert views.locator("a:not([href^='vscode:']):not([download])").count() == 0
    seen = views.inner_text()
    assert not set(seen) & set("\u202e\u0000\x1b\u2028")
    if text == EVIL:
        assert EVIL in seen
    if text == HIDDEN:
        assert r"a\u{202e}b\u{0}c\u{1b}[31m\u{d800}d\u{2028}e" in seen
    width = views.evaluate("one => [one.scrollWidth, one.clientWidth]")
    assert width[0] <= width[1]


def test_a_long_message_is_shown_in_full_when_asked_for(
    page: Page, stage: Stage
) -> None:
    views = stage.show(page, bad("y" * 20_000))
    views.locator(".st-row-call").first.click()
    message = views.locator(".st-message")
    assert len(message.inner_text()) < 2000
    views.get_by_role("button", name="Show all 20,000 characters").first.click()
    assert len(message.inner_text()) == 20_000


def test_what_can_not_be_read_is_said(browser: Browser, stage: Stage) -> None:
    stage.put(EMPTY)
    unreadable = '"trace": {"a": 1}, "words"'
    stage.markup = re.sub(r'"trace": \{.*?"words"', unreadable, stage.markup)
    page = browser.new_page()
    with page.expect_event("pageerror"):
        page.goto(stage.url)
    assert page.get_by_text("This trace can't be shown.").is_visible()
    page.close()


def test_every_word_is_translated(
    page: Page, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With each text in marks, no letter that isn't the trace's is outside of them."""
    for name in ("gettext", "ngettext"):
        real = getattr(translation._trans, name)
        monkeypatch.setattr(
            translation._trans, name, lambda *given, real=real: f"⟦{real(*given)}⟧"
        )
    views = stage.show(page, bad("§"))
    seen = [views.inner_text()]
    for kind in ("send", "call", "missed"):
        views.locator(f".st-row-{kind}").first.click()
        seen.append(views.inner_text())
    for tab in views.get_by_role("tab").all():
        tab.click()
        seen.append(views.inner_text())
    views.get_by_role("tab").first.click()
    views.get_by_role("checkbox").check()
    views.get_by_role("spinbutton").fill("99999999")
    seen.append(views.inner_text())
    views.locator("[data-part=clear]").click()
    views.locator(".st-menu summary").click()
    seen.append(views.locator(".st-menu").inner_text())
    for name in ("aria-label", "placeholder", "title"):
        seen += views.evaluate(
            "(one, name) => [...one.querySelectorAll(`[${name}]`)]"
            ".map((each) => each.getAttribute(name))",
            name,
        )
    shown_to_nobody = views.locator(
        ".st-unseen, [hidden], .st-waiting"
    ).all_text_contents()
    seen += [text for text in shown_to_nobody if "{" not in text]
    for text in seen:
        assert untranslated(text) == ""


#: Django's, Python's and SQL's own words.
NAMES = (
    "async", "asend_robust", "send", "on_commit", "dispatch_uid", "created", "action",
    "instance", "raw", "using", "default", "update_fields", "None", "True", "False",
    "__proto__", "json",
)  # fmt: skip


def untranslated(text: str) -> str:
    while re.search(r"⟦[^⟦⟧]*⟧", text):
        text = re.sub(r"⟦[^⟦⟧]*⟧", "", text)
    text = re.sub(rf"\b({'|'.join(NAMES)})\b", "", text)
    return "".join(re.findall(r"[^\W\d_]+", text))


def test_a_big_trace_scrolls_with_few_rows_in_the_page(
    page: Page, stage: Stage
) -> None:
    sends = tuple(
        replace(send, call_site=Frame("a.py", line, "a"))
        for line, send in enumerate(saves(5000))
    )
    views = stage.show(page, replace(EMPTY, sends=sends, duration_ns=10**9))
    assert figure(views, "Calls") == "10,000"
    scroller = views.locator("[data-part=scroller]")
    for part in (0.25, 0.5, 1):
        scroller.evaluate(
            "(one, part) => { one.scrollTop = part * one.scrollHeight }", part
        )
        place = round(part * (20_000 - 1))
        views.locator(f"[data-row='{place}']").wait_for()
        assert views.get_by_role("treeitem").count() < 100
    views.get_by_role("searchbox").fill("pre_save")
    assert views.locator("[data-part=found]").inner_text() == "Found: 10,000"
