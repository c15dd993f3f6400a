"""Which line each finding says to open first."""

from __future__ import annotations

from typing import Any

import pytest

from signal_trace.findings import IDS
from signal_trace.parts import (
    EARLIER_RAISED,
    MAIL,
    OTHER_SENDER,
    ROLLED_BACK,
    SWALLOWED,
    UPDATE,
    Error,
    Event,
    Frame,
    NotCalled,
    Omitted,
    OmittedCalls,
    Queries,
    Statement,
)
from signal_trace.trace import Trace
from tests.findings.building import (
    MODELS,
    VIEWS,
    Ran,
    Sent,
    failed,
    line,
    only,
    ran,
    saved,
    sent,
    traced,
)
from tests.traces import MS

CODE = "/srv/shop/receivers.py"
SAVED = f"{MODELS}.post_save"
WRITES = Queries(count=1, writes=1)
SELECTS = Queries(count=20, repeated=Statement("SELECT 1", 20))


def at(number: int, name: str = "culprit", **facts: Any) -> Ran:
    """A call of a receiver that is defined in that line."""
    return ran(name, line=number, **facts)


def missed(**facts: Any) -> NotCalled:
    given = {"send": 1, "reason": EARLIER_RAISED} | facts
    return NotCalled(
        signal=SAVED, receiver="shop.receivers.missed", file=CODE, line=70, **given
    )


def event(kind: str, call: int | None, at: int | None) -> Event:
    place = None if at is None else line(at)
    return Event(kind, "shop.Thing", call, place, 1, True, False, ("shop.a",))


def error(*frames: Frame) -> Error:
    return Error("ValueError", "no", frames)


def nested(levels: int, at: int | None) -> Sent:
    sends = sent("shop.last", ran("last"), at=at)
    for level in range(levels - 1):
        sends = sent(f"shop.signal_{level}", ran(f"receiver_{level}", sends))
    return sends


def circle(at: int | None) -> Trace:
    again = saved(1, ran("x"), at=at)
    return traced(saved(1, ran("culprit", again, line=9)))


OWN, OTHERS = Frame(CODE, 12, "culprit"), Frame("/srv/smtp.py", 9, "post")
LEFT_OUT = OmittedCalls("shop.receivers.culprit", CODE, 8, 50, 0, 60 * MS, 60 * MS, MS)
NEVER_RAN = {"not_called": (missed(),)}

CULPRIT = CODE, "culprit"
VIEW = VIEWS, "checkout"

CASES: list[tuple[str, Trace, tuple[str, str], int]] = [
    # Where the receiver's own code raised, whoever's it called.
    (
        "swallowed-exception",
        traced(saved(1, at(9, outcome=SWALLOWED, error=error(OWN, OTHERS)))),
        CULPRIT,
        12,
    ),
    (
        "swallowed-exception",
        traced(saved(1, at(9, outcome=SWALLOWED, error=error(OTHERS)))),
        CULPRIT,
        9,
    ),
    # The line that sent it again.
    ("cycle", circle(31), VIEW, 31),
    ("cycle", circle(None), CULPRIT, 9),
    # What was done elsewhere, and else the first receiver.
    ("rolled-back", traced(saved(1, at(9), transaction=ROLLED_BACK)), CULPRIT, 9),
    (
        "rolled-back",
        traced(saved(1, at(9), transaction=ROLLED_BACK), events=(event(MAIL, 2, 44),)),
        VIEW,
        44,
    ),
    # Who raised.
    ("never-ran", traced(saved(1, failed("culprit", line=9)), **NEVER_RAN), CULPRIT, 9),
    ("never-ran", traced(saved(1, at(9)), **NEVER_RAN), (CODE, "missed"), 70),
    ("ran-twice", traced(saved(1, at(9), at(9))), CULPRIT, 9),
    ("ran-twice", traced(saved(1, at(9), at=30), saved(1, at(9), at=41)), VIEW, 41),
    (
        "work-before-commit",
        traced(saved(1, at(9)), events=(event(MAIL, 2, 44),)),
        VIEW,
        44,
    ),
    (
        "work-before-commit",
        traced(saved(1, at(9)), events=(event(MAIL, 2, None),)),
        CULPRIT,
        9,
    ),
    ("slow-receiver", traced(saved(1, at(9, ms=50))), CULPRIT, 9),
    (
        "slow-receiver",
        traced(omitted=(Omitted(SAVED, "shop.Order", 50, 0, 0, 0, 0, (LEFT_OUT,)),)),
        CULPRIT,
        8,
    ),
    ("repeated-query", traced(saved(1, at(9, queries=SELECTS))), CULPRIT, 9),
    ("repeated-call", traced(*[saved(pk, at(9), at=7) for pk in range(12)]), VIEW, 7),
    (
        "near-miss",
        traced(
            not_called=(
                missed(
                    send=None,
                    reason=OTHER_SENDER,
                    sender="shop.Tea",
                    near_miss="shop.GreenTea",
                ),
            )
        ),
        (CODE, "missed"),
        70,
    ),
    ("fixture-loading", traced(saved(1, at(9, queries=WRITES), raw=True)), CULPRIT, 9),
    ("deep-nesting", traced(nested(10, at=55)), VIEW, 55),
    ("deep-nesting", traced(nested(10, at=None)), (CODE, "receiver_0"), 996),
    ("bulk-write", traced(events=(event(UPDATE, None, 44),)), VIEW, 44),
    (
        "sync-receiver-in-asend",
        traced(sent("shop.paid", ran("x", is_async=True), at(9), method="asend")),
        CULPRIT,
        9,
    ),
    (
        "async-receiver-in-send",
        traced(sent("shop.paid", ran("x"), at(9, is_async=True))),
        CULPRIT,
        9,
    ),
]


@pytest.mark.parametrize(("id", "trace", "where", "number"), CASES)
def test_the_line_to_open_first(
    id: str, trace: Trace, where: tuple[str, str], number: int
) -> None:
    finding = only(trace, id)
    assert finding.location == Frame(where[0], number, where[1])
    assert "/srv/" not in finding.message


def test_every_finding_has_a_line() -> None:
    assert {id for id, *_ in CASES} == set(IDS)


def test_of_what_is_not_written_in_python_no_line_is_known() -> None:
    slow = ran("culprit", ms=50, file=None, line=None)
    assert only(traced(saved(1, slow)), "slow-receiver").location is None
