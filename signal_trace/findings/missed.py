"""What receivers did not hear."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from signal_trace.findings.facts import Facts, Found, is_djangos, kind_of
from signal_trace.findings.words import at, counted, listed
from signal_trace.parts import BULK_WRITES, HINT, PARENT, WARNING, Event
from signal_trace.tree import short_name


def near_miss(facts: Facts) -> Iterator[Found]:
    # By signal and receiver, whom it listens to, and who sent it.
    missed: defaultdict[tuple[str, str], dict[tuple[str | None, str], None]]
    missed = defaultdict(dict)
    for one in facts.trace.not_called:
        # What is connected for a child needn't hear of its parents.
        near = one.near_miss is not None and one.relation != PARENT
        if near and one.near_miss and not is_djangos(one.receiver):
            missed[one.signal, one.receiver][one.sender, one.near_miss] = None
    for (signal, receiver), pairs in missed.items():
        heard = {
            kind_of(send.sender)
            for send in facts.trace.sends
            if send.signal == signal
            and any(call.receiver == receiver for call in send.calls)
        }
        # It may be connected for each of them.
        unheard = [pair for pair in pairs if pair[1] not in heard]
        if not unheard:
            continue
        name = short_name(signal)
        listens = listed(sender or "another sender" for sender, _ in unheard)
        senders = {sender for _, sender in unheard}
        yield Found(
            WARNING,
            f"{receiver} did not hear {name}: it is connected for {listens}, and"
            f" {listed(sorted(senders))} sent it. A parent, child or proxy counts as"
            " another sender.",
            "Connect it for each of them; or without a sender, and let it look at"
            " issubclass(sender, …).",
            [
                send.id
                for send in facts.trace.sends
                if send.signal == signal and kind_of(send.sender) in senders
            ],
            [receiver],
        )


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
        lines = listed(at(event.call_site) for event in events if event.call_site)
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
        )
