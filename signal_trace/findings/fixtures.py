"""Receivers that work while a fixture is loaded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from signal_trace.findings.facts import Facts, Found, Run, definition
from signal_trace.findings.words import counted
from signal_trace.parts import WARNING
from signal_trace.tree import short_name


def fixture_loading(facts: Facts) -> Iterator[Found]:
    sends = facts.trace.sends
    if not any(send.arguments.get("raw") is True for send in sends):
        return
    # By the id of a call, that call of a raw send in which it is, or which it is.
    around: dict[int, Run] = {}
    writes: defaultdict[str, list[tuple[Run, int]]] = defaultdict(list)
    for send in sends:  # Each after what it was sent from.
        is_raw = send.arguments.get("raw") is True
        outer = None if send.parent is None else around.get(send.parent)
        if outer is None and not is_raw:
            continue
        for call in send.calls:
            run = around[call.id] = outer or (send, call)
            if call.queries.writes:
                writes[run[1].receiver].append((run, call.queries.writes))
    for receiver, made in sorted(writes.items(), key=lambda one: -len(one[1])):
        send = made[0][0][0]
        ids = dict.fromkeys(call.id for (_, call), _ in made)
        total = sum(count for _, count in made)
        yield Found(
            WARNING,
            f"{receiver} wrote to the database while a fixture was loaded:"
            f" {counted(total, 'query')} in {counted(len(ids), 'call')} for"
            f" {short_name(send.signal)} of {send.sender}. What a fixture relates to"
            " may not be there yet, and what the receiver writes may be in the fixture"
            " too.",
            "Return early where raw is true: `if raw: return`.",
            ids,
            [receiver],
            definition(made[0][0][1]),
        )
