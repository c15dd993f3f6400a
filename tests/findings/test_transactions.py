from __future__ import annotations

from typing import Any

import pytest

from signal_trace.parts import (
    COMMITTED,
    HINT,
    MAIL,
    ON_COMMIT,
    OPEN,
    PROBLEM,
    ROLLED_BACK,
    TASK,
    WARNING,
    Event,
    Queries,
)
from tests.findings.building import found, line, only, ran, saved, traced

ONE_WRITE = Queries(count=2, duration_ns=1_000, writes=1)


def event(kind: str = MAIL, call: int | None = 2, **facts: Any) -> Event:
    given: dict[str, Any] = {
        "subject": "smtp.EmailBackend" if kind == MAIL else "shop.tasks.pack",
        "call_site": line(12, "shop/mail.py"),
        "count": 1,
        "in_transaction": True,
        "in_callback": False,
        "receivers": (),
    }
    return Event(kind, call=call, **given | facts)


def test_receivers_of_a_rolled_back_transaction_are_one_finding() -> None:
    trace = traced(
        saved(1, ran("index", queries=ONE_WRITE), ran("mail"), transaction=ROLLED_BACK),
        saved(2, ran("index"), transaction=ROLLED_BACK),
        saved(3, ran("other"), transaction=COMMITTED),
    )
    finding = only(trace, "rolled-back")
    assert finding.level == WARNING
    assert finding.message == (
        "shop.receivers.index and shop.receivers.mail ran in a transaction that was"
        " rolled back (3 calls). What was written to the database is undone; what was"
        " done elsewhere stands."
    )
    assert finding.advice.endswith(
        'leave it out: "rolled-back:shop.receivers.index" in SILENCED_FINDINGS.'
    )
    assert finding.evidence == (2, 3, 5)
    assert finding.receivers == ("shop.receivers.index", "shop.receivers.mail")


def test_receivers_that_wrote_nothing_are_a_hint() -> None:
    trace = traced(saved(1, ran("check"), transaction=ROLLED_BACK))
    assert only(trace, "rolled-back").level == HINT


def test_who_waits_for_the_commit_is_left_out() -> None:
    trace = traced(
        saved(1, ran("mail"), ran("check"), transaction=ROLLED_BACK),
        events=(event(ON_COMMIT),),
    )
    assert only(trace, "rolled-back").receivers == ("shop.receivers.check",)
    trace = traced(
        saved(1, ran("mail"), transaction=ROLLED_BACK), events=(event(ON_COMMIT),)
    )
    assert not found(trace, "rolled-back")
    trace = traced(
        saved(1, ran("mail", queries=ONE_WRITE), transaction=ROLLED_BACK),
        events=(event(ON_COMMIT),),
    )
    assert only(trace, "rolled-back").level == WARNING


def test_mail_of_a_rolled_back_transaction_is_a_problem() -> None:
    trace = traced(
        saved(1, ran("mail"), ran("pack"), transaction=ROLLED_BACK),
        events=(event(count=2), event(TASK, 3), event(TASK, 3, in_callback=True)),
    )
    finding = only(trace, "rolled-back")
    assert finding.level == PROBLEM
    assert finding.message.endswith("stands: 2 messages sent and 1 task enqueued.")


def test_rows_that_are_loaded_are_ordinary_and_what_is_related_is_not() -> None:
    loaded = saved(1, ran("track"), signal="post_init", transaction=ROLLED_BACK)
    assert found(traced(loaded), "rolled-back") == []
    related = saved(1, ran("tell"), signal="m2m_changed", transaction=ROLLED_BACK)
    finding = only(traced(loaded, related), "rolled-back")
    assert finding.receivers == ("shop.receivers.tell",)


@pytest.mark.parametrize("transaction", [COMMITTED, OPEN, None])
def test_nothing_else_was_rolled_back(transaction: str | None) -> None:
    trace = traced(saved(1, ran("index"), transaction=transaction))
    assert found(trace, "rolled-back") == []


def test_loading_has_no_effect_that_could_be_rolled_back() -> None:
    loaded = saved(1, ran("track"), signal="post_init", transaction=ROLLED_BACK)
    own = saved(1, ran("django.contrib.auth.x"), transaction=ROLLED_BACK)
    assert found(traced(loaded, own), "rolled-back") == []


def test_silenced_receiver_is_left_out_of_the_rolled_back() -> None:
    trace = traced(saved(1, ran("index"), ran("mail"), transaction=ROLLED_BACK))
    silenced = ["rolled-back:shop.receivers.index"]
    finding = only(trace, "rolled-back", SILENCED_FINDINGS=silenced)
    assert finding.receivers == ("shop.receivers.mail",)
    assert "(1 call)" in finding.message


def test_mail_before_the_commit_is_named_with_its_line() -> None:
    trace = traced(saved(1, ran("mail")), events=(event(count=2), event()))
    finding = only(trace, "work-before-commit")
    assert finding.level == WARNING
    assert finding.message.startswith(
        "shop.receivers.mail sent 3 messages (smtp.EmailBackend) inside an open"
        " transaction, at shop/mail.py:12."
    )
    assert finding.evidence == (2,)
    assert finding.receivers == ("shop.receivers.mail",)


def test_mail_and_tasks_are_told_apart() -> None:
    trace = traced(saved(1, ran("mail")), events=(event(), event(TASK)))
    mail, task = found(trace, "work-before-commit")
    assert "sent 1 message" in mail.message
    assert "enqueued 1 task (shop.tasks.pack)" in task.message


@pytest.mark.parametrize(
    "ordinary",
    [
        event(in_transaction=False),
        event(in_callback=True),
        event(call=None),
        event(call=99),
        event(ON_COMMIT),
    ],
)
def test_work_after_the_commit_or_outside_of_receivers_is_ordinary(
    ordinary: Event,
) -> None:
    trace = traced(saved(1, ran("mail")), events=(ordinary,))
    assert found(trace, "work-before-commit") == []
