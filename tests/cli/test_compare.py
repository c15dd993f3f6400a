from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from signal_trace.parts import NO_QUERIES, Call, Error, Queries, Send
from signal_trace.trace import Trace
from tests.cli.conftest import Run, write
from tests.traces import EMPTY, MS

OOPS = Error("ValueError", "oops", ())


# A call: its receiver, its milliseconds, how many queries it made, whether it failed.
Made = tuple[str, float, int, bool]


def made(number: int, *calls: Made) -> Trace:
    clock, sends = 0, []
    for index, (receiver, ms, queries, failed) in enumerate(calls):
        duration = int(ms * MS)
        call = Call(
            id=2 * index + 2,
            receiver=receiver,
            file=None,
            line=None,
            start_ns=clock,
            duration_ns=duration,
            self_ns=duration,
            is_async=False,
            error=OOPS if failed else None,
            queries=Queries(queries) if queries else NO_QUERIES,
        )
        start = (None, clock, duration)
        sends.append(Send(2 * index + 1, "s", "x", "send", *start, (call,), None))
        clock += duration
    id = f"{number:032x}"
    return replace(EMPTY, id=id, duration_ns=clock, sends=tuple(sends))


def many(count: int, *calls: Made, first: int = 1) -> list[Trace]:
    """So many of these, each 1 % slower than the one before."""
    return [
        made(first + i, *((r, ms * (1 + i / 100), q, f) for r, ms, q, f in calls))
        for i in range(count)
    ]


BEFORE = [
    ("slow", 10.0, 0, False),
    ("fast", 20.0, 0, False),
    ("same", 5.0, 2, False),
    ("greedy", 5.0, 2, False),
    ("frugal", 5.0, 9, False),
    ("breaks", 5.0, 0, False),
    ("mended", 5.0, 0, True),
    ("gone", 5.0, 0, False),
]
AFTER = [
    ("slow", 30.0, 0, False),
    ("fast", 5.0, 0, False),
    ("same", 5.0, 2, False),
    ("greedy", 5.0, 12, False),
    ("frugal", 5.0, 1, False),
    ("breaks", 5.0, 0, True),
    ("mended", 5.0, 0, False),
    ("new", 5.0, 0, False),
]
EXPECTED = [
    ("failing newly", "breaks"),
    ("slower", "slow"),
    ("more SQL", "greedy"),
    ("new", "new"),
    ("gone", "gone"),
    ("faster", "fast"),
    ("less SQL", "frugal"),
    ("fails no more", "mended"),
]


def sides(before: list[Trace], after: list[Trace]) -> tuple[Path, Path]:
    return write(Path("a.jsonl"), before), write(Path("b.jsonl"), after)


def changes(document: Any, *, chance: bool = False) -> list[tuple[str, str]]:
    return [
        (one["kind"], one["receiver"])
        for one in document["changes"]
        if one["may_be_chance"] is chance
    ]


def compared(run: Run, before: list[Trace], after: list[Trace], *more: str) -> Any:
    ended = run("compare", "--json", *sides(before, after), *more)
    assert (ended.status, ended.err) == (0, "")
    return json.loads(ended.out)


@pytest.mark.parametrize("count", [1, 40])
def test_kinds_of_changes(run: Run, count: int) -> None:
    found = compared(run, many(count, *BEFORE), many(count, *AFTER, first=100))
    assert changes(found) == EXPECTED
    assert changes(found, chance=True) == []
    assert found["unchanged"] == 1
    assert (found["before"]["traces"], found["after"]["traces"]) == (count, count)


def test_what_is_told_of_a_receiver(run: Run) -> None:
    found = compared(run, many(1, *BEFORE), many(1, *AFTER))
    slower = found["changes"][1]
    assert slower["before"] == {
        "traces": 1,
        "calls": 1,
        "failures": 0,
        "unfinished": 0,
        "self_ns": {"count": 1, "value": 10 * MS, "low": None, "high": None},
        "queries": {"count": 1, "value": 0, "low": None, "high": None},
    }
    new = found["changes"][3]
    assert new["before"] == {
        "traces": 0,
        "calls": 0,
        "failures": 0,
        "unfinished": 0,
        "self_ns": None,
        "queries": None,
    }


def test_noise_is_none(run: Run) -> None:
    before, after = many(40, ("a", 10, 3, False)), many(40, ("a", 10.5, 3, False))
    found = compared(run, before, after)
    assert (found["changes"], found["unchanged"]) == ([], 1)


def test_small_difference_is_told_of_many_traces_only(run: Run) -> None:
    before = [made(i, ("a", 10 + i / 1000, 0, False)) for i in range(40)]
    after = [made(i, ("a", 11 + i / 1000, 0, False)) for i in range(40)]
    assert changes(compared(run, before, after)) == [("slower", "a")]
    assert changes(compared(run, before[:1], after[:1])) == []


def test_seldom_failure_may_be_chance(run: Run) -> None:
    before = many(20, ("a", 10, 0, False))
    after = [*many(19, ("a", 10, 0, False)), made(99, ("a", 10, 0, True))]
    found = compared(run, before, after)
    assert changes(found) == []
    assert changes(found, chance=True) == [("failing newly", "a")]


def test_seldom_receiver_may_be_chance(run: Run) -> None:
    before = many(20, ("a", 10, 0, False))
    after = [*before[1:], made(99, ("a", 10, 0, False), ("b", 1, 0, True))]
    found = compared(run, before, after)
    assert changes(found, chance=True) == [("new", "b")]
    assert changes(found) == [("failing newly", "b")]


