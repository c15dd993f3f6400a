from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from signal_trace.exports.text import printable
from signal_trace.highlights import failures, slowest
from signal_trace.parts import (
    CANCELLED,
    CANCELLED_BY_SIBLING,
    NO_QUERIES,
    SWALLOWED,
    UNFINISHED,
    Queries,
    Statement,
)
from signal_trace.trace import Trace
from signal_trace.tree import walk_folded
from tests.traces import CHECKOUT, EMPTY, FAILURE, IMPORT, LARGE, MS, traces

CHECKOUT_AS_TEXT = """\
POST /checkout/: 20.00 ms, 2 sends, 4 calls, 18.00 ms in receivers, 9 SQL 6.00 ms
started at 2026-01-02T03:04:05.000+00:00
✗ problem: shop.receivers.take_from_stock raised, and 1 receiver never ran.
    Send with send_robust, or catch the exception in the receiver.
    at /srv/shop/receivers.py:29
· hint: shop.receivers.send_voucher listens to shop.GiftOrder.
    Connect it for shop.Order, if it is to hear that as well.
✗ ended by ValueError: no stock
✗ failed: shop.receivers.take_from_stock: ValueError: no stock
slowest: shop.receivers.Mailer.send, 4.00 ms of its own

      total        self
   10.00 ms              ▸ post_save from shop.Order(pk=7) (created=True) at shop/views.py:12 – rolled back ✗ raised ValueError
    7.00 ms     3.00 ms    shop.receivers.announce – 3 SQL 2.00 ms, repeated ×2
    4.00 ms                  ▸ order_placed from shop.Order (asend_robust) at shop/receivers.py:14 – rolled back
    4.00 ms     4.00 ms        shop.receivers.Mailer.send (async, suspended 3.00 ms) – 1 SQL 1.00 ms
          –           –        shop.receivers.poll (async) – never finished
   0.050 ms    0.050 ms    shop.receivers.take_from_stock ✗ ValueError: no stock
                           ✗ shop.receivers.reindex never ran: an earlier receiver raised

receivers that are connected for other senders, and were not called:
          2  post_save
               near miss: shop.receivers.send_voucher listens to shop.GiftOrder, not to its proxy shop.Order

2,101 sends that no receiver heard:
      1,201  pre_init from shop.Order (1,200), shop.Line (1)
        900  request_started from None (900)
"""  # noqa: E501


def test_tree_is_written_line_by_line() -> None:
    assert CHECKOUT.export("text") == CHECKOUT_AS_TEXT


def test_trace_of_nothing_is_short() -> None:
    first, second, third = EMPTY.export("text").splitlines()
    assert first == "block: 0.000 ms, 0 sends, 0 calls, 0.000 ms in receivers"
    assert second.startswith("started at ")
    assert third == "No findings."


def test_near_miss_whose_relation_is_not_known_is_of_a_relative() -> None:
    *others, near = CHECKOUT.not_called
    trace = replace(CHECKOUT, not_called=(*others, replace(near, relation=None)))
    assert "not to its relative shop.Order" in trace.export("text")


def test_one_is_singular() -> None:
    send = CHECKOUT.sends[0]
    trace = replace(
        CHECKOUT,
        sends=(replace(send, calls=send.calls[:1]),),
        unreceived=CHECKOUT.unreceived[2:],
        not_called=(),
    )
    text = trace.export("text")
    assert "1 send, 1 call," in text
    assert "\n1 send that no receiver heard:\n" in text


def test_send_that_never_finished_says_so() -> None:
    send = replace(CHECKOUT.sends[0], duration_ns=None, error=None)
    text = replace(CHECKOUT, sends=(send,)).export("text")
    assert "at shop/views.py:12 – rolled back – never finished\n" in text


def test_like_sends_are_one_line() -> None:
    lines = IMPORT.export("text").splitlines()
    ending = (
        "from shop.Line × 240 at shop/views.py:20"
        " – 0.000 ms to 0.024 ms each, 480 SQL 1.45 ms"
    )
    tree = lines[lines.index("      total        self") + 1 :]
    assert tree == [
        f"    2.89 ms              ▸ {signal} {ending}"
        for signal in ("pre_save", "post_save")
    ]


ONCE = Statement("SELECT 1", 1)


