"""Receivers that work too much: slow ones, and those that do one thing again and
again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from heapq import nlargest
from typing import NamedTuple

from signal_trace.durations import shown
from signal_trace.findings.facts import (
    MOST_EVIDENCE,
    Facts,
    Found,
    definition,
    is_djangos,
    kind_of,
)
from signal_trace.findings.words import counted, short_sql, times
from signal_trace.parts import HINT, WARNING, Call, OmittedCalls, Send
from signal_trace.telling import place
from signal_trace.tree import short_name

# A receiver none of whose calls is slow is slow as a whole only where it takes so much
# of a trace: in a command that runs for minutes, every receiver adds up to something.
SLOW_SHARE = 0.1


def slow_receiver(facts: Facts) -> Iterator[Found]:
    trace, limit = facts.trace, facts.settings.SLOW_RECEIVER_MS * 1e6
    own: defaultdict[str, int] = defaultdict(int)
    for receiver, calls in facts.calls_of.items():
        own[receiver] = sum([call.self_ns or 0 for call in calls])
    left_out: defaultdict[str, list[OmittedCalls]] = defaultdict(list)
    for omitted in [calls for one in trace.omitted for calls in one.calls]:
        own[omitted.receiver] += omitted.self_ns
        left_out[omitted.receiver].append(omitted)
    slow = {receiver: self_ns for receiver, self_ns in own.items() if self_ns >= limit}
    for receiver, self_ns in sorted(slow.items(), key=lambda one: -one[1]):
        kept = facts.calls_of.get(receiver, [])
        worst = nlargest(MOST_EVIDENCE, kept, key=lambda call: call.self_ns or 0)
        slowest = (worst[0].self_ns or 0) if worst else 0
        if slowest < limit and self_ns < SLOW_SHARE * trace.duration_ns:
            continue
        count = len(kept) + sum([one.count for one in left_out[receiver]])
        message = f"{receiver} took {shown(self_ns)} of its own in"
        message += f" {counted(count, 'call')}"
        if count > 1 and kept:
            message += f", the slowest {shown(slowest)}"
        if trace.duration_ns:
            share = self_ns / trace.duration_ns
            message += f": {share:.0%} of all the time that was traced"
        waited = sum([call.suspended_ns or 0 for call in kept])
        if waited:
            message += f". It spent {shown(waited)} waiting"
        yield Found(
            WARNING,
            f"{message}.",
            "Whoever sends the signal waits for it. Let it do less, or hand what"
            " nobody waits for to a background task, from transaction.on_commit().",
            [call.id for call in worst],
            [receiver],
            definition(worst[0] if worst else left_out[receiver][0]),
        )


def repeated_call(facts: Facts) -> Iterator[Found]:
    limit = facts.settings.REPEATED_CALLS
    # By receiver, the calls that each line set off, with one of the sends.
    found: defaultdict[str, list[tuple[list[Call], Send]]] = defaultdict(list)
    for sends in facts.by_line.values():
        if len(sends) >= limit:
            calls_of: defaultdict[str, list[Call]] = defaultdict(list)
            for call in [call for send in sends for call in send.calls]:
                calls_of[call.receiver].append(call)
            for receiver, calls in calls_of.items():
                if len(calls) >= limit and not is_djangos(receiver):
                    found[receiver].append((calls, sends[0]))
    for lines in found.values():
        lines.sort(key=lambda line: -len(line[0]))
    for receiver, lines in sorted(found.items(), key=lambda one: -len(one[1][0][0])):
        calls, send = lines[0]
        total = sum([call.duration_ns or 0 for call in calls])
        queries = sum(
            [call.queries.count + call.queries.nested_count for call in calls]
        )
        did = f", with {counted(queries, 'query')}" if queries else ""
        more = f", and often from {counted(len(lines) - 1, 'other line')}"
        costly = queries or total >= facts.settings.SLOW_RECEIVER_MS * 1e6
        yield Found(
            WARNING if costly else HINT,
            f"{receiver} ran {times(len(calls))} for {_sent(send)}"
            f"{more if len(lines) > 1 else ''}: {shown(total)} in all{did}.",
            "If that line is in a loop, do the work once after it, for all rows"
            " together; or let the receiver return early where it has nothing to do.",
            [call.id for call in calls],
            [receiver],
            send.call_site,
        )


class Repetition(NamedTuple):
    """How often a statement was executed, which one, and in which calls of what was
    sent."""

    times: int
    sql: str
    calls: list[Call]
    send: Send


def repeated_query(facts: Facts) -> Iterator[Found]:
    limit = facts.settings.REPEATED_QUERIES
    # By receiver; what one call repeated says more than what many did together.
    found = _in_many_calls(facts, limit) | _in_one_call(facts, limit)
    for receiver, one in sorted(found.items(), key=lambda item: -item[1].times):
        many = f"in {counted(len(one.calls), 'call')} for {_sent(one.send)}"
        yield Found(
            WARNING,
            f"{receiver} executed one statement {times(one.times)}"
            f" {many if len(one.calls) > 1 else 'in one call'}: {short_sql(one.sql)}",
            "Fetch or write all rows in one query: select_related(),"
            " prefetch_related(), a filter with __in, or bulk_create() and"
            " bulk_update(), which send no signals of their own.",
            [call.id for call in one.calls],
            [receiver],
            definition(one.calls[0]),
        )


def _in_one_call(facts: Facts, limit: int) -> dict[str, Repetition]:
    """By receiver, what one of its calls repeated most."""
    found: dict[str, Repetition] = {}
    for call in facts.calls:
        most = call.queries.repeated
        if most is not None and most.count >= limit:
            known = found.get(call.receiver)
            if known is None or known.times < most.count:
                send, _ = facts.by_id[call.id]
                found[call.receiver] = Repetition(most.count, most.sql, [call], send)
    return found


def _in_many_calls(facts: Facts, limit: int) -> dict[str, Repetition]:
    """By receiver, what its calls that one line set off repeated most together."""
    found: dict[str, Repetition] = {}
    for sends in facts.by_line.values():
        counts: defaultdict[tuple[str, str], int] = defaultdict(int)
        for send in sends:
            for call in send.calls:
                most = call.queries.repeated
                if most is not None:
                    counts[call.receiver, most.sql] += most.count
        for (receiver, sql), count in counts.items():
            known = found.get(receiver)
            if count >= limit and (known is None or known.times < count):
                calls = _executing(sends, receiver, sql)
                found[receiver] = Repetition(count, sql, calls, sends[0])
    return found


def _executing(sends: list[Send], receiver: str, sql: str) -> list[Call]:
    return [
        call
        for send in sends
        for call in send.calls
        if call.receiver == receiver
        and call.queries.repeated is not None
        and call.queries.repeated.sql == sql
    ]


def _sent(send: Send) -> str:
    where = f" sent at {place(send.call_site)}" if send.call_site else ""
    return f"{short_name(send.signal)} of {kind_of(send.sender)}{where}"
