from __future__ import annotations

from typing import Any

import pytest

from signal_trace.parts import (
    EARLIER_RAISED,
    OTHER_SENDER,
    PROBLEM,
    RETURNED,
    SEND_FAILED,
    SWALLOWED,
    WARNING,
    Error,
    Frame,
    NotCalled,
)
from tests.findings.building import (
    MODELS,
    error,
    failed,
    found,
    only,
    ran,
    saved,
    sent,
    traced,
)

PAID = "shop.signals.order_paid"
SAVED = f"{MODELS}.post_save"


def test_swallowed_exception_is_a_problem_with_its_receiver_and_error() -> None:
    label = failed("print_label", SWALLOWED)
    trace = traced(sent(PAID, ran("mail"), label, method="send_robust"))
    finding = only(trace, "swallowed-exception")
    assert finding.level == PROBLEM
    assert finding.message == (
        "shop.receivers.print_label raised ValueError: no postcode, at"
        " shop/mail.py:12, and send_robust of order_paid swallowed it: what was"
        " left to do was not done."
    )
    assert finding.evidence == (3, 1)


def test_the_line_is_the_receivers_own_and_not_the_drivers() -> None:
    frames = (
        Frame("/srv/shop/receivers.py", 40, "label"),
        Frame("/srv/site-packages/psycopg/cursor.py", 117, "execute"),
    )
    label = failed("label", SWALLOWED, error=Error("IntegrityError", None, frames))
    trace = traced(sent(PAID, label, method="send_robust"))
    finding = only(trace, "swallowed-exception")
    assert "at shop/receivers.py:40, and" in finding.message
    assert finding.location == frames[0]


def test_swallowed_exceptions_of_one_receiver_are_one_finding() -> None:
    sends = [
        sent(PAID, failed("label", SWALLOWED, error=error(f"no {number}")))
        for number in range(60)
    ]
    finding = only(traced(*sends), "swallowed-exception")
    assert "no 0, ValueError: no 1, ValueError: no 2 and 57 more" in finding.message
    assert "in 60 calls" in finding.message
    assert len(finding.evidence) == 50


def test_exception_that_is_passed_on_is_not_swallowed() -> None:
    assert found(traced(saved(1, failed("stock"))), "swallowed-exception") == []


def missed(receiver: str, send: int | None = 1, **facts: Any) -> NotCalled:
    given = {"reason": EARLIER_RAISED, "signal": SAVED} | facts
    return NotCalled(
        send=send, receiver=f"shop.receivers.{receiver}", file=None, line=None, **given
    )


def test_receivers_that_never_ran_are_named_with_who_raised() -> None:
    trace = traced(
        saved(1, ran("first"), failed("stock"), error=error()),
        not_called=(missed("mail"), missed("index")),
    )
    finding = only(trace, "never-ran")
    assert finding.level == WARNING
    assert finding.message == (
        "shop.receivers.mail and shop.receivers.index never ran, since"
        " shop.receivers.stock raised ValueError: no postcode when post_save was sent"
        " from shop.Order."
    )
    assert finding.evidence == (1,)
    assert finding.receivers == (
        "shop.receivers.stock",
        "shop.receivers.mail",
        "shop.receivers.index",
    )


def test_failures_of_one_receiver_are_one_finding() -> None:
    trace = traced(
        *(saved(pk, failed("stock")) for pk in range(3)),
        not_called=tuple(missed("mail", send) for send in (1, 3, 5)),
    )
    assert "mail never ran in 3 sends, since" in only(trace, "never-ran").message


def test_outcome_needs_not_be_known() -> None:
    trace = traced(saved(1, failed("stock", RETURNED)), not_called=(missed("mail"),))
    assert "shop.receivers.stock raised" in only(trace, "never-ran").message


def test_who_raised_may_be_left_out_of_the_trace() -> None:
    finding = only(
        traced(saved(1, ran("first")), not_called=(missed("mail"),)), "never-ran"
    )
    assert "since a receiver that this trace leaves out raised when" in finding.message
    assert finding.receivers == ("shop.receivers.mail",)


@pytest.mark.parametrize(
    "facts",
    [{"reason": SEND_FAILED}, {"reason": OTHER_SENDER, "send": None}],
)
def test_other_reasons_for_not_being_called_are_no_failures(
    facts: dict[str, Any],
) -> None:
    trace = traced(saved(1, ran("first")), not_called=(missed("mail", **facts),))
    assert found(trace, "never-ran") == []


def test_silenced_receiver_is_left_out_of_those_that_never_ran() -> None:
    trace = traced(
        saved(1, failed("stock")), not_called=(missed("mail"), missed("index"))
    )
    silenced = ["never-ran:shop.receivers.mail"]
    finding = only(trace, "never-ran", SILENCED_FINDINGS=silenced)
    assert "mail" not in finding.message
    by_culprit = ["never-ran:shop.receivers.stock"]
    assert found(trace, "never-ran", SILENCED_FINDINGS=by_culprit) == []
