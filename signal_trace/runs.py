"""Like sends next to each other, put together, so that a thousand of one kind do not
bury the one of another.

Sends are alike if signal, sender (whichever instance of a model), line, method,
transaction and receivers are the same, and what those sent in turn is alike. Where
something failed, or a receiver was not called, a send is like no other. Nor is the one
that a finding names like the next that it doesn't.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from signal_trace.parts import RETURNED, Call, Frame, Queries, Send
from signal_trace.trace import Trace

#: A loop that saves sends several signals in turn, up to this many are looked for,
LONGEST_PERIOD = 4
#: at least so many times.
FEWEST_TURNS = 3


NOWHERE: frozenset[int] = frozenset()


def without_pk(sender: str) -> str:
    """A sender's name, for a model instance that of its model."""
    return sender.partition("(pk=")[0]


@dataclass(frozen=True, slots=True)
class Run:
    """Sends that are alike, of which each finished and nothing failed in any."""

    sends: tuple[Send, ...]

    @property
    def count(self) -> int:
        return len(self.sends)

    @property
    def signal(self) -> str:
        return self.sends[0].signal

    @property
    def sender(self) -> str:
        return without_pk(self.sends[0].sender)

    @property
    def method(self) -> str:
        return self.sends[0].method

    @property
    def call_site(self) -> Frame | None:
        return self.sends[0].call_site

    @property
    def transaction(self) -> str | None:
        return self.sends[0].transaction

    @property
    def on_commit(self) -> bool:
        return self.sends[0].on_commit

    @property
    def arguments(self) -> dict[str, Any]:
        """Those arguments that are the same for all."""
        first, *others = [send.arguments for send in self.sends]
        return {
            name: value
            for name, value in first.items()
            if all(name in one and one[name] == value for one in others)
        }

    @property
    def duration_ns(self) -> int:
        """The time of all together."""
        return sum(send.duration_ns or 0 for send in self.sends)

    @property
    def min_ns(self) -> int:
        return min(send.duration_ns or 0 for send in self.sends)

    @property
    def max_ns(self) -> int:
        return max(send.duration_ns or 0 for send in self.sends)

    @property
    def queries(self) -> Queries:
        return _sum(send.queries for send in self.sends)


def _sum(queries: Iterator[Queries]) -> Queries:
    every = list(queries)
    return Queries(
        count=sum(one.count for one in every),
        duration_ns=sum(one.duration_ns for one in every),
        nested_count=sum(one.nested_count for one in every),
        nested_ns=sum(one.nested_ns for one in every),
        writes=sum(one.writes for one in every),
    )


def fold(trace: Trace) -> dict[int | None, list[Send | Run]]:
    """The sends by what they were sent from, like ones next to each other folded."""
    shapes = _Shapes(trace)
    folded: dict[int | None, list[Send | Run]] = defaultdict(list)
    for parent, siblings in shapes.sends.items():
        folded[parent] = list(_folded(siblings, shapes))
    return folded


class _Shapes:
    """Gives each send a number, and like ones the same."""

    def __init__(self, trace: Trace) -> None:
        self.sends: dict[int | None, list[Send]] = defaultdict(list)
        self.of: dict[int, int] = {}
        self._numbers: dict[object, int] = {}
        self._standing_out: set[int] = set()
        self._not_called = {one.send for one in trace.not_called}
        self._named: dict[int, list[int]] = defaultdict(list)
        for place, finding in enumerate(trace.findings):
            for evidence in finding.evidence:
                self._named[evidence].append(place)
        for send in trace.sends:
            self.sends[send.parent].append(send)
        # What is nested in a send began later, so that it has its number already.
        for send in reversed(trace.sends):
            nested = [self.sends.get(call.id, ()) for call in send.calls]
            stands_out = (
                send.error is not None
                or send.duration_ns is None
                or send.id in self._not_called
                or any(map(_stands_out, send.calls))
                # Most have nothing nested in them.
                or (
                    any(nested)
                    and any(one.id in self._standing_out for one in chain(*nested))
                )
            )
            if stands_out:
                self._standing_out.add(send.id)
            shape = send.id if stands_out else self._shape(send, nested)
            self.of[send.id] = self._numbers.setdefault(shape, len(self._numbers))

    def _names(self, send: Send) -> frozenset[int]:
        named = self._named
        ids = [send.id, *[call.id for call in send.calls]]
        if named.keys().isdisjoint(ids):
            return NOWHERE
        return frozenset([place for id in ids if id in named for place in named[id]])

    def _shape(self, send: Send, nested: Sequence[Sequence[Send]]) -> object:
        shape: list[object] = [
            *(send.signal, without_pk(send.sender), send.method, send.call_site),
            *(send.transaction, send.on_commit, str(send.arguments.get("action"))),
            self._names(send),
        ]
        for call, each in zip(send.calls, nested, strict=True):
            shape += (call.receiver, call.file, call.line, call.is_async)
            # However often it sent these in turn.
            shape.append(
                tuple(dict.fromkeys([self.of[one.id] for one in each])) if each else ()
            )
        return tuple(shape)


def _stands_out(call: Call) -> bool:
    failed = call.error is not None or call.outcome != RETURNED
    return failed or call.duration_ns is None


def _folded(sends: Sequence[Send], shapes: _Shapes) -> Iterator[Send | Run]:
    of = [shapes.of[send.id] for send in sends]
    at = 0
    while at < len(sends):
        end = _end_of_run(of, at)
        if end == at:
            yield sends[at]
            at += 1
            continue
        alike: dict[int, list[Send]] = defaultdict(list)
        for send, shape in zip(sends[at:end], of[at:end], strict=True):
            alike[shape].append(send)
        for each in alike.values():
            yield Run(tuple(each))
        at = end


def _end_of_run(of: Sequence[int], start: int) -> int:
    """Where the run ends that begins at *start*: there, where none does."""
    for period in range(1, LONGEST_PERIOD + 1):
        end = start + period
        while end < len(of) and of[end] == of[end - period]:
            end += 1
        turns = (end - start) // period
        if turns >= FEWEST_TURNS:
            return start + turns * period
    return start
