from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_trace import exports
from signal_trace.documents import to_plain
from signal_trace.parts import Call, Queries, Send
from signal_trace.trace import Trace
from tests.traces import CHECKOUT, EMPTY, IMPORT, LARGE, traces


def events_of(trace: Trace, phase: str = "X") -> list[dict[str, Any]]:
    document = json.loads(trace.export("perfetto"))
    return [event for event in document["traceEvents"] if event["ph"] == phase]


def interval(event: dict[str, Any]) -> tuple[int, int]:
    """The event's start and end in nanoseconds."""
    return round(event["ts"] * 1000), round((event["ts"] + event["dur"]) * 1000)


def uniquely_named(trace: Trace) -> Trace:
    return replace(
        trace,
        name="trace",
        sends=tuple(
            replace(
                send,
                signal="signal",
                sender=f"{send.id}",
                calls=tuple(
                    replace(call, receiver=f"{call.id}") for call in send.calls
                ),
            )
            for send in trace.sends
        ),
    )


def id_of(event: dict[str, Any]) -> int | None:
    """The id of the send or call of a `uniquely_named` trace, None for the trace."""
    if event["cat"] == "trace":
        return None
    return int(event["name"].rpartition(" ")[2])


def ancestors(trace: Trace) -> dict[int | None, set[int | None]]:
    found: dict[int | None, set[int | None]] = {None: set()}
    for send in trace.sends:
        found[send.id] = {send.parent, *found[send.parent]}
        for call in send.calls:
            found[call.id] = {send.id, *found[send.id]}
    return found


@pytest.mark.slow
@given(traces())
def test_everything_is_there_once_with_its_times(trace: Trace) -> None:
    trace = uniquely_named(trace)
    nodes: list[Send | Call] = [*trace.sends, *trace.calls]
    expected: dict[object, tuple[int, int]] = {None: (0, trace.duration_ns)}
    expected |= {one.id: (one.start_ns, trace.end_of(one)) for one in nodes}
    events = events_of(trace)
    assert len(events) == len(expected)
    assert {id_of(event): interval(event) for event in events} == expected


def stretched(trace: Trace, factor: int) -> Trace:
    """The same with all times so many times as long."""

    def longer(ns: int | None) -> int | None:
        return None if ns is None else ns * factor

    return replace(
        trace,
        duration_ns=trace.duration_ns * factor,
        sends=tuple(
            replace(
                send,
                start_ns=send.start_ns * factor,
                duration_ns=longer(send.duration_ns),
                calls=tuple(
                    replace(
                        call,
                        start_ns=call.start_ns * factor,
                        duration_ns=longer(call.duration_ns),
                    )
                    for call in send.calls
                ),
            )
            for send in trace.sends
        ),
    )


