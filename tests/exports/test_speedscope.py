from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from signal_trace import exports
from signal_trace.trace import Trace
from tests.traces import CHECKOUT, EMPTY, MS, traces


def document_of(*several: Trace) -> dict[str, Any]:
    text = "".join(exports.get("speedscope").pieces(several))
    found: dict[str, Any] = json.loads(text)
    return found


def stacks(profile: dict[str, Any], frames: list[dict[str, Any]]) -> list[list[str]]:
    """The names on the stack each time that a frame has been opened."""
    stack: list[int] = []
    found = []
    for event in profile["events"]:
        if event["type"] == "O":
            stack.append(event["frame"])
            found.append([frames[one]["name"] for one in stack])
        else:
            assert stack.pop() == event["frame"]
    assert not stack
    return found


def test_calls_are_on_the_stack_of_what_sent_them_concurrent_ones_on_their_own() -> (
    None
):
    document = document_of(CHECKOUT)
    assert [one["name"] for one in document["profiles"]] == [
        "POST /checkout/",
        "POST /checkout/, concurrent 1",
    ]
    top, post_save = "POST /checkout/", "post_save from shop.Order"
    announce = [top, post_save, "shop.receivers.announce"]
    placed = [*announce, "order_placed from shop.Order"]
    main, other = (
        stacks(one, document["shared"]["frames"]) for one in document["profiles"]
    )
    assert main == [
        [top],
        [top, post_save],
        announce,
        placed,
        [*placed, "shop.receivers.Mailer.send"],
        [top, post_save, "shop.receivers.take_from_stock"],
    ]
    assert other == [["shop.receivers.poll"]]


def test_times_are_those_of_the_trace() -> None:
    main, other = document_of(CHECKOUT)["profiles"]
    assert {main["unit"], other["unit"]} == {"nanoseconds"}
    assert (main["startValue"], main["endValue"]) == (0, 20 * MS)
    assert [event["at"] for event in other["events"]] == [4 * MS, 20 * MS]


def test_frames_have_a_name_a_file_and_a_line() -> None:
    frames = document_of(CHECKOUT)["shared"]["frames"]
    assert frames == [
        {"name": "POST /checkout/"},
        {"name": "post_save from shop.Order", "file": "/srv/shop/views.py", "line": 12},
        {"name": "shop.receivers.announce", "file": "shop/receivers.py", "line": 10},
        {
            "name": "order_placed from shop.Order",
            "file": "/srv/shop/receivers.py",
            "line": 14,
        },
        {"name": "shop.receivers.Mailer.send"},
        {
            "name": "shop.receivers.take_from_stock",
            "file": "shop/receivers.py",
            "line": 29,
        },
        {"name": "shop.receivers.poll", "file": "shop/receivers.py", "line": 50},
    ]


def test_sends_of_instances_are_one_frame() -> None:
    sends = tuple(
        replace(CHECKOUT.sends[1], id=pk, parent=None, calls=(), sender=f"Tag(pk={pk})")
        for pk in (1, 2)
    )
    trace = replace(CHECKOUT, sends=sends, not_called=())
    names = [one["name"] for one in document_of(trace)["shared"]["frames"]]
    assert names == ["POST /checkout/", "order_placed from Tag"]


def test_traces_share_their_frames() -> None:
    document = document_of(CHECKOUT, EMPTY, CHECKOUT)
    first, second, empty, *again = document["profiles"]
    assert again == [first, second]
    assert empty["name"] == "block"
    assert len(document["shared"]["frames"]) == 8


@pytest.mark.slow
@given(traces())
def test_events_are_balanced_and_in_order_and_none_is_missing(trace: Trace) -> None:
    document = document_of(trace)
    frames = document["shared"]["frames"]
    opened: Counter[tuple[str, int]] = Counter()
    closed: Counter[tuple[str, int]] = Counter()
    for profile in document["profiles"]:
        stacks(profile, frames)
        times = [event["at"] for event in profile["events"]]
        assert times == sorted(times)
        assert times[0] >= 0
        assert times[-1] <= profile["endValue"]
        for event in profile["events"]:
            counter = opened if event["type"] == "O" else closed
            counter[frames[event["frame"]]["name"], event["at"]] += 1
    calls = Counter((call.receiver, call.start_ns) for call in trace.calls)
    ends = Counter((call.receiver, trace.end_of(call)) for call in trace.calls)
    assert opened >= calls
    assert closed >= ends
    everything = 1 + len(trace.sends) + len(trace.calls)
    assert opened.total() == closed.total() == everything
