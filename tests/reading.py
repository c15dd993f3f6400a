"""What tests read of the views in a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from signal_trace import exports

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page

AXE = "axe-core@4.14.1"


def open_panel(page: Page) -> Locator:
    page.locator("#djdt-SignalTracePanel a").click()
    panel = page.locator(".signal-trace")
    panel.locator(".st-view").wait_for()
    return panel


def download(page: Page, panel: Locator, format: str) -> Path:
    menu = panel.locator(".st-menu")
    if menu.get_attribute("open") is None:
        menu.locator("summary").click()
    with page.expect_download() as downloading:
        label = exports.FORMATS[format].label
        panel.get_by_role("link", name=f"Download {label}", exact=True).click()
    return downloading.value.path()


def figure(panel: Locator, label: str) -> str:
    """One of the figures at the top."""
    return panel.locator(f".st-figures dt:text-is('{label}') + dd").inner_text()


def rows(panel: Locator, kind: str = ".st-row[role=treeitem]") -> list[str]:
    """The names of those rows of the timeline that are on the screen."""
    names: list[str] = panel.locator(kind).evaluate_all(
        """rows => rows.map((row) => [...row.querySelectorAll(".st-name, .st-times")]
            .map((part) => part.textContent).join(" "))"""
    )
    return names


def lit_row(panel: Locator) -> Locator:
    """The row whose facts are shown."""
    return panel.locator(".st-row[aria-selected=true]")


def details(panel: Locator) -> dict[str, str]:
    """The facts that are shown, by their labels."""
    facts = panel.locator(".st-facts")
    facts.wait_for()
    names = facts.locator("dt").all_inner_texts()
    return dict(zip(names, facts.locator("dd").all_inner_texts(), strict=True))


def choose(panel: Locator, tab: str) -> None:
    panel.get_by_role("tab", name=tab).click()


def complaints(page: Page) -> list[Any]:
    """What axe finds serious or critical in the views."""
    page.wait_for_function("() => window.axe")
    found: list[Any] = page.evaluate(
        """async () => {
            const root = document.querySelector("#djDebugRoot");
            const within = root
                ? { include: [{ fromShadowDom: ["#djDebugRoot", ".signal-trace"] }] }
                : document;
            const { violations } = await axe.run(within);
            return violations
                .filter((one) => ["serious", "critical"].includes(one.impact))
                .map((one) => [
                    one.id,
                    ...one.nodes.map(({ html, failureSummary }) =>
                        [html.slice(0, 200), failureSummary]),
                ]);
        }"""
    )
    return found
