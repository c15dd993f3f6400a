"""What a trace adds up to, by receiver, by signal and by app.

The sums are exact however many sends there were: what a trace leaves out, beyond
``MAX_SENDS``, is in them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from signal_trace.parts import Call, Omitted, OmittedCalls, Send
from signal_trace.trace import Trace


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What the calls of one receiver or app, or the sends of one signal, add up to.

    Of a receiver or an app, ``count`` is how many calls there were; ``total_ns`` and
    ``max_ns``, the longest, are of their wall times. Of a signal they are of its sends.
    Where one is nested in another of the same name, both are in ``total_ns``.

    The rest is of the calls, those of a signal's sends too: ``self_ns`` is their own
    time, ``queries`` and ``queries_ns`` are of their own queries, ``failures`` counts
    those that raised, passed on or swallowed. These add up to the same whichever way
    the trace is divided. What never finished counts, and has no time.
    """

    name: str
    count: int
    total_ns: int
    self_ns: int
    max_ns: int
    queries: int
    queries_ns: int
    failures: int


def by_receiver(trace: Trace) -> list[Aggregate]:
    """The calls of each receiver, by its dotted name; most self time first."""
    return _of_calls(trace, lambda call: call.receiver)


def by_app(trace: Trace) -> list[Aggregate]:
    """The calls of each app's receivers, by its label; most self time first."""
    return _of_calls(trace, lambda call: call.app)


def by_signal(trace: Trace) -> list[Aggregate]:
    """The sends of each signal that some receiver was to hear, by its dotted name; most
    total time first."""
    sums: defaultdict[str, _Sum] = defaultdict(_Sum)
    for send in trace.sends:
        sums[send.signal].add_send(send)
    for omitted in trace.omitted:
        sums[omitted.signal].add_omitted_sends(omitted)
    return _sorted(sums, lambda one: one.total_ns)


def _of_calls(
    trace: Trace, name_of: Callable[[Call | OmittedCalls], str]
) -> list[Aggregate]:
    sums: defaultdict[str, _Sum] = defaultdict(_Sum)
    for send in trace.sends:
        for call in send.calls:
            one = sums[name_of(call)]
            one.add_time(1, call.duration_ns or 0, call.duration_ns or 0)
            one.add_call(call)
    for omitted in trace.omitted:
        for calls in omitted.calls:
            one = sums[name_of(calls)]
            one.add_time(calls.count, calls.total_ns, calls.max_ns)
            one.add_omitted_calls(calls)
    return _sorted(sums, lambda one: one.self_ns)


def _sorted(
    sums: dict[str, _Sum], weight: Callable[[Aggregate], int]
) -> list[Aggregate]:
    made: Iterable[Aggregate] = (one.aggregate(name) for name, one in sums.items())
    return sorted(made, key=lambda one: (-weight(one), one.name))


@dataclass(slots=True)
class _Sum:
    count: int = 0
    total_ns: int = 0
    self_ns: int = 0
    max_ns: int = 0
    queries: int = 0
    queries_ns: int = 0
    failures: int = 0

    def add_time(self, count: int, total_ns: int, max_ns: int) -> None:
        self.count += count
        self.total_ns += total_ns
        self.max_ns = max(self.max_ns, max_ns)

    def add_call(self, call: Call) -> None:
        self.self_ns += call.self_ns or 0
        self.queries += call.queries.count
        self.queries_ns += call.queries.duration_ns
        self.failures += call.error is not None

    def add_omitted_calls(self, calls: OmittedCalls) -> None:
        self.self_ns += calls.self_ns
        self.queries += calls.queries
        self.queries_ns += calls.queries_ns
        self.failures += calls.failures

    def add_send(self, send: Send) -> None:
        self.add_time(1, send.duration_ns or 0, send.duration_ns or 0)
        for call in send.calls:
            self.add_call(call)

    def add_omitted_sends(self, omitted: Omitted) -> None:
        self.add_time(omitted.count, omitted.total_ns, omitted.max_ns)
        for calls in omitted.calls:
            self.add_omitted_calls(calls)

    def aggregate(self, name: str) -> Aggregate:
        return Aggregate(
            name,
            self.count,
            self.total_ns,
            self.self_ns,
            self.max_ns,
            self.queries,
            self.queries_ns,
            self.failures,
        )