def test_difference_of_a_rare_receiver_may_be_chance(run: Run) -> None:
    others = many(20, ("a", 10, 0, False))
    before = [*others, *many(3, ("rare", 10, 1, False), first=100)]
    after = [*others, *many(3, ("rare", 30, 2, False), first=100)]
    found = compared(run, before, after)
    assert changes(found) == []
    assert changes(found, chance=True) == [("slower", "rare"), ("more SQL", "rare")]


def test_text_of_many(run: Run) -> None:
    slower, same = ("slow", 10.0, 2, False), ("same", 5.0, 2, False)
    before = many(40, slower, same)
    after = many(40, ("slow", 30.0, 12, False), same)
    assert run("compare", *sides(before, after)).out.splitlines() == [
        "before  a.jsonl: 40 traces, median 17.85 ms (16.50–19.35)",
        " after  b.jsonl: 40 traces, median 41.65 ms (38.50–45.15)",
        "",
        "Traces take longer.",
        "",
        "What is different:",
        "        what                  before                   after  receiver",
        "slower 3.00×  11.90 ms (11.00–12.90)  35.70 ms (33.00–38.70)  slow",
        "    more SQL                       2                      12  slow",
        "",
        "1 other receiver differs by no more than noise.",
    ]


def test_text_of_one_says_that_it_cannot_tell_noise(run: Run) -> None:
    ended = run("compare", *sides(many(1, *BEFORE), many(1, *AFTER)))
    lines = ended.out.splitlines()
    assert lines[0] == "before  a.jsonl: 1 trace, 60.00 ms"
    assert lines[3] == (
        "Fewer than 11 traces on a side can't tell a change from noise: slower and"
        " faster are what differs 1.5 times, and by 1.00 ms."
    )
    assert " slower 3.00×      10.00 ms      30.00 ms  slow" in lines
    assert lines[-1] == "1 other receiver without a change."


def test_text_of_no_change_and_of_chance(run: Run) -> None:
    one = many(1, ("a", 1, 0, False))
    out = run("compare", *sides(one, one)).out
    assert "What" not in out
    assert out.endswith("\n1 receiver without a change.\n")
    before = many(20, ("a", 10, 0, False))
    after = [*before[1:], made(99, ("a", 10, 0, True))]
    out = run("compare", *sides(before, after)).out
    assert "What may be chance, for so few calls or traces:\n" in out
    assert "failing newly  0 of 20 calls  1 of 20 calls  a" in out


def test_whole_traces(run: Run) -> None:
    slow, fast = many(40, ("a", 30, 0, False)), many(40, ("a", 10, 0, False))
    assert "Traces take longer." in run("compare", *sides(fast, slow)).out
    assert "Traces take less time." in run("compare", *sides(slow, fast)).out


def test_two_ids_in_files(run: Run) -> None:
    path = write(Path("t.jsonl"), [*many(1, *BEFORE), *many(1, *AFTER, first=0xA00)])
    ids = (f"{1:032x}", f"{0xA00:032x}")
    out = run("compare", *ids, path).out
    assert f"before  {ids[0]}: 1 trace, 60.00 ms" in out
    found = json.loads(run("compare", "--json", *ids, piped=path.read_bytes()).out)
    assert changes(found) == EXPECTED
    ended = run("compare", ids[0], "beef", path)
    assert (ended.status, ended.out) == (1, "")
    assert "no trace has an id that begins with beef" in ended.err


def test_filtered(run: Run) -> None:
    before, after = many(3, *BEFORE), many(3, *AFTER)
    others = [replace(one, name="other") for one in many(5, ("x", 1, 0, False))]
    found = compared(run, [*before, *others], after, "--receiver=slow")
    assert found["before"]["traces"] == 3


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        (["a.jsonl"], 2, "the following arguments are required: B"),
        (["a.jsonl", "none"], 1, "none: no such file or directory; check the path"),
        (["a.jsonl", "b.jsonl", "c.jsonl"], 2, "FILEs are for two ids"),
        (["a.jsonl", "b.jsonl", "--name=none"], 1, "a.jsonl: no trace in it is like"),
    ],
)
def test_what_makes_no_sense(
    run: Run, arguments: list[str], status: int, problem: str
) -> None:
    sides(many(1, *BEFORE), many(1, *AFTER))
    ended = run("compare", *arguments)
    assert (ended.status, ended.out) == (status, "")
    assert problem in ended.err


def unfinished(trace: Trace) -> Trace:
    def left(call: Call) -> Call:
        return replace(call, duration_ns=None, self_ns=None)

    sends = (replace(one, calls=tuple(map(left, one.calls))) for one in trace.sends)
    return replace(trace, sends=tuple(sends))


@pytest.mark.parametrize("count", [1, 20])
def test_what_never_finished_did_not_get_faster(run: Run, count: int) -> None:
    before = many(count, ("slow", 10.0, 3, False))
    after = list(map(unfinished, before))
    found = compared(run, before, after)
    assert changes(found) == [("unfinished newly", "slow")]
    assert changes(compared(run, after, before)) == [("finishes again", "slow")]
    assert found["changes"][0]["after"]["unfinished"] == count
    told = f"unfinished newly  0 of {count} calls  {count} of {count} calls  slow"
    assert told in " ".join(run("compare", *sides(before, after)).out.split("\n"))


def test_what_seldom_never_finishes_may_be_chance(run: Run) -> None:
    before = many(20, ("a", 10, 0, False))
    found = compared(run, before, [*before[1:], *map(unfinished, before[:1])])
    assert changes(found) == []
    assert changes(found, chance=True) == [("unfinished newly", "a")]
