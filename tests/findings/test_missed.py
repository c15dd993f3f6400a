from __future__ import annotations

from typing import Any

from signal_trace.parts import (
    CHILD,
    HINT,
    MAIL,
    OTHER_SENDER,
    PARENT,
    PROXY,
    UPDATE,
    WARNING,
    Event,
    NotCalled,
)
from tests.findings.building import MODELS, found, line, only, ran, saved, traced

SAVED = f"{MODELS}.post_save"


def missed(
    receiver: str = "shop.receivers.index",
    sender: str | None = "shop.Product",
    near_miss: str | None = "shop.Kettle",
    relation: str | None = CHILD,
) -> NotCalled:
    return NotCalled(
        *(None, SAVED, receiver, None, None, OTHER_SENDER),
        *(sender, near_miss, relation if near_miss else None),
    )


def kettle(receiver: str = "mail") -> Any:
    return saved(1, ran(receiver), model="shop.Kettle")


def test_receiver_that_listens_to_the_parent_is_named_with_both() -> None:
    trace = traced(
        saved(1, ran("mail")), kettle(), not_called=(missed(), missed(near_miss=None))
    )
    finding = only(trace, "near-miss")
    assert finding.level == WARNING
    assert finding.message.startswith(
        "shop.receivers.index did not hear post_save: it is connected for shop.Product,"
        " and its child shop.Kettle sent it. A parent, child or proxy counts"
    )
    assert finding.evidence == (3,)
    assert finding.receivers == ("shop.receivers.index",)


def test_several_near_misses_of_one_receiver_are_one_finding() -> None:
    trace = traced(
        kettle(),
        not_called=(
            missed(),
            missed(near_miss="shop.Teapot", relation=PROXY),
            missed(near_miss="shop.Mug", relation=None),
            missed(),
        ),
    )
    assert (
        "for shop.Product, and its child shop.Kettle, its proxy shop.Teapot and"
        " shop.Mug sent it."
    ) in only(trace, "near-miss").message


def test_sender_that_cannot_be_known_is_not_named() -> None:
    trace = traced(kettle(), not_called=(missed(sender=None),))
    assert "connected for another sender, and" in only(trace, "near-miss").message


def test_receiver_that_is_connected_for_both_missed_nothing() -> None:
    trace = traced(kettle("index"), not_called=(missed(),))
    assert found(trace, "near-miss") == []


def test_receiver_of_a_child_needs_not_hear_of_its_parents() -> None:
    trace = traced(kettle(), not_called=(missed(relation=PARENT),))
    assert found(trace, "near-miss") == []


def test_receiver_of_an_unrelated_sender_missed_nothing() -> None:
    trace = traced(kettle(), not_called=(missed(near_miss=None),))
    assert found(trace, "near-miss") == []


def test_djangos_own_receivers_know_whom_they_listen_to() -> None:
    name = "django.db.models.fields.files.ImageField.update_dimension_fields"
    assert found(traced(kettle(), not_called=(missed(name),)), "near-miss") == []


def write(at: int = 7, call: int | None = None, *receivers: str) -> Event:
    names = tuple(f"shop.receivers.{name}" for name in receivers)
    return Event(UPDATE, "shop.Product", call, line(at), 1, False, False, names)


def test_bulk_write_names_model_method_line_and_receivers() -> None:
    trace = traced(saved(1, ran("deliver")), events=(write(7, 2, "index", "level"),))
    finding = only(trace, "bulk-write")
    assert finding.level == HINT
    assert finding.message == (
        "update() of shop.Product at shop/views.py:7 sent no signals (1 time):"
        " shop.receivers.index and shop.receivers.level did not hear of it."
    )
    assert finding.evidence == (2,)
    assert finding.receivers == ("shop.receivers.index", "shop.receivers.level")


def test_bulk_writes_outside_of_receivers_count_and_have_no_evidence() -> None:
    events = tuple(write(number, None, "index") for number in range(9))
    finding = only(traced(events=events), "bulk-write")
    assert "views.py:0, " in finding.message
    assert "and 6 more sent no signals (9 times)" in finding.message
    assert finding.evidence == ()


def test_bulk_write_in_a_call_that_the_trace_left_out_has_no_evidence() -> None:
    finding = only(traced(events=(write(7, 99, "index"),)), "bulk-write")
    assert finding.evidence == ()


def test_bulk_write_that_nobody_would_have_heard_is_ordinary() -> None:
    assert found(traced(events=(write(7),)), "bulk-write") == []


def test_other_events_are_no_bulk_writes() -> None:
    mail = Event(MAIL, "smtp", None, line(7), 1, False, False, ("shop.receivers.x",))
    assert found(traced(events=(mail,)), "bulk-write") == []


def test_silenced_receiver_is_left_out_of_those_who_did_not_hear() -> None:
    trace = traced(events=(write(7, None, "index", "level"),))
    silenced = ["bulk-write:shop.receivers.index"]
    finding = only(trace, "bulk-write", SILENCED_FINDINGS=silenced)
    assert finding.receivers == ("shop.receivers.level",)
