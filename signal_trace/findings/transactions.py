"""What receivers did in transactions that were not committed, or not yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from signal_trace.findings.facts import (
    LOADING,
    Facts,
    Found,
    definition,
    id_of,
    is_djangos,
)
from signal_trace.findings.words import counted, listed, places
from signal_trace.parts import (
    HINT,
    MAIL,
    ON_COMMIT,
    PROBLEM,
    ROLLED_BACK,
    TASK,
    WARNING,
    Call,
    Event,
    Frame,
)


def rolled_back(facts: Facts) -> Iterator[Found]:
    calls: list[Call] = [
        call
        for send in facts.trace.sends
        if send.transaction == ROLLED_BACK and send.signal not in LOADING
        for call in send.calls
        if not is_djangos(call.receiver) and facts.wanted(rolled_back, call.receiver)
    ]
    ids = {call.id for call in calls}
    sent = [event for event in _outside(facts) if event.call in ids]
    did_something = {event.call for event in sent}
    did_something |= {call.id for call in calls if call.queries.writes}
    # They left it until after the commit, as they should.
    waited = {event.call for event in facts.trace.events if event.kind == ON_COMMIT}
    calls = [call for call in calls if call.id not in waited - did_something]
    if not calls:
        return
    names = [call.receiver for call in calls]
    did = " and ".join(f"{_sent(kind, sent)}" for kind in _kinds(sent))
    yield Found(
        PROBLEM if sent else WARNING if did_something else HINT,
        f"{listed(names)} ran in a transaction that was rolled back"
        f" ({counted(len(calls), 'call')}). What was written to the database is undone;"
        f" what was done elsewhere stands{f': {did}' if did else ''}.",
        "Do what can't be undone once the transaction is committed, in"
        " transaction.on_commit(). What a receiver writes to the database only is"
        f' undone with the rest; to leave it out: "{id_of(rolled_back)}:{names[0]}" in'
        " SILENCED_FINDINGS.",
        [
            *(event.call for event in sent if event.call is not None),
            *(call.id for call in calls),
        ],
        names,
        _first_line(sent) or definition(calls[0]),
    )


def work_before_commit(facts: Facts) -> Iterator[Found]:
    done: defaultdict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in _outside(facts):
        if event.in_transaction and event.call in facts.by_id:
            _, call = facts.by_id[event.call]
            done[call.receiver, event.kind].append(event)
    for (receiver, kind), events in done.items():
        subjects = listed(event.subject for event in events)
        lines = places(event.call_site for event in events)
        yield Found(
            WARNING,
            f"{receiver} {'sent' if kind == MAIL else 'enqueued'}"
            f" {_counted(kind, events)} ({subjects}) inside an open transaction"
            f"{f', at {lines}' if lines else ''}. It may yet be rolled back, and"
            " whoever reads the database meanwhile doesn't see what it wrote.",
            "Leave it to transaction.on_commit(), which does it after the commit, and"
            " after a rollback not at all.",
            [event.call for event in events if event.call is not None],
            [receiver],
            _first_line(events) or definition(facts.by_id[events[0].call or 0][1]),
        )


def _outside(facts: Facts) -> Iterator[Event]:
    """What receivers did that no rollback takes back."""
    for event in facts.trace.events:
        if event.kind in (MAIL, TASK) and event.call and not event.in_callback:
            yield event


def _first_line(events: list[Event]) -> Frame | None:
    return next((event.call_site for event in events if event.call_site), None)


def _kinds(events: list[Event]) -> list[str]:
    return list(dict.fromkeys(event.kind for event in events))


def _sent(kind: str, events: list[Event]) -> str:
    of_kind = [event for event in events if event.kind == kind]
    verb = "sent" if kind == MAIL else "enqueued"
    return f"{_counted(kind, of_kind)} {verb}"


def _counted(kind: str, events: list[Event]) -> str:
    total = sum(event.count for event in events)
    return counted(total, "message" if kind == MAIL else "task")
