"""What is different in the receivers of many traces from those of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from signal_trace import aggregates
from signal_trace.cli.quantiles import Quantiles
from signal_trace.cli.spread import (
    FEWEST,
    Median,
    can_tell,
    grew_in_number,
    grew_in_time,
    may_be_chance,
    median,
)
from signal_trace.trace import Trace

FAILING, FIXED = "failing newly", "fails no more"
HANGING, ENDING = "unfinished newly", "finishes again"
NEW, GONE = "new", "gone"
SLOWER, FASTER = "slower", "faster"
MORE_SQL, LESS_SQL = "more SQL", "less SQL"

#: In the order in which they are told.
KINDS = {
    FAILING: "bad",
    HANGING: "bad",
    SLOWER: "bad",
    MORE_SQL: "bad",
    NEW: "warning",
    GONE: "warning",
    FASTER: "good",
    LESS_SQL: "good",
    FIXED: "good",
    ENDING: "good",
}

#: What is counted of calls: what it is called where there is some of it only later, and
#: where only earlier.
COUNTED = {"failures": (FAILING, FIXED), "unfinished": (HANGING, ENDING)}
#: By the kind: what of calls is counted.
COUNT_OF = {kind: count for count, kinds in COUNTED.items() for kind in kinds}


@dataclass(slots=True)
class Seen:
    """What was seen of a receiver: in so many traces, and of each of these in which all
    of its calls finished, the time and the queries of its own."""

    traces: int = 0
    calls: int = 0
    failures: int = 0
    unfinished: int = 0
    self_ns: Quantiles = field(default_factory=Quantiles)
    queries: Quantiles = field(default_factory=Quantiles)


@dataclass(slots=True)
class Side:
    """What is kept of the traces of one side, however many they are."""

    source: str
    traces: int = 0
    duration_ns: Quantiles = field(default_factory=Quantiles)
    receivers: dict[str, Seen] = field(default_factory=dict)

    def add(self, trace: Trace) -> None:
        self.traces += 1
        self.duration_ns.add(trace.duration_ns)
        unfinished = Counter(
            one.receiver for one in trace.calls if one.duration_ns is None
        )
        for one in aggregates.by_receiver(trace):
            seen = self.receivers.setdefault(one.name, Seen())
            seen.traces += 1
            seen.calls += one.count
            seen.failures += one.failures
            seen.unfinished += unfinished[one.name]
            if one.name not in unfinished:
                seen.self_ns.add(one.self_ns)
                seen.queries.add(one.queries)


@dataclass(frozen=True, slots=True)
class Told:
    """A receiver on one side; None for its medians: it was not called, or never
    finished."""

    traces: int = 0
    calls: int = 0
    failures: int = 0
    unfinished: int = 0
    self_ns: Median | None = None
    queries: Median | None = None

    def count(self, kind: str) -> int:
        """How many calls there are of which a change of that kind tells."""
        counted: int = getattr(self, COUNT_OF[kind])
        return counted


@dataclass(frozen=True, slots=True)
class Change:
    """How a receiver differs, and whether that may be chance."""

    kind: str
    receiver: str
    may_be_chance: bool
    before: Told
    after: Told

    @property
    def weight(self) -> float:
        """How much it matters among those of its kind."""
        if self.kind in COUNT_OF:
            return abs(self.after.count(self.kind) - self.before.count(self.kind))
        if self.kind in (MORE_SQL, LESS_SQL):
            return abs(value_of(self.after.queries) - value_of(self.before.queries))
        return abs(value_of(self.after.self_ns) - value_of(self.before.self_ns))


def changes(before: Side, after: Side) -> list[Change]:
    """How the receivers of *after* differ from those of *before*."""
    found = [
        Change(kind, name, chance, *told)
        for name in {*before.receivers, *after.receivers}
        for told in [(_told(before, name), _told(after, name))]
        for kind, chance in _kinds(before, after, *told)
    ]
    order = list(KINDS)
    return sorted(
        found,
        key=lambda one: (
            one.may_be_chance,
            order.index(one.kind),
            -one.weight,
            one.receiver,
        ),
    )


def _kinds(
    before: Side, after: Side, was: Told, now: Told
) -> Iterator[tuple[str, bool]]:
    if not was.traces:
        yield NEW, may_be_chance(now.traces, after.traces, before.traces)
    elif not now.traces:
        yield GONE, may_be_chance(was.traces, before.traces, after.traces)
    for newly, no_more in COUNTED.values():
        earlier, later = was.count(newly), now.count(newly)
        if earlier == 0 < later:
            chance = may_be_chance(later, now.calls, was.calls)
            yield newly, chance and was.calls > 0
        elif later == 0 < earlier and now.calls:
            yield no_more, may_be_chance(earlier, was.calls, now.calls)
    if was.self_ns and now.self_ns and was.queries and now.queries:
        # A receiver may be rare where traces are many. (Where these are few as well,
        # that is said of all.)
        are_many = min(before.traces, after.traces) >= FEWEST
        chance = are_many and not can_tell(was.self_ns, now.self_ns)
        if grew_in_time(was.self_ns, now.self_ns):
            yield SLOWER, chance
        if grew_in_time(now.self_ns, was.self_ns):
            yield FASTER, chance
        if grew_in_number(was.queries, now.queries):
            yield MORE_SQL, chance
        if grew_in_number(now.queries, was.queries):
            yield LESS_SQL, chance


def _told(side: Side, name: str) -> Told:
    seen = side.receivers.get(name)
    if seen is None:
        return Told()
    counts = (seen.traces, seen.calls, seen.failures, seen.unfinished)
    if not seen.self_ns.count:
        return Told(*counts)
    return Told(*counts, median(seen.self_ns), median(seen.queries))


def value_of(one: Median | None) -> int:
    """A median, and 0 where there is none."""
    return 0 if one is None else one.value
