"""What receivers did not hear."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from signal_trace.findings.facts import Facts, Found, definition, is_djangos, kind_of
from signal_trace.findings.words import counted, listed, places
from signal_trace.parts import (
    BULK_WRITES,
    HINT,
    PARENT,
    WARNING,
    Event,
    NotCalled,
    Send,
)
from signal_trace.tree import short_name


def near_miss(facts: Facts) -> Iterator[Found]:
    missed: defaultdict[tuple[str, str], list[NotCalled]] = defaultdict(list)
    for one in facts.trace.not_called:
        # What is connected for a child needn't hear of its parents.
        near = one.near_miss is not None and one.relation != PARENT
        if near and not is_djangos(one.receiver):
            missed[one.signal, one.receiver].append(one)
    sends_of: defaultdict[str, list[Send]] = defaultdict(list)
    for send in facts.trace.sends if missed else ():
        sends_of[send.signal].append(send)
    for (signal, receiver), all_missed in missed.items():
        sends = sends_of[signal]
        heard = {
            kind_of(send.sender)
            for send in sends
            if any(call.receiver == receiver for call in send.calls)
        }
        # It may be connected for each of them.
        unheard = [one for one in all_missed if one.near_miss not in heard]
        if not unheard:
            continue
        listens = listed(one.sender or "another sender" for one in unheard)
        senders = {one.near_miss: _with_relation(one) for one in unheard}
        yield Found(
            WARNING,
            f"{receiver} did not hear {short_name(signal)}: it is connected for"
            f" {listens}, and {listed(senders.values())} sent it. A parent, child or"
            " proxy counts as another sender.",
            "Connect it for each of them; or without a sender, and let it look at"
            " issubclass(sender, …).",
            [send.id for send in sends if kind_of(send.sender) in senders],
            [receiver],
            definition(unheard[0]),
        )


def _with_relation(one: NotCalled) -> str:
    """Who sent it, and what that is to whom the receiver listens to."""
    return f"{f'its {one.relation} ' if one.relation else ''}{one.near_miss}"


def bulk_write(facts: Facts) -> Iterator[Found]:
    writes: defaultdict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in facts.trace.events:
        if event.kind in BULK_WRITES and event.receivers:
            writes[event.subject, event.kind].append(event)
    for (model, method), events in sorted(writes.items(), key=lambda one: -len(one[1])):
        names = [name for event in events for name in event.receivers]
        names = [name for name in names if facts.wanted(bulk_write, name)]
        if not names:
            continue
        count = sum(event.count for event in events)
        lines = places(event.call_site for event in events)
        yield Found(
            HINT,
            f"{method}() of {model}{f' at {lines}' if lines else ''} sent no signals"
            f" ({counted(count, 'time')}): {listed(names)} did not hear of it.",
            "If they have to, save or delete each instance, or do after the bulk write"
            " what they do. If not, say so by silencing this.",
            [
                event.call
                for event in events
                if event.call is not None and event.call in facts.by_id
            ],
            names,
            next((event.call_site for event in events if event.call_site), None),
        )
