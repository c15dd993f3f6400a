"""Receivers that failed without anybody noticing, and those that another's failure
kept from running."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from signal_trace.findings.facts import Facts, Found, Run, definition
from signal_trace.findings.words import counted, listed
from signal_trace.parts import (
    EARLIER_RAISED,
    PROBLEM,
    SWALLOWED,
    WARNING,
    Call,
    NotCalled,
    Send,
)
from signal_trace.telling import place
from signal_trace.tree import short_name


def swallowed_exception(facts: Facts) -> Iterator[Found]:
    failed: defaultdict[str, list[Run]] = defaultdict(list)
    for id in [call.id for call in facts.calls if call.outcome == SWALLOWED]:
        run = facts.by_id[id]
        failed[run[1].receiver].append(run)
    for receiver, runs in sorted(failed.items(), key=lambda one: -len(one[1])):
        send, call = runs[0]
        frames = call.error.frames if call.error else ()
        # The line that raised may be the database driver's.
        own = [frame for frame in frames if frame.file == call.file]
        where = f", at {place((own or frames)[-1])}" if frames else ""
        kinds = listed(f"{one.error or 'an exception'}" for _, one in runs)
        count = f" in {counted(len(runs), 'call')}" if len(runs) > 1 else ""
        yield Found(
            PROBLEM,
            f"{receiver} raised {kinds}{count}{where}, and {send.method} of"
            f" {short_name(send.signal)} swallowed it: what was left to do was not"
            " done.",
            "Mend it, or catch in the receiver what may happen. send_robust() returns"
            " the exceptions: look at what it returns, or watch the logger"
            " django.dispatch, which it writes them to.",
            [id for send, call in runs for id in (call.id, send.id)],
            [receiver],
            own[-1] if own else definition(call),
        )


def never_ran(facts: Facts) -> Iterator[Found]:
    missed = [one for one in facts.trace.not_called if one.reason == EARLIER_RAISED]
    if not missed:
        return
    sends = {send.id: send for send in facts.trace.sends}
    groups: defaultdict[tuple[str, str | None], list[tuple[Send, NotCalled]]]
    groups = defaultdict(list)
    for one in missed:
        send = sends.get(one.send or 0)
        if send is not None and facts.wanted(never_ran, one.receiver):
            failed = _failed(send)
            culprit = failed.receiver if failed else None
            groups[one.signal, culprit].append((send, one))
    for (signal, culprit), pairs in groups.items():
        # Where it is in no trace, it is among what IGNORE leaves out.
        who = culprit or "a receiver that this trace leaves out"
        send, first_missed = pairs[0]
        what = next((f" {call.error}" for call in send.calls if call.error), "")
        count = len({send.id for send, _ in pairs})
        more = f" in {counted(count, 'send')}" if count > 1 else ""
        names = [one.receiver for _, one in pairs]
        yield Found(
            WARNING,
            f"{listed(names)} never ran{more}, since {who} raised{what} when"
            f" {short_name(signal)} was sent from {send.sender}.",
            "If the others are to run all the same, send with send_robust(), and look"
            " at the exceptions that it returns; or catch the exception in the"
            " receiver that raises it.",
            [send.id for send, _ in pairs],
            [*([culprit] if culprit else []), *names],
            definition(_failed(send) or first_missed),
        )


def _failed(send: Send) -> Call | None:
    return next((call for call in send.calls if call.error), None)
