"""Receivers of the other kind: a send has to hop to a thread, or start an event loop,
before they can run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from signal_trace.durations import covered, shown
from signal_trace.findings.facts import Facts, Found, definition, is_djangos
from signal_trace.findings.words import counted, listed
from signal_trace.parts import HINT, Frame, Send
from signal_trace.tree import short_name


def sync_receiver_in_asend(facts: Facts) -> Iterator[Found]:
    yield from _hops(
        facts,
        sync_receiver_in_asend,
        "sync receivers ({}), which are run in a thread",
        "Make them `async def` where they do nothing that needs a thread, such as"
        " queries. All sync receivers of one send share one hop, so it takes all of"
        " them to be rid of it.",
    )


def async_receiver_in_send(facts: Facts) -> Iterator[Found]:
    yield from _hops(
        facts,
        async_receiver_in_send,
        "async receivers ({}), which are run in an event loop made for them",
        "Send with asend() or asend_robust() where the sender is async; or make them"
        " plain functions.",
    )


def _hops(
    facts: Facts, rule: Callable[..., object], to_whom: str, advice: str
) -> Iterator[Found]:
    is_asend = rule is sync_receiver_in_asend
    if not is_asend and not any(call.is_async for call in facts.calls):
        return  # As in most traces.
    hops: defaultdict[str, list[Send]] = defaultdict(list)
    names: defaultdict[str, list[str]] = defaultdict(list)
    lines: dict[str, Frame | None] = {}
    for send in facts.trace.sends:
        if (send.method[0] == "a") is not is_asend:
            continue
        foreign = [call for call in send.calls if call.is_async is not is_asend]
        # Where one of Django's own needs the hop, the others cost nothing more.
        if foreign and not any(is_djangos(call.receiver) for call in foreign):
            wanted = [call for call in foreign if facts.wanted(rule, call.receiver)]
            if wanted:
                hops[send.signal].append(send)
                names[send.signal] += [call.receiver for call in wanted]
                lines.setdefault(send.signal, definition(wanted[0]))
    cost = {signal: _cost(facts, sends) for signal, sends in hops.items()}
    for signal, sends in sorted(hops.items(), key=lambda one: -cost[one[0]]):
        yield Found(
            HINT,
            f"{short_name(signal)} was sent with {listed(s.method for s in sends)} to"
            f" {to_whom.format(listed(names[signal]))}: {counted(len(sends), 'hop')},"
            f" which cost {shown(cost[signal])}.",
            advice,
            [send.id for send in sends],
            names[signal],
            lines[signal],
        )


def _cost(facts: Facts, sends: list[Send]) -> int:
    """How long sends took in which none of their calls ran."""
    cost = 0
    for send in sends:
        if send.duration_ns is not None:
            end = facts.trace.end_of(send)
            ran = [
                (max(call.start_ns, send.start_ns), min(facts.trace.end_of(call), end))
                for call in send.calls
            ]
            cost += send.duration_ns - covered(ran)
    return cost
