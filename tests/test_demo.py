"""Every page of the demo: the troubles are found, and nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from signal_trace.findings import IDS

SCRIPT = Path(__file__).with_name("demo_visits.py")

TROUBLES = SCRIPT.parent.parent / "demo" / "trouble"

pytestmark = pytest.mark.slow

Visit = dict[str, Any]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What was seen of the demo; one process visits it for all tests."""
    folder = tmp_path_factory.mktemp("demo-visits")
    environment = os.environ | {
        "DEMO_DATABASE": str(folder / "db.sqlite3"),
        "DEMO_LOG": str(folder / "demo.log"),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    finished = subprocess.run(
        [sys.executable, SCRIPT],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.fixture(scope="session")
def visits(demo: Any) -> list[Visit]:
    found: list[Visit] = demo["visits"]
    return found


def of(visits: list[Visit], *groups: str) -> list[Visit]:
    found = [visit for visit in visits if visit["group"] in groups]
    assert found
    return found


def ids(visit: Visit) -> set[str]:
    return {finding["id"] for finding in visit["findings"]}


def named(visits: list[Visit]) -> list[Visit]:
    return [
        {"page": visit["page"], "way": visit["way"], "findings": visit["findings"]}
        for visit in visits
    ]


def test_every_page_is_answered(visits: list[Visit]) -> None:
    for visit in visits:
        # The admin goes on to another page once something is saved or deleted.
        right = {200, 302} if visit["group"] == "admin" else {200}
        assert visit["status"] in right, visit["page"]


def test_every_finding_has_a_page(visits: list[Visit]) -> None:
    assert {visit["group"] for visit in of(visits, *IDS)} == set(IDS)


def test_the_start_page_leads_to_every_trouble(demo: Any) -> None:
    pages = {visit["page"].partition(" ")[2] for visit in of(demo["visits"], *IDS)}
    assert sorted(pages) == sorted(demo["links"])


def test_each_trouble_is_found(visits: list[Visit]) -> None:
    """Whether under WSGI or ASGI, and at each visit."""
    for visit in of(visits, *IDS):
        found = [one for one in visit["findings"] if one["id"] == visit["group"]]
        assert found, visit["page"]
        for finding in found:
            assert finding["receivers"], finding
            for receiver in finding["receivers"]:
                assert receiver.startswith("trouble."), finding
            assert Path(finding["file"]).parent == TROUBLES, finding
            assert str(TROUBLES.parent) not in finding["message"], finding


def test_nothing_else_is_found_of_a_trouble(demo: Any, visits: list[Visit]) -> None:
    for visit in of(visits, *IDS):
        expected = {visit["group"], *demo["also"][visit["page"]]}
        assert ids(visit) == expected, named([visit])


def test_the_page_of_repeated_calls_shows_why_one_would_care(
    visits: list[Visit],
) -> None:
    for visit in of(visits, "repeated-call"):
        assert {one["level"] for one in visit["findings"]} == {"warning"}
        assert "with 30 queries" in str(visit["findings"])


def test_nothing_is_found_of_a_healthy_page(visits: list[Visit]) -> None:
    alarms = [visit for visit in of(visits, "calm") if visit["findings"]]
    assert named(alarms) == []


def test_nothing_is_found_of_a_page_of_the_admin(visits: list[Visit]) -> None:
    alarms = [visit for visit in of(visits, "admin") if visit["findings"]]
    assert named(alarms) == []


def test_the_findings_of_a_whole_request_are_those_of_the_panel(
    visits: list[Visit],
) -> None:
    """The panel doesn't see what is before and after it, where nothing is wrong."""
    for visit in visits:
        whole = {one["id"] for one in visit["findings_of_all"]}
        assert whole == ids(visit), visit["page"]


def test_what_is_found_of_a_checkout_is_deserved(visits: list[Visit]) -> None:
    for visit in of(visits, "checkout"):
        about = {
            (finding["id"], receiver.removeprefix("shop.receivers."))
            for finding in visit["findings"]
            for receiver in finding["receivers"]
        }
        assert about >= {
            ("slow-receiver", "fraud.check_order"),
            ("swallowed-exception", "delivery.print_label"),
        }, visit["page"]


def test_what_is_found_of_an_order_that_fails_is_deserved(visits: list[Visit]) -> None:
    for visit in of(visits, "too much"):
        assert ids(visit) >= {"never-ran", "rolled-back"}, visit["page"]


def test_the_panel_counts_as_many_queries_as_the_sql_panel(visits: list[Visit]) -> None:
    differing = {
        f"{visit['page']} ({visit['way']})": (
            visit["queries"],
            visit["queries_of_sql_panel"],
        )
        for visit in visits
        if visit["queries"] != visit["queries_of_sql_panel"]
    }
    assert differing == {}
    assert sum(visit["queries"] for visit in visits) > len(visits)


def test_a_trouble_is_the_same_at_each_visit(visits: list[Visit]) -> None:
    shapes: dict[str, Any] = {}
    for visit in of(visits, *IDS):
        shape = shapes.setdefault(visit["page"], visit["shape"])
        assert visit["shape"] == shape, visit["page"]


def test_many_can_have_trouble_at_once(demo: Any) -> None:
    assert set(demo["at_once"]) == {200}


def test_no_trouble_leaves_anything_behind(demo: Any) -> None:
    assert demo["left_behind"]
    assert set(demo["left_behind"].values()) == {0}
