"""Sums of queries, which stay exact where sends are forgotten."""

from __future__ import annotations

import contextvars
import threading
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections
from django.dispatch import Signal

import signal_trace
from signal_trace import Trace, folding, queries, recording
from signal_trace.parts import Queries, Statement
from signal_trace.queries import MOST_STATEMENTS, QueryLog, Sums, add_up, is_write

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings

pytestmark = pytest.mark.django_db


class Sender:
    pass


class Ignored:
    pass


def ask(sql: str = "SELECT 1") -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute(sql)


def receiving(*receivers: Callable[..., Any]) -> Signal:
    signal = Signal()
    for receiver in receivers:
        signal.connect(receiver, weak=False)
    return signal


def total(trace: Trace) -> int:
    return trace.queries.count + trace.queries.nested_count


@pytest.fixture(params=[0, 1, 7, 10_000])
def limit(
    request: pytest.FixtureRequest,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> int:
    """How many sends are kept one by one; what is beyond is folded five at a time."""
    monkeypatch.setattr(folding, "BATCH", 5)
    settings.SIGNAL_TRACE = {"MAX_SENDS": request.param}
    found: int = request.param
    return found


def of_receivers(trace: Trace) -> dict[str, tuple[int, int]]:
    """Each receiver's calls and queries, kept and left out."""
    found: dict[str, tuple[int, int]] = {}

    def add(receiver: str, calls: int, queries: int) -> None:
        name = receiver.rpartition(".")[2]
        before = found.get(name, (0, 0))
        found[name] = before[0] + calls, before[1] + queries

    for call in trace.calls:
        add(call.receiver, 1, call.queries.count)
    for omitted in trace.omitted:
        for calls in omitted.calls:
            add(calls.receiver, calls.count, calls.queries)
    return found


def three_deep() -> Callable[[], None]:
    """Sends a signal whose receiver sends two more, whose receivers send one each."""

    def leaf(**kwargs: Any) -> None:
        ask()
        ask()

    leaves = receiving(leaf)

    def middle(**kwargs: Any) -> None:
        ask()
        leaves.send(Sender)

    middles = receiving(middle)

    def top(**kwargs: Any) -> None:
        middles.send(Sender)
        ask()
        middles.send(Sender)

    tops = receiving(top)
    return lambda: tops.send(Sender) and None


# What `three_deep` comes to.
DEEP = {"top": (1, 1), "middle": (2, 2), "leaf": (2, 4)}


def times(number: int) -> dict[str, tuple[int, int]]:
    return {name: (calls * number, n * number) for name, (calls, n) in DEEP.items()}


def test_sums_are_exact_past_the_limit(limit: int) -> None:
    send = three_deep()
    with signal_trace.record() as recorded:
        for _ in range(20):
            ask()
            send()
    trace = recorded.trace
    assert trace.send_count == 100
    assert len(trace.sends) == min(limit, 100)
    assert (trace.queries.count, trace.queries.nested_count) == (20, 140)
    assert of_receivers(trace) == times(20)
    for call in trace.calls:
        if call.receiver.endswith("top"):
            assert (call.queries.count, call.queries.nested_count) == (1, 6)
        if call.receiver.endswith("middle"):
            assert (call.queries.count, call.queries.nested_count) == (1, 2)


def test_sums_are_exact_in_recordings_inside_another(limit: int) -> None:
    send = three_deep()
    inner_traces: list[Trace] = []

    def nested(**kwargs: Any) -> None:
        ask()
        with signal_trace.record() as inner:
            ask()
            send()
        inner_traces.append(inner.trace)

    signal = receiving(nested)
    with signal_trace.record() as recorded:
        with signal_trace.record() as first:
            ask()
            send()
        for _ in range(10):
            signal.send(Sender)
    for trace in (first.trace, *inner_traces):
        assert (trace.queries.count, trace.queries.nested_count) == (1, 7)
        assert of_receivers(trace) == DEEP
    trace = recorded.trace
    assert (trace.queries.count, trace.queries.nested_count) == (1, 7 + 10 * 9)
    assert of_receivers(trace) == {**times(11), "nested": (10, 20)}
    for call in trace.calls:
        if call.receiver.endswith("nested"):
            assert (call.queries.count, call.queries.nested_count) == (2, 7)


def test_a_recording_still_open_inside_counts_as_well() -> None:
    inner = signal_trace.record()
    send = three_deep()
    with signal_trace.record() as recorded:
        inner.__enter__()
        ask()
        send()
    inner.__exit__(None, None, None)
    assert (recorded.trace.queries.count, total(recorded.trace)) == (1, 8)
    assert of_receivers(recorded.trace) == DEEP


def test_ignored_receivers_and_senders_count_further_out(
    limit: int, settings: Settings
) -> None:
    def kept(**kwargs: Any) -> None:
        ask()

    inner = receiving(kept)

    def unwanted(**kwargs: Any) -> None:
        ask()
        inner.send(Sender)

    middle = receiving(unwanted)

    def outer(**kwargs: Any) -> None:
        middle.send(Sender)
        inner.send(Ignored)

    signal = receiving(outer)
    settings.SIGNAL_TRACE = {
        "MAX_SENDS": limit,
        "IGNORE": [
            f"{__name__}.Ignored",
            f"{unwanted.__module__}.{unwanted.__qualname__}",
        ],
    }
    with signal_trace.record() as recorded:
        for _ in range(30):
            signal.send(Sender)
        window = recorded._window
        assert window is not None
    trace = recorded.trace
    assert of_receivers(trace) == {"outer": (30, 0)}
    assert (trace.queries.count, trace.queries.nested_count) == (0, 90)
    for call in trace.calls:
        assert call.queries.nested_count == 3
    # What is forgotten holds no memory.
    assert len(window.queries.sums()) <= 4 * (limit + 1)


@pytest.mark.parametrize("limit", [0], indirect=True)
def test_what_is_folded_holds_no_memory(limit: int) -> None:
    send = three_deep()
    with signal_trace.record() as recorded:
        sizes = []
        for _ in range(5):
            for _ in range(50):
                send()
            assert recorded._window is not None
            sizes.append(len(recorded._window.queries.sums()))
    assert max(sizes) < 20
    assert total(recorded.trace) == 250 * 7


def test_queries_that_outlive_their_call_count_for_the_trace(limit: int) -> None:
    go_on, threads = threading.Event(), []

    def start(**kwargs: Any) -> None:
        def later() -> None:
            go_on.wait()
            window_of = recording.window_at(here)
            assert window_of is not None
            for _ in range(3):
                window_of.queries.note(here, "SELECT 2", 1)

        here = recording.position.get()
        threads.append(threading.Thread(target=later))
        threads[-1].start()

    signal, send = receiving(start), three_deep()
    with signal_trace.record() as recorded:
        for _ in range(10):
            signal.send(Sender)
        for _ in range(10):
            send()
        go_on.set()
        for thread in threads:
            thread.join()
    assert total(recorded.trace) == 10 * 3 + 10 * 7
    assert of_receivers(recorded.trace)["start"][0] == 10


@pytest.mark.parametrize("limit", [0, 7], indirect=True)
def test_queries_that_outlive_their_call_hold_no_memory(limit: int) -> None:
    left: list[contextvars.Context] = []
    signal = receiving(lambda **_: left.append(contextvars.copy_context()))
    with signal_trace.record() as recorded:
        sizes = []
        for _ in range(5):
            for _ in range(50):
                signal.send(Sender)
            while left:
                left.pop().run(ask)
            assert recorded._window is not None
            sizes.append(len(recorded._window.queries.sums()))
    assert max(sizes) < 100
    assert total(recorded.trace) == 250


def test_threads_that_note_at_once_lose_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queries, "BATCH", 3)
    log = QueryLog()
    barrier = threading.Barrier(8)

    def note(here: int) -> None:
        barrier.wait()
        for number in range(500):
            log.note(here, f"SELECT {number % 5}", 2)

    threads = [threading.Thread(target=note, args=[here]) for here in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sums = log.sums()
    assert sums.keys() == set(range(8))
    assert all((one.count, one.ns) == (500, 1_000) for one in sums.values())
    assert all(set(one.statements.values()) == {100} for one in sums.values())


def test_so_many_statements_are_told_apart_and_all_are_counted() -> None:
    def ask_much(**kwargs: Any) -> None:
        for number in range(3 * MOST_STATEMENTS):
            ask(f"SELECT {number}")
        for number in range(MOST_STATEMENTS):
            ask(f"UPDATE app_tag SET name = name WHERE id = {number}")
        for _ in range(5):
            ask("SELECT 7")

    with signal_trace.record() as recorded:
        receiving(ask_much).send(Sender)
        assert recorded._window is not None
        (sums,) = recorded._window.queries.sums().values()
        assert len(sums.statements) == MOST_STATEMENTS
    ((call,),) = [send.calls for send in recorded.trace.sends]
    assert call.queries.count == 4 * MOST_STATEMENTS + 5
    assert call.queries.writes == MOST_STATEMENTS
    assert call.queries.repeated == Statement("SELECT 7", 6)


def test_statements_of_many_inner_recordings_stay_as_few() -> None:
    with signal_trace.record() as recorded:
        for number in range(2 * MOST_STATEMENTS):
            with signal_trace.record():
                ask(f"SELECT {number}")
        assert recorded._window is not None
        (sums,) = recorded._window.queries.sums().values()
        assert len(sums.statements) == MOST_STATEMENTS
    assert recorded.trace.queries.count == 2 * MOST_STATEMENTS


def test_texts_are_kept_once_and_not_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queries, "MOST_TEXTS", 10)
    monkeypatch.setattr(queries, "BATCH", 1)
    log = QueryLog()
    for number in range(100):
        log.note(1, "".join(["SELECT", f" {number % 50}"]), 1)
        log.note(2, "".join(["SELECT", f" {number % 50}"]), 1)
    assert len(log._texts) <= 12
    sums = log.sums()
    assert sums[1].statements == sums[2].statements
    assert len(sums[1].statements) == 50


