"""Sends inside of sends: those that come back to where they began, and many levels of
them. Nothing here recurses: a trace may nest deeper than Python lets functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from itertools import chain, groupby
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
    depths: dict[int, int] = {}  # Of calls in nested sends; of others it is 1.
    deepest, most = None, 0
    for send in [send for send in facts.trace.sends if send.parent is not None]:
        depth = depths.get(send.parent or 0, 1) + 1
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
    outer = {
        send.id: send
        for send in facts.trace.sends
        for call in send.calls
        if call.id in inside
    }
    keys = _keys(facts, outer)
    if not keys:
        return
    waiting = [(0, send) for send in outer.values() if send.parent is None]
    # The sends around what is at hand, and their depths, by what makes them the same.
    path: list[Send] = []
    depths: defaultdict[Hashable, list[int]] = defaultdict(list)
    while waiting:
        depth, send = waiting.pop()
        while len(path) > depth:
            left = path.pop()
            if left.id in keys:
                depths[keys[left.id]].pop()
        path.append(send)
        if send.id in keys:
            depths[keys[send.id]].append(depth)
        for call in send.calls:
            for below in inside.get(call.id, ()):
                around = depths.get(keys[below.id]) if below.id in keys else None
                if around:
                    first = path[around[0]]
                    way_in = path[around[0] + 1] if around[0] < depth else below
                    [entered] = [one for one in first.calls if one.id == way_in.parent]
                    yield Circle(len(around), first, entered, below)
                if below.id in outer:
                    waiting.append((depth + 1, below))


def _keys(facts: Facts, outer: dict[int, Send]) -> dict[int, Hashable]:
    """By their ids, what makes sends the same; of those only that may be in a circle,
    since there is another one like it."""
    nested = {send.signal for sends in facts.inside.values() for send in sends}
    signals = nested & {send.signal for send in outer.values()}
    first: dict[Hashable, int] = {}
    keys: dict[int, Hashable] = {}
    for send in facts.trace.sends if signals else ():
        if send.signal in signals and (send.parent is not None or send.id in outer):
            key = _key(facts, send)
            known = first.setdefault(key, send.id)
            if known != send.id and key is not None:
                keys[known] = keys[send.id] = key
    return keys


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
    steps = ((short_name(send.signal), call.receiver) for send, call in way)
    names: list[str] = []
    for step, alike in groupby(steps):
        times = len(list(alike))
        names += step if times == 1 else [f"({' → '.join(step)}) × {times:,}"]
    return way_of([*names, short_name(last.signal)])


def _ids(way: list[Run], last: Send) -> list[int]:
    return [*(id for send, call in way for id in (send.id, call.id)), last.id]
