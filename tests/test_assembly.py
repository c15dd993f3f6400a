from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from django.dispatch import Signal

import signal_trace
from signal_trace import Trace
from signal_trace.assembly import plain_value
from signal_trace.parts import Unreceived
from tests.app.models import Book, Tag

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.fake_clock import FakeClock

HERE = __name__
MS = 1_000_000

ordered = Signal()
paid = Signal()
shipped = Signal()


def pay(**kwargs: Any) -> None:
    paid.send("pay")


def ship(**kwargs: Any) -> None:
    shipped.send("ship")


def note(**kwargs: Any) -> None:
    pass


@pytest.fixture(autouse=True)
def connected() -> Any:
    links = [(ordered, pay), (ordered, note), (paid, ship), (shipped, note)]
    for signal, receiver in links:
        signal.connect(receiver)
    yield
    for signal, receiver in links:
        signal.disconnect(receiver)


def record_order() -> Trace:
    with signal_trace.record() as recording:
        ordered.send("shop")
    return recording.trace


def outline(trace: Trace) -> list[tuple[str, list[str]]]:
    """Each send's signal and receivers by their last names."""
    return [
        (
            send.signal.rpartition(".")[2],
            [call.receiver.rpartition(".")[2] for call in send.calls],
        )
        for send in trace.sends
    ]


def test_sends_stand_in_the_order_of_their_start_and_name_their_parent() -> None:
    trace = record_order()
    assert outline(trace) == [
        ("ordered", ["pay", "note"]),
        ("paid", ["ship"]),
        ("shipped", ["note"]),
    ]
    first, second, third = trace.sends
    assert first.parent is None
    assert second.parent == first.calls[0].id
    assert third.parent == second.calls[0].id


def test_ids_are_unique_among_sends_and_calls() -> None:
    trace = record_order()
    ids = [send.id for send in trace.sends] + [call.id for call in trace.calls]
    assert len(set(ids)) == len(ids) == 7


def test_own_time_of_a_call_leaves_out_what_is_nested_in_it(clock: FakeClock) -> None:
    inner = Signal()

    def take_two(**kwargs: Any) -> None:
        clock.pass_ms(2)

    def take_three_around_it(**kwargs: Any) -> None:
        clock.pass_ms(1)
        inner.send("test")
        clock.pass_ms(2)
        inner.send("test")

    outer = Signal()
    outer.connect(take_three_around_it)
    inner.connect(take_two)
    with signal_trace.record() as recording:
        clock.pass_ms(5)
        outer.send("test")
    [call, *nested] = recording.trace.calls
    assert (call.start_ns, call.duration_ns, call.self_ns) == (5 * MS, 7 * MS, 3 * MS)
    assert [(one.start_ns, one.self_ns) for one in nested] == [
        (6 * MS, 2 * MS),
        (10 * MS, 2 * MS),
    ]


def test_own_time_of_a_call_counts_concurrent_sends_in_it_once(
    clock: FakeClock,
) -> None:
    inner, outer = Signal(), Signal()

    async def take_four(**kwargs: Any) -> None:
        clock.pass_ms(2)
        await asyncio.sleep(0)
        clock.pass_ms(2)

    async def send_twice(**kwargs: Any) -> None:
        clock.pass_ms(1)
        await asyncio.gather(inner.asend("one"), inner.asend("other"))

    inner.connect(take_four)
    outer.connect(send_twice)
    with signal_trace.record() as recording:
        asyncio.run(outer.asend("test"))
    [send, one, other] = recording.trace.sends
    assert one.parent == other.parent == send.calls[0].id
    assert recording.trace.end_of(one) > other.start_ns
    assert (send.calls[0].duration_ns, send.calls[0].self_ns) == (9 * MS, 1 * MS)


@pytest.mark.parametrize(
    ("ignored", "left"),
    [
        (f"{HERE}.ordered", []),
        (HERE, []),
        (f"{HERE}.paid", [("ordered", ["pay", "note"])]),
        (
            f"{HERE}.note",
            [("ordered", ["pay"]), ("paid", ["ship"])],
        ),
        # What an ignored receiver sends goes with it.
        (f"{HERE}.pay", [("ordered", ["note"])]),
        ("pay", [("ordered", ["pay", "note"])]),
        ("shop", []),
    ],
)
def test_ignored_signals_senders_and_receivers_are_left_out(
    settings: Settings, ignored: str, left: list[tuple[str, list[str]]]
) -> None:
    settings.SIGNAL_TRACE = {"IGNORE": [ignored]}
    assert outline(record_order()) == left


def test_ignored_model_is_left_out_with_its_instances(
    settings: Settings,
) -> None:
    settings.SIGNAL_TRACE = {"IGNORE": ["app.Book"]}
    senders = [Book, Book(pk=1), Tag, Tag(pk=1)]
    with signal_trace.record() as recording:
        for sender in senders:
            shipped.send(sender)
    assert [send.sender for send in recording.trace.sends] == [
        "app.Tag",
        "app.Tag(pk=1)",
    ]


def test_sends_that_nobody_heard_are_counted_with_the_most_frequent_first(
    settings: Settings,
) -> None:
    settings.SIGNAL_TRACE = {"IGNORE": ["app.Tag"]}
    senders = [Tag, Tag(pk=1), None, Book, Book(pk=1), Book(pk=2), Book]
    unheard = Signal()
    with signal_trace.record() as recording:
        for sender in senders:
            unheard.send(sender)
    name = "unnamed django.dispatch.dispatcher.Signal"
    assert recording.trace.sends == ()
    # Equally frequent ones stand in the order of their names.
    assert recording.trace.unreceived == (
        Unreceived(name, "app.Book", 2),
        Unreceived(name, "app.Book instance", 2),
        Unreceived(name, "None", 1),
    )


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        (5, 5),
        (0.5, 0.5),
        ("text", "text"),
        ([1, ("two",)], [1, ["two"]]),
        ({"a": {"b": 1}}, {"a": {"b": 1}}),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        ({1: 2}, "dict"),
        ({1}, "set"),
        (b"bytes", "bytes"),
        (ordered, "django.dispatch.dispatcher.Signal"),
    ],
)
def test_attributes_are_plain_values(value: Any, plain: Any) -> None:
    assert plain_value(value) == plain
    with signal_trace.record(value=value) as recording:
        pass
    assert recording.trace.attributes == {"value": plain}
    assert Trace.from_json(recording.trace.to_json()) == recording.trace
