from __future__ import annotations

from dataclasses import replace

import pytest

from signal_trace.parts import HINT, WARNING, Omitted, OmittedCalls, Queries, Statement
from signal_trace.trace import Trace
from tests.findings.building import MODELS, found, only, ran, saved, sent, traced
from tests.traces import MS

INSERT = "INSERT INTO shop_note (text) VALUES (%s)"
SELECT = "SELECT name FROM shop_product WHERE id = %s"


def executed(sql: str, count: int, **facts: int) -> Queries:
    return Queries(count=count, duration_ns=MS, repeated=Statement(sql, count), **facts)


def test_slow_receiver_is_named_with_its_time_calls_and_share() -> None:
    trace = traced(
        saved(1, ran("quick", ms=4), ran("check_order", ms=25)),
        saved(2, ran("check_order", ms=15)),
        duration_ms=200,
    )
    finding = only(trace, "slow-receiver")
    assert finding.title == "Slow receiver"
    assert finding.level == WARNING
    assert finding.message == (
        "shop.receivers.check_order took 40.00 ms of its own in 2 calls, the slowest"
        " 25.00 ms: 20% of all the time that was traced."
    )
    assert finding.evidence == (3, 5)
    assert finding.receivers == ("shop.receivers.check_order",)


def test_sleep_of_40_ms_is_slow_and_healthy_receivers_are_not() -> None:
    slow = ran("check_order", ms=40)
    others = [ran(f"receiver_{number}", ms=8) for number in range(5)]
    trace = traced(saved(1, slow, *others), duration_ms=110)
    assert only(trace, "slow-receiver").receivers == ("shop.receivers.check_order",)


@pytest.mark.parametrize(("ms", "count"), [(34.999, 0), (35, 1)])
def test_slow_receiver_at_its_limit(ms: float, count: int) -> None:
    trace = traced(saved(1, ran("sums", ms=ms)))
    assert len(found(trace, "slow-receiver")) == count
    assert len(found(trace, "slow-receiver", SLOW_RECEIVER_MS=34.9)) == 1
    assert len(found(trace, "slow-receiver", SLOW_RECEIVER_MS=36)) == 0


@pytest.mark.parametrize(("duration_ms", "count"), [(1001, 0), (1000, 1)])
def test_many_quick_calls_are_slow_where_they_take_a_tenth_of_it_all(
    duration_ms: int, count: int
) -> None:
    saves = [saved(pk, ran("sums", ms=1)) for pk in range(100)]
    trace = traced(*saves, duration_ms=duration_ms)
    assert len(found(trace, "slow-receiver")) == count


def test_time_of_what_is_nested_makes_nobody_slow() -> None:
    inner = sent("shop.placed", ran("slow", ms=50))
    trace = traced(saved(1, ran("outer", inner, ms=2)))
    assert only(trace, "slow-receiver").receivers == ("shop.receivers.slow",)


def test_slow_receiver_that_waited_says_so() -> None:
    waiting = ran("notify", ms=40, is_async=True, suspended_ns=35 * MS)
    finding = only(traced(saved(1, waiting)), "slow-receiver")
    assert "spent 35.00 ms waiting" in finding.message


def test_receiver_whose_calls_were_left_out_may_be_slow() -> None:
    calls = OmittedCalls("shop.sums", None, None, 50, 0, 60 * MS, 55 * MS, 2 * MS)
    omitted = Omitted(f"{MODELS}.post_save", "shop.Order", 50, 0, 0, 0, 0, (calls,))
    trace = traced(saved(1, ran("shop.sums", ms=1)), omitted=(omitted,))
    finding = only(trace, "slow-receiver")
    assert "took 56.00 ms of its own in 51 calls" in finding.message
    assert finding.evidence == (2,)
    without_sends = replace(trace, sends=())
    assert "in 50 calls: 55%" in only(without_sends, "slow-receiver").message


def test_unfinished_call_is_not_slow() -> None:
    assert not found(
        traced(saved(1, ran("hangs", duration_ns=None, self_ns=None))), "slow-receiver"
    )


def loop(count: int, queries: Queries | None = None, ms: float = 0.5) -> Trace:
    facts = {} if queries is None else {"queries": queries}
    return traced(
        *(saved(pk, ran("recount", ms=ms, **facts), at=7) for pk in range(count)),
        duration_ms=1000,
    )


def test_loop_that_sets_a_receiver_off_is_pointed_at() -> None:
    finding = only(loop(12, executed(INSERT, 1)), "repeated-call")
    assert finding.level == WARNING
    assert finding.message == (
        "shop.receivers.recount ran 12 times for post_save of shop.Order sent at"
        " shop/views.py:7: 6.00 ms in all, with 12 queries."
    )
    assert finding.evidence == tuple(range(2, 25, 2))