def as_viewers_add(events: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """From when to when each event of a track is, as floating point numbers make it:
    speedscope even counts from the first one."""
    first = events[0]["ts"]
    starts = [event["ts"] - first for event in events]
    return [
        (start, start + event["dur"])
        for start, event in zip(starts, events, strict=True)
    ]


@pytest.mark.slow
@given(traces(), st.sampled_from([1, 7, 997, 12_345_677]))
def test_events_of_a_track_nest_as_the_tree_does(trace: Trace, factor: int) -> None:
    trace = stretched(uniquely_named(trace), factor)
    above = ancestors(trace)
    tracks = defaultdict(list)
    for event in events_of(trace):
        tracks[event["tid"]].append(event)
    for events in tracks.values():
        assert [event["ts"] for event in events] == sorted(
            event["ts"] for event in events
        )
        stack: list[tuple[float, dict[str, Any]]] = []
        for event, (start, end) in zip(events, as_viewers_add(events), strict=True):
            if not event["dur"]:
                continue  # What takes no time overlaps nothing.
            while stack and stack[-1][0] <= start:
                stack.pop()
            for until, outer in stack:
                assert end <= until
                assert id_of(outer) in above[id_of(event)]
            stack.append((end, event))


@given(traces())
def test_arrows_lead_to_what_is_not_drawn_inside_of_its_cause(
    trace: Trace,
) -> None:
    trace = uniquely_named(trace)
    at = {id_of(event): event for event in events_of(trace)}
    tails = {event["id"]: event for event in events_of(trace, "s")}
    heads = {event["id"]: event for event in events_of(trace, "f")}
    assert tails.keys() == heads.keys()
    pairs = [(send.parent, send.id) for send in trace.sends if send.parent]
    pairs += [(send.id, call.id) for send in trace.sends for call in send.calls]
    elsewhere = [
        (at[cause], at[effect])
        for cause, effect in pairs
        if at[cause]["tid"] != at[effect]["tid"]
        or interval(at[effect])[1] > interval(at[cause])[1]
    ]
    drawn = [(place_of(tails[id]), place_of(heads[id])) for id in tails]
    expected = [(place_of(cause), place_of(effect)) for cause, effect in elsewhere]
    assert sorted(drawn) == sorted(expected)
    assert {head["bp"] for head in heads.values()} <= {"e"}


def place_of(event: dict[str, Any]) -> tuple[float, int, int]:
    return event["ts"], event["pid"], event["tid"]


@pytest.mark.slow
@given(traces())
def test_events_are_what_the_format_asks_for(trace: Trace) -> None:
    tracks = set()
    for event in events_of(trace):
        assert math.isfinite(event["ts"])
        assert math.isfinite(event["dur"])
        assert event["ts"] >= 0
        assert event["dur"] >= 0
        assert type(event["name"]) is str
        tracks.add((event["pid"], event["tid"]))
    named = {
        (event["pid"], event["tid"])
        for event in events_of(trace, "M")
        if event["name"] == "thread_name"
    }
    assert named == tracks


def test_sequential_sends_and_calls_share_one_track() -> None:
    send = CHECKOUT.sends[0]
    assert {event["tid"] for event in events_of(replace(CHECKOUT, sends=(send,)))} == {
        1
    }


def test_concurrent_calls_are_put_on_tracks_of_their_own() -> None:
    tracks = {event["name"]: event["tid"] for event in events_of(CHECKOUT)}
    assert tracks == {
        "POST /checkout/": 1,
        "post_save from shop.Order": 1,
        "shop.receivers.announce": 1,
        "order_placed from shop.Order": 1,
        "shop.receivers.Mailer.send": 1,
        "shop.receivers.poll": 2,
        "shop.receivers.take_from_stock": 1,
    }
    assert [
        event["args"]["name"]
        for event in events_of(CHECKOUT, "M")
        if event["name"] == "thread_name"
    ] == ["receivers", "concurrent 1"]


def test_track_that_is_free_again_is_used_again() -> None:
    send = CHECKOUT.sends[1]
    first = send.calls[0]
    times = [(0, 10), (5, 10), (12, 10), (16, 10)]
    calls = tuple(
        replace(first, id=number, start_ns=start, duration_ns=duration)
        for number, (start, duration) in enumerate(times, 10)
    )
    trace = replace(
        CHECKOUT,
        sends=(replace(send, parent=None, start_ns=0, duration_ns=30, calls=calls),),
        not_called=(),
        omitted=(),
    )
    assert [event["tid"] for event in events_of(trace) if event["cat"] == "call"] == [
        1,
        2,
        1,
        2,
    ]


def test_trace_of_nothing_is_the_trace_itself() -> None:
    [event] = events_of(EMPTY)
    assert (event["name"], event["ts"], event["dur"]) == ("block", 0, 0)


@pytest.mark.parametrize(
    ("name", "details"),
    [
        (
            "post_save from shop.Order",
            {
                "signal": "django.db.models.signals.post_save",
                "method": "send",
                "call site": "/srv/shop/views.py:12",
                "transaction": "rolled back",
                "not called": ["shop.receivers.reindex"],
                "error": "ValueError: no stock",
            },
        ),
        ("shop.receivers.announce", {"source": "shop/receivers.py:10"}),
        ("shop.receivers.Mailer.send", {"async": True}),
        (
            "shop.receivers.poll",
            {
                "async": True,
                "source": "shop/receivers.py:50",
                "finished": "never",
            },
        ),
    ],
)
def test_details_stand_where_the_viewers_look_for_them(
    name: str, details: dict[str, Any]
) -> None:
    [event] = [event for event in events_of(CHECKOUT) if event["name"] == name]
    assert event["args"] == {"data": details}


def test_what_differs_between_sends_is_in_an_instant_event() -> None:
    events = events_of(CHECKOUT, "i")
    assert [(event["name"], event["ts"], event["tid"]) for event in events] == [
        ("details of POST /checkout/", 0, 1),
        ("details of post_save from shop.Order", 2000, 1),
        ("details of order_placed from shop.Order", 3000, 1),
    ]
    assert events[1]["args"]["data"] == {
        "arguments": CHECKOUT.sends[0].arguments,
        "queries": 3,
        "queries_ms": 2.0,
        "receivers": [
            {
                "receiver": "shop.receivers.announce",
                "queries": 3,
                "queries_ms": 2.0,
            }
        ],
    }


def test_sends_without_any_such_details_have_no_instant_event() -> None:
    send = replace(CHECKOUT.sends[0], calls=(), arguments={}, queries=Queries())
    trace = replace(CHECKOUT, sends=(send,))
    assert [event["name"] for event in events_of(trace, "i")] == [
        "details of POST /checkout/"
    ]


def test_sends_of_instances_are_of_one_name_and_the_details_tell_which() -> None:
    send = replace(CHECKOUT.sends[1], sender="shop.Order(pk=7)", parent=None)
    trace = replace(CHECKOUT, sends=(send,), not_called=())
    assert "order_placed from shop.Order" in {one["name"] for one in events_of(trace)}
    assert events_of(trace, "i")[1]["args"]["data"]["sender"] == "shop.Order(pk=7)"


def test_like_sends_are_all_there_under_one_name_and_with_the_same_details() -> None:
    sends = [event for event in events_of(IMPORT) if event["cat"] == "send"]
    assert len(sends) == 480
    assert len({(event["name"], json.dumps(event["args"])) for event in sends}) == 2


def test_details_of_the_trace_are_told_at_its_start() -> None:
    told = events_of(LARGE, "i")[0]
    assert told["args"]["data"] == {
        "id": LARGE.id,
        "kind": "request",
        "started_at": "2026-01-02T03:04:05+00:00",
        "attributes": LARGE.attributes,
        "error": "ValueError: no stock",
        "omitted_sends": LARGE.omitted_count,
        "findings": to_plain(LARGE.findings),
    }
    assert json.loads(CHECKOUT.export("perfetto"))["displayTimeUnit"] == "ms"


def test_each_of_many_traces_is_a_process_that_begins_at_0() -> None:
    text = "".join(exports.get("perfetto").pieces([CHECKOUT, EMPTY, CHECKOUT]))
    events = json.loads(text)["traceEvents"]
    processes = [
        (event["pid"], event["args"]["name"])
        for event in events
        if event["name"] == "process_name"
    ]
    assert processes == [(1, "POST /checkout/"), (2, "block"), (3, "POST /checkout/")]
    alone = json.loads(CHECKOUT.export("perfetto"))["traceEvents"]
    for process in (1, 3):
        mine = [event for event in events if event["pid"] == process]
        assert [without_ids(event) for event in mine] == [
            without_ids(event) for event in alone
        ]
    arrows = [event["id"] for event in events if event["ph"] == "s"]
    assert len(arrows) == len(set(arrows)) == 2


def without_ids(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("pid", "id")}


def test_no_trace_is_no_event() -> None:
    text = "".join(exports.get("perfetto").pieces([]))
    assert json.loads(text)["traceEvents"] == []


def test_document_can_be_written_whatever_is_in_it() -> None:
    text = replace(CHECKOUT, name="caf\udce9").export("perfetto")
    assert "caf\udce9" in {
        event["name"] for event in json.loads(text.encode())["traceEvents"]
    }