def test_of_long_statements_the_beginnings_are_kept() -> None:
    log = QueryLog()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(500):
        log.note(1, f"SELECT {number}, '{'x' * 100_000}'", 1)
    kept = tracemalloc.get_traced_memory()[0] - before
    [sums] = log.sums().values()
    after = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert sums.count == 500
    assert max(kept, after) < 500 * 3_000


def test_long_statements_that_begin_alike_are_told_apart() -> None:
    log = QueryLog()
    columns = ", ".join(["column"] * 1_000)
    for table in ("one", "two", "two"):
        log.note(1, f"SELECT {columns} FROM {table}", 1)
    [sums] = log.sums().values()
    assert sorted(sums.statements.values()) == [1, 2]


def test_a_recording_that_ends_while_another_adds_up_adds_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add = Sums.add
    with signal_trace.record() as outer:
        inner = contextvars.copy_context()
        recording = signal_trace.record()
        inner.run(recording.__enter__)
        inner.run(ask)

        def add_amid_garbage(*query: Any) -> None:
            recording.__exit__(None, None, None)  # As in a finalizer.
            add(*query)

        monkeypatch.setattr(Sums, "add", add_amid_garbage)
        for _ in range(queries.BATCH):
            ask()
        monkeypatch.undo()
    assert total(recording.trace) == 1
    assert total(outer.trace) == queries.BATCH + 1