def test_repetition_that_costs_little_is_a_hint() -> None:
    assert only(loop(12), "repeated-call").level == HINT
    assert only(loop(12, ms=3), "repeated-call").level == WARNING


@pytest.mark.parametrize(("count", "expected"), [(9, 0), (10, 1)])
def test_repeated_call_at_its_limit(count: int, expected: int) -> None:
    assert len(found(loop(count), "repeated-call")) == expected
    assert len(found(loop(count), "repeated-call", REPEATED_CALLS=count)) == 1
    assert len(found(loop(count), "repeated-call", REPEATED_CALLS=count + 1)) == 0


def test_calls_from_many_lines_of_many_models_or_of_no_line_are_no_loop() -> None:
    lines = [saved(1, ran("note"), at=number) for number in range(20)]
    models = [
        saved(1, ran("note"), model=f"shop.Model{number}") for number in range(20)
    ]
    unknown = [saved(pk, ran("note"), at=None) for pk in range(20)]
    for sends in (lines, models, unknown):
        assert found(traced(*sends), "repeated-call") == []


def test_steps_of_a_many_to_many_change_are_not_one_thing() -> None:
    changes = [
        sent(f"{MODELS}.m2m_changed", ran("index"), arguments={"action": action})
        for _ in range(6)
        for action in ("pre_add", "post_add")
    ]
    assert found(traced(*changes), "repeated-call") == []
    assert len(found(traced(*changes), "repeated-call", REPEATED_CALLS=6)) == 1


def test_djangos_own_receivers_may_run_as_often_as_they_like() -> None:
    name = "django.db.models.fields.files.ImageField.update_dimension_fields"
    loaded = [
        saved(pk, ran(name, ms=0.01), signal="post_init", at=9) for pk in range(100)
    ]
    assert found(traced(*loaded), "repeated-call") == []


def test_several_loops_over_one_receiver_are_one_finding() -> None:
    sends = [
        saved(pk, ran("note"), at=number)
        for number, count in ((7, 11), (9, 30), (12, 10), (15, 2))
        for pk in range(count)
    ]
    finding = only(traced(*sends, duration_ms=9000), "repeated-call")
    assert "ran 30 times" in finding.message
    assert "views.py:9, and often from 2 other lines: " in finding.message


def test_evidence_is_capped_and_the_count_is_not() -> None:
    finding = only(loop(2000), "repeated-call")
    assert "ran 2,000 times" in finding.message
    assert len(finding.evidence) == 50


def test_statement_repeated_in_one_call_is_named() -> None:
    trace = traced(
        saved(1, ran("index", queries=executed(SELECT, 11))),
        saved(2, ran("index", queries=executed(SELECT, 24))),
    )
    finding = only(trace, "repeated-query")
    assert finding.level == WARNING
    assert finding.message == (
        "shop.receivers.index executed one statement 24 times in one call:"
        " SELECT name FROM shop_product WHERE id = %s"
    )
    assert finding.evidence == (4,)


def test_statement_repeated_by_the_calls_of_one_loop_is_named() -> None:
    finding = only(loop(12, executed(SELECT, 1)), "repeated-query")
    assert finding.message == (
        "shop.receivers.recount executed one statement 12 times in 12 calls for"
        " post_save of shop.Order sent at shop/views.py:7: "
        "SELECT name FROM shop_product WHERE id = %s"
    )
    assert len(finding.evidence) == 12


@pytest.mark.parametrize(("count", "expected"), [(9, 0), (10, 1)])
def test_repeated_query_at_its_limit(count: int, expected: int) -> None:
    alone = traced(saved(1, ran("index", queries=executed(SELECT, count))))
    for trace in (alone, loop(count, executed(SELECT, 1))):
        assert len(found(trace, "repeated-query")) == expected
        assert len(found(trace, "repeated-query", REPEATED_QUERIES=count)) == 1
        assert len(found(trace, "repeated-query", REPEATED_QUERIES=count + 1)) == 0


def test_history_of_some_rows_is_no_repetition() -> None:
    rows = [
        saved(pk, ran("simple_history.post_save", queries=executed(INSERT, 1)), at=7)
        for pk in range(5)
    ]
    assert found(traced(*rows), "repeated-query") == []
    assert found(traced(*rows), "repeated-call") == []


def test_one_statement_from_many_lines_is_no_repetition() -> None:
    saves = [
        saved(pk, ran("note", queries=executed(INSERT, 1)), at=pk) for pk in range(30)
    ]
    assert found(traced(*saves), "repeated-query") == []


def test_long_statement_is_shown_by_its_beginning() -> None:
    sql = "SELECT " + ",\n    ".join(f"column_{number}" for number in range(99))
    trace = traced(saved(1, ran("index", queries=executed(sql, 10))))
    message = only(trace, "repeated-query").message
    assert len(message) < 200
    assert "SELECT column_0, column_1, " in message
    assert message.endswith("…")