@pytest.mark.parametrize(
    ("change", "ending"),
    [
        ({"outcome": SWALLOWED, "error": FAILURE}, " ✗ swallowed ValueError: no stock"),
        ({"outcome": CANCELLED}, " – cancelled"),
        ({"outcome": CANCELLED_BY_SIBLING}, " – cancelled by a sibling"),
        ({"duration_ns": None, "outcome": UNFINISHED}, " – never finished"),
        ({"queries": Queries(12, 4 * MS)}, " – 12 SQL 4.00 ms"),
        ({"queries": Queries(1, MS, repeated=ONCE)}, " – 1 SQL 1.00 ms"),
    ],
)
def test_how_a_call_went_is_said_in_words(change: dict[str, Any], ending: str) -> None:
    send = CHECKOUT.sends[0]
    call = replace(send.calls[0], **{"queries": NO_QUERIES, **change})
    text = replace(CHECKOUT, sends=(replace(send, calls=(call,)),)).export("text")
    assert f"  shop.receivers.announce{ending}\n" in text


def test_long_findings_are_wrapped() -> None:
    finding = replace(CHECKOUT.findings[0], message="so many words " * 30)
    lines = replace(CHECKOUT, findings=(finding,)).export("text").splitlines()
    assert lines[2].startswith("✗ problem: so many words so many")
    assert lines[3].startswith("    ")
    assert max(map(len, lines[2:6])) <= 120


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain text", "plain text"),
        ("büro 注文 ✗ –", "büro 注文 ✗ –"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("a\u202ecba", r"a\u202ecba"),
        ("\u2066left\u2069", r"\u2066left\u2069"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("no-break\xa0space", r"no-break\xa0space"),
        ("line\u2028separator", r"line\u2028separator"),
        ("caf\udce9", r"caf\udce9"),
    ],
)
def test_what_could_deceive_a_reader_is_made_visible(text: str, written: str) -> None:
    assert printable(text) == written


def test_names_and_messages_cannot_break_out_of_their_line() -> None:
    send = replace(CHECKOUT.sends[0], arguments={}, call_site=None, transaction=None)
    call = replace(send.calls[0], receiver="a\nb", error=None)
    trace = replace(
        CHECKOUT,
        name="GET /\x1b[2J",
        sends=(replace(send, sender="\u202e", calls=(call,)),),
        not_called=(),
    )
    text = trace.export("text")
    assert "No findings" not in text
    assert text.startswith(r"GET /\x1b[2J: 20.00 ms")
    assert r"▸ post_save from \u202e ✗" in text
    assert r"a\nb" in text


@pytest.mark.slow
@given(traces())
def test_any_trace_is_written_in_printable_lines(trace: Trace) -> None:
    lines = trace.export("text").removesuffix("\n").split("\n")
    nodes = len(list(walk_folded(trace)))
    highlights = len(failures(trace)) + len(slowest(trace, 1)) + bool(trace.error)
    findings = len(trace.findings) + sum(
        bool(one.advice.strip(" ")) + bool(one.location and one.location.file)
        for one in trace.findings
    )
    heading = 2 + (findings or 1) + highlights + 2 * bool(trace.sends)
    others = [one for one in trace.not_called if one.send is None]
    near_misses = sum(one.near_miss is not None for one in others)
    others_by_signal = len({one.signal for one in others})
    missed = near_misses + others_by_signal + 2 * bool(others)
    signals = {one.signal for one in trace.unreceived}
    unheard = len(signals) + 2 * bool(signals)
    sums = [1 + len(one.calls) for one in trace.omitted]
    omitted = sum(sums) + 2 * bool(sums)
    assert len(lines) == heading + nodes + omitted + missed + unheard
    assert not {
        char
        for line in lines
        for char in line
        if char != " " and unicodedata.category(char)[0] in "CZ"
    }


def test_sends_that_are_only_counted_are_summed_up() -> None:
    lines = LARGE.export("text").splitlines()
    assert lines[0] == (
        "POST /checkout/: 20.00 ms, 2,402 sends, 2,404 calls, 1,218.00 ms in receivers,"
        " 9 SQL 6.00 ms"
    )
    assert any(line.startswith("slowest of the first 2 sends: ") for line in lines)
    start = lines.index("2,400 more sends, beyond MAX_SENDS and only added up:")
    assert lines[start - 1 : start + 4] == [
        "",
        "2,400 more sends, beyond MAX_SENDS and only added up:",
        (
            "      2,400  ▸ post_save from shop.Line: 1,300.00 ms in all,"
            " 3.00 ms at most, 1 raised"
        ),
        (
            "      2,400    shop.receivers.recount: 1,200.00 ms in all,"
            " 1,100.00 ms of its own, 2.00 ms at most ✗ 1 raised"
        ),
        "",
    ]