def test_a_long_statement_is_shortened() -> None:
    names = ", ".join(["1"] * 2_000)
    with signal_trace.record() as recorded:
        ask(f"SELECT 1 IN ({names})")
    repeated = recorded.trace.queries.repeated
    assert repeated is not None
    assert repeated.sql.startswith("SELECT 1 IN (1, 1")
    assert repeated.sql.endswith("…")
    assert len(repeated.sql) == queries.LONGEST_SQL + 1


@pytest.mark.parametrize(
    ("sql", "writes"),
    [
        ("INSERT INTO x", True),
        ("  update x", True),
        ("\n\tDELETE FROM x", True),
        ("REPLACE INTO x", True),
        ("MERGE INTO x", True),
        ("SELECT 1", False),
        ("(SELECT 1) UNION (SELECT 2)", False),
        ("SAVEPOINT x", False),
        ("", False),
    ],
)
def test_the_first_word_says_whether_a_statement_writes(sql: str, writes: bool) -> None:
    assert is_write(sql) is writes


def test_adding_up_keeps_the_most_repeated_statement() -> None:
    few = Queries(2, 10, 1, 5, 1, Statement("few", 2))
    many = Queries(3, 20, 2, 7, 0, Statement("many", 3))
    assert add_up([few, Queries(), many]) == Queries(
        *(5, 30, 3, 12, 1), Statement("many", 3)
    )
    assert add_up([]) == add_up([Queries(), Queries()]) == Queries()


def test_merged_sums_have_all_of_both() -> None:
    one, other = Sums(), Sums()
    one.add("SELECT 1", 5)
    other.add("SELECT 1", 6)
    other.add("DELETE FROM x", 7)
    other.add_nested(3, 30)
    both = Sums.of(one, other)
    assert (both.count, both.ns, both.writes) == (3, 18, 1)
    assert (both.nested_count, both.nested_ns) == (3, 30)
    assert both.statements == {"SELECT 1": 2, "DELETE FROM x": 1}


def test_the_toolbars_tables_are_left_out() -> None:
    log = QueryLog()
    log.note(1, 'SELECT * FROM "debug_toolbar_historyentry"', 5)
    log.note(1, "SELECT 1", 6)
    log.note(2, 'UPDATE "debug_toolbar_historyentry" SET x = 1', 7)
    assert {here: sums.count for here, sums in log.sums().items()} == {1: 1}


def test_sql_with_half_a_character_can_be_written_down() -> None:
    with signal_trace.record() as recorded, pytest.raises(UnicodeEncodeError):
        ask("SELECT '\ud800'")
    repeated = recorded.trace.queries.repeated
    assert repeated is not None
    repeated.sql.encode()
    assert Trace.from_json(recorded.trace.to_json()) == recorded.trace


def test_what_is_repeated_is_no_bracket_of_a_transaction() -> None:
    sums = Sums()
    for name in range(200):
        sums.add(f'SAVEPOINT "s{name}"', 1)
        sums.add("BEGIN", 1)
        sums.add(f'RELEASE SAVEPOINT "s{name}"', 1)
    sums.add("SELECT 1", 1)
    assert (sums.count, sums.statements) == (601, {"SELECT 1": 1})
