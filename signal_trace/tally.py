"""Counts and times of sends and calls that are not kept one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from signal_trace.names import ReceiverName
from signal_trace.send_kinds import SendKind

# A signal's and a sender's name; a receiver's name, file and line. Names, since what
# they name may be made anew again and again.
SendKey = tuple[str, str]
CallKey = tuple[str, str | None, int | None]


class Tally:
    """What like sends, or like calls, add up to; times in nanoseconds.

    ``self_ns``, and ``queries`` and ``queries_ns`` of their own, are of calls only.
    """

    __slots__ = (
        *("count", "failures", "max_ns", "queries", "queries_ns", "self_ns"),
        "total_ns",
    )

    def __init__(self) -> None:
        self.count = self.failures = self.total_ns = self.self_ns = self.max_ns = 0
        self.queries = self.queries_ns = 0

    def add(self, duration: int | None, own: int, failed: bool) -> None:
        """Add one; *duration* is None where it never finished."""
        self.count += 1
        self.failures += failed
        if duration is not None:
            self.total_ns += duration
            self.self_ns += own
            self.max_ns = max(self.max_ns, duration)

    def __iadd__(self, other: Tally) -> Tally:
        self.count += other.count
        self.failures += other.failures
        self.total_ns += other.total_ns
        self.self_ns += other.self_ns
        self.max_ns = max(self.max_ns, other.max_ns)
        self.queries += other.queries
        self.queries_ns += other.queries_ns
        return self


class SendTally:
    """The sends of one signal by one kind of sender, and their calls by receiver.

    ``receivers_ns`` is the time that the receivers took of those sends that were sent
    from outside of any receiver: it is no part of another's.
    """

    __slots__ = ("calls", "receivers_ns", "sends")

    def __init__(self) -> None:
        self.sends = Tally()
        self.calls: defaultdict[CallKey, Tally] = defaultdict(Tally)
        self.receivers_ns = 0

    def of(self, receiver: ReceiverName) -> Tally:
        """The tally of one receiver's calls."""
        return self.calls[receiver.name, receiver.file, receiver.line]

    def add(self, other: SendTally, *, with_receivers_ns: bool = True) -> None:
        """Add what *other* adds up to."""
        self.sends += other.sends
        if with_receivers_ns:
            self.receivers_ns += other.receivers_ns
        for key, tally in dict(other.calls).items():
            self.calls[key] += tally


class Tallies:
    """All that a recording has added up."""

    __slots__ = ("_by_kind",)

    def __init__(self) -> None:
        self._by_kind: defaultdict[SendKey, SendTally] = defaultdict(SendTally)

    def of(self, kind: SendKind) -> SendTally:
        """The tally of one kind of sends."""
        return self._by_kind[kind.signal.name, kind.sender.name]

    def __iter__(self) -> Iterator[tuple[SendKey, SendTally]]:
        # A copy: another thread may add to it meanwhile.
        return iter(dict(self._by_kind).items())

    def add(
        self, key: SendKey, tally: SendTally, *, with_receivers_ns: bool = True
    ) -> None:
        """Add *tally* to that of the same kind."""
        self._by_kind[key].add(tally, with_receivers_ns=with_receivers_ns)
