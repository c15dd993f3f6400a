"""Sends inside of sends: those that come back to where they began, and many levels of
them. Nothing here recurses: a trace may nest deeper than Python lets functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from itertools import chain
from typing import NamedTuple

from signal_trace.arguments import NOTHING
from signal_trace.findings.facts import (
    Facts,
    Found,
    Run,
    definition,
    instances,
    kind_of,
)
from signal_trace.findings.words import counted, way_of
from signal_trace.parts import HINT, NOT_TOLD, PROBLEM, WARNING, Call, Send
from signal_trace.telling import place
from signal_trace.tree import short_name


class Circle(NamedTuple):
    """A send that was made again inside its own receiver.

    ``level`` is how many such are around ``last``; ``first`` is the outermost, and
    ``call`` that of its calls which it came from.
    """

    level: int
    first: Send
    call: Call
    last: Send

    @property
    def is_known(self) -> bool:
        """Whether both are about the same instance, and not only of the same kind."""
        return bool(instances(self.first))

    @property
    def is_partial(self) -> bool:
        """Whether whoever sent it again said what had changed, and so knew that it
        would be heard."""
        return type(self.last.arguments.get("update_fields")) is list


def cycle(facts: Facts) -> Iterator[Found]:
    found: defaultdict[object, list[Circle]] = defaultdict(list)
    for circle in _circles(facts):
        first = circle.first
        key = first.signal, kind_of(first.sender), circle.call.receiver
        found[key].append(circle)
    for circles in sorted(
        found.values(), key=lambda circles: -max(circle.level for circle in circles)
    ):
        yield _cycle(facts, circles)


def deep_nesting(facts: Facts) -> Iterator[Found]:
    inside = facts.inside
    depths: dict[int | None, int] = {None: 0}
    deepest, most = None, 0
    for send in facts.trace.sends if inside else ():
        depth = depths[send.parent] + 1
        if depth > most:
            deepest, most = send, depth
        for call in send.calls:
            if call.id in inside:
                depths[call.id] = depth
    if deepest is None or most < facts.settings.DEEP_NESTING:
        return
    way = _way(facts, None, deepest)
    yield Found(
        WARNING,
        f"Sends were nested {most:,} levels deep: {_shown(way, deepest)}.",
        "What happens here is hard to follow, and harder to change. Call one function"
        " that does it all in order, in place of signals that set each other off.",
        _ids(way, deepest),
        [call.receiver for _, call in way],
        deepest.call_site or (definition(way[-1][1]) if way else None),
    )


def _cycle(facts: Facts, circles: list[Circle]) -> Found:
    worst = max(circles, key=lambda circle: (circle.level, not circle.is_partial))
    first, last = worst.first, worst.last
    about = instances(first) or [first.sender]
    message = (
        f"{short_name(first.signal)} of {about[0]} was sent again inside its own"
        f" receiver {worst.call.receiver}"
    )
    if worst.level > 1:
        message += f", {counted(worst.level, 'level')} deep"
    if last.call_site:
        message += f", at {place(last.call_site)}"
    others = len({circle.first.id for circle in circles}) - 1
    if others:
        message += f" (and so in {counted(others, 'other send')})"
    way = _way(facts, first, last)
    return Found(
        _level(worst),
        f"{message}: {_shown(way, last)}.",
        "Change the instance in pre_save, where it is about to be saved anyway; or"
        " write with QuerySet.update(), which sends no signals; or save with"
        " update_fields, and return early where update_fields is given."
        if "instance" in first.arguments
        else "Give the receiver a condition that ends the circle, or send another"
        " signal from it.",
        chain(
            _ids(way, last),
            *((circle.first.id, circle.call.id, circle.last.id) for circle in circles),
        ),
        [call.receiver for _, call in way],
        last.call_site or definition(way[-1][1]),
    )


def _level(circle: Circle) -> str:
    """A receiver that saves its instance once more, and then stops, is common; one
    that goes round again is about to recurse. What can't be told apart may be two
    things."""
    if circle.level > 1:
        return PROBLEM if circle.is_known else WARNING
    return WARNING if circle.is_known and not circle.is_partial else HINT


def _circles(facts: Facts) -> Iterator[Circle]:
    inside = facts.inside
    if not inside:
        return
    sends = facts.trace.sends
    outer = {
        send.id: send for send in sends for call in send.calls if call.id in inside
    }
    waiting = [(0, send) for send in outer.values() if send.parent is None]
    # The sends around what is at hand; their depths, by what makes them the same; and
    # how often each signal is among them, so that most sends need no key.
    path: list[Send] = []
    keys: list[Hashable] = []
    depths: defaultdict[Hashable, list[int]] = defaultdict(list)
    signals: dict[str, int] = defaultdict(int)
    nested = {send.signal for sends in inside.values() for send in sends}
    while waiting:
        depth, send = waiting.pop()
        while len(path) > depth:
            signals[path.pop().signal] -= 1
            depths[keys.pop()].pop()
        path.append(send)
        keys.append(_key(facts, send) if send.signal in nested else None)
        depths[keys[-1]].append(depth)
        signals[send.signal] += 1
        for call in send.calls:
            for below in inside.get(call.id, ()):
                key = _key(facts, below) if signals.get(below.signal) else None
                around = depths.get(key)
                if around and key is not None:
                    first = path[around[0]]
                    way_in = path[around[0] + 1] if around[0] < depth else below
                    [entered] = [one for one in first.calls if one.id == way_in.parent]
                    yield Circle(len(around), first, entered, below)
                if below.id in outer:
                    waiting.append((depth + 1, below))


def _key(facts: Facts, send: Send) -> Hashable:
    """What makes sends the same; None where that can't be said."""
    given = send.arguments
    instance = given.get("instance")
    if type(instance) is str and "(pk=" in instance:
        if instance.endswith("(pk=None)"):
            return None
        action = given.get("action")
        return send.signal, instance, action if type(action) is str else None
    about = instances(send)
    is_told = facts.settings.ARGUMENTS != NOTHING and NOT_TOLD not in given.values()
    return (send.signal, send.sender, *about) if about or is_told else None


def _way(facts: Facts, first: Send | None, last: Send) -> list[Run]:
    """The calls through which *first*, or else the outermost, led to *last*."""
    way = []
    send = last
    while send is not first and send.parent is not None:
        way.append(facts.by_id[send.parent])
        send = way[-1][0]
    return way[::-1]


def _shown(way: list[Run], last: Send) -> str:
    names = [
        name for send, call in way for name in (short_name(send.signal), call.receiver)
    ]
    return way_of([*names, short_name(last.signal)])


def _ids(way: list[Run], last: Send) -> list[int]:
    return [*(id for send, call in way for id in (send.id, call.id)), last.id]
