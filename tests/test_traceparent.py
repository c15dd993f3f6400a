from __future__ import annotations

import pytest
from django.test import RequestFactory

from signal_trace.requests import record_request
from signal_trace.traceparent import valid

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{PARENT}-01"


@pytest.mark.parametrize(
    "given",
    [GOOD, f"00-{TRACE}-{PARENT}-00", f"cc-{TRACE}-{PARENT}-ff"],
)
def test_valid(given: str) -> None:
    assert valid(given) == given


def test_later_version_may_say_more() -> None:
    assert valid(f"cc-{TRACE}-{PARENT}-01-what-ever") == (
        f"cc-{TRACE}-{PARENT}-01-what-ever"
    )


def test_white_space_around_is_no_part_of_it() -> None:
    assert valid(f" {GOOD}\t") == GOOD


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "00",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}0-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-011",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"0-{TRACE}-{PARENT}-01",
        f"{GOOD}-more",
        f"{GOOD}-",
        f"{GOOD},{GOOD}",
        f"cc-{TRACE}-{PARENT}-01.more",
        f"cc-{TRACE}-{PARENT}-01-{'x' * 200}",
        f"00-{TRACE}-{PARENT}-0١",
        f"{GOOD}\n",
        f"00_{TRACE}_{PARENT}_01",
    ],
)
def test_not_valid(given: str | None) -> None:
    assert valid(given) is None


def test_request_keeps_it_where_it_is_valid() -> None:
    request = RequestFactory().get("/a/?b=c", headers={"traceparent": GOOD})
    assert record_request(request).attributes["traceparent"] == GOOD
    request = RequestFactory().get("/a/?b=c", headers={"traceparent": "00-1-2-3"})
    assert "traceparent" not in record_request(request).attributes
