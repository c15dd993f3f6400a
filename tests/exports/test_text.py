from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings

from signal_trace.exports.text import printable
from signal_trace.highlights import failures, slowest
from signal_trace.trace import Trace
from tests.traces import CHECKOUT, EMPTY, LARGE, traces

CHECKOUT_AS_TEXT = """\
POST /checkout/: 20.00 ms, 2 sends, 4 calls, 18.00 ms in receivers
started at 2026-01-02T03:04:05.000+00:00
✗ ended by ValueError: no stock
✗ failed: shop.receivers.take_from_stock: ValueError: no stock
slowest: shop.receivers.Mailer.send, 4.00 ms of its own

      total        self
   10.00 ms              ▸ post_save from shop.Order(pk=7) ✗ raised ValueError
    7.00 ms     3.00 ms    shop.receivers.announce
    4.00 ms                  ▸ order_placed from shop.Order (asend_robust)
    4.00 ms     4.00 ms        shop.receivers.Mailer.send (async)
          –           –        shop.receivers.poll (async) – never finished
   0.050 ms    0.050 ms    shop.receivers.take_from_stock ✗ ValueError: no stock
                           ✗ shop.receivers.reindex was not called: earlier receiver raised

2,101 sends that no receiver heard:
      1,201  pre_init from shop.Order (1,200), shop.Line (1)
        900  request_started from None (900)
"""  # noqa: E501


def test_tree_is_written_line_by_line() -> None:
    assert CHECKOUT.export("text") == CHECKOUT_AS_TEXT


def test_trace_of_nothing_is_short() -> None:
    first, second = EMPTY.export("text").splitlines()
    assert first == "block: 0.000 ms, 0 sends, 0 calls, 0.000 ms in receivers"
    assert second.startswith("started at ")


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
    assert "▸ post_save from shop.Order(pk=7) – never finished\n" in text


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
    send = CHECKOUT.sends[0]
    call = replace(send.calls[0], receiver="a\nb", error=None)
    trace = replace(
        CHECKOUT,
        name="GET /\x1b[2J",
        sends=(replace(send, sender="\u202e", calls=(call,)),),
        not_called=(),
    )
    text = trace.export("text")
    assert text.startswith(r"GET /\x1b[2J: 20.00 ms")
    assert r"▸ post_save from \u202e ✗" in text
    assert r"a\nb" in text


@settings(deadline=None)
@given(traces())
def test_any_trace_is_written_in_printable_lines(trace: Trace) -> None:
    lines = trace.export("text").removesuffix("\n").split("\n")
    nodes = len(trace.sends) + len(trace.calls) + len(trace.not_called)
    highlights = len(failures(trace)) + len(slowest(trace, 1)) + bool(trace.error)
    heading = 2 + highlights + 2 * bool(trace.sends)
    signals = {one.signal for one in trace.unreceived}
    unheard = len(signals) + 2 * bool(signals)
    sums = [1 + len(one.calls) for one in trace.omitted]
    omitted = sum(sums) + 2 * bool(sums)
    assert len(lines) == heading + nodes + omitted + unheard
    assert not {
        char
        for line in lines
        for char in line
        if char != " " and unicodedata.category(char)[0] in "CZ"
    }


def test_sends_that_are_only_counted_are_summed_up() -> None:
    lines = LARGE.export("text").splitlines()
    assert lines[0] == (
        "POST /checkout/: 20.00 ms, 2,402 sends, 2,404 calls, 1,218.00 ms in receivers"
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
