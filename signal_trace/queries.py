"""The queries of a recording, added up by where they were made: hot to note, cold to
ask."""

from __future__ import annotations

import functools
import threading
from collections import defaultdict
from typing import Any

from signal_trace.names import encodable
from signal_trace.parts import NO_QUERIES, Queries, Statement

# So many wait to be added up: noting one costs an append, most of the time.
BATCH = 1_000
# So many different statements of one place are counted apart.
MOST_STATEMENTS = 100
MOST_TEXTS = 10_000

# Of what is longer the beginning is kept, and a number that stands for all of it:
# whoever writes values into statements makes many long ones.
LONGEST_SQL = 1_000

# Of the tables of the toolbar, which may keep its own history in the database.
TOOLBARS = "debug_toolbar_"

# Around other statements: what is done again and again is what stands between them.
BRACKETS = ("BEGIN", "SAVEPOI", "RELEASE", "ROLLBAC")
WRITES = ("INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE")


class Sums:
    """Queries of one place, such as a call: its own, and those nested in it."""

    __slots__ = ("count", "nested_count", "nested_ns", "ns", "statements", "writes")

    def __init__(self) -> None:
        self.count = self.ns = self.nested_count = self.nested_ns = self.writes = 0
        self.statements: dict[str, int] = {}

    def add(self, sql: str, ns: int) -> None:
        """Add one that was made in the place itself."""
        self.count += 1
        self.ns += ns
        self.writes += is_write(sql)
        if not _begins(sql[:7], BRACKETS):
            self._add_statement(sql, 1)

    def _add_statement(self, sql: str, times: int) -> None:
        statements = self.statements
        if sql in statements:
            statements[sql] += times
        elif len(statements) < MOST_STATEMENTS:
            statements[sql] = times

    def add_nested(self, count: int, ns: int) -> None:
        """Add some that were made further in."""
        self.nested_count += count
        self.nested_ns += ns

    @classmethod
    def of(cls, *several: Sums) -> Sums:
        """All that *several* have."""
        sums = cls()
        for one in several:
            sums.merge(one)
        return sums

    def merge(self, other: Sums) -> None:
        """Add all that *other* has."""
        self.count += other.count
        self.ns += other.ns
        self.writes += other.writes
        self.add_nested(other.nested_count, other.nested_ns)
        for sql, times in other.statements.items():
            self._add_statement(sql, times)


def is_write(sql: str) -> bool:
    """Whether a statement changes something, as far as its first word tells."""
    return _begins(sql.lstrip("( \n\t")[:7], WRITES)


@functools.lru_cache(maxsize=100)  # Of words: statements would be kept for good.
def _begins(beginning: str, words: tuple[str, ...]) -> bool:
    return beginning.upper().startswith(words)


class TraceQueries:
    """The queries of a recording that is over, by where they were made."""

    def __init__(self, sums: dict[int, Sums]) -> None:
        self._sums = sums
        self._nested: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])

    def nest(self, inside: int, around: int) -> None:
        """Count what was made at the position *inside* as nested in *around*. Of
        several, what is further in goes first."""
        sums, nested = self._sums.get(inside), self._nested.get(inside)
        if sums is None and nested is None:
            return
        total = self._nested[around]
        if sums is not None:
            total[0] += sums.count + sums.nested_count
            total[1] += sums.ns + sums.nested_ns
        if nested is not None:
            total[0] += nested[0]
            total[1] += nested[1]

    def places(self) -> set[int]:
        """All positions at which some were made, or nested."""
        return {*self._sums, *self._nested}

    def at(self, place: int) -> Queries:
        """Those of a position, as a part of a trace."""
        sums, nested = self._sums.get(place), self._nested.get(place)
        if sums is None and nested is None:
            return NO_QUERIES
        sums, (count, ns) = sums or Sums(), nested or (0, 0)
        most = max(sums.statements.items(), key=lambda one: one[1], default=None)
        return Queries(
            sums.count,
            sums.ns,
            sums.nested_count + count,
            sums.nested_ns + ns,
            sums.writes,
            None if most is None else Statement(shortened(most[0]), most[1]),
        )


def shortened(sql: str) -> str:
    """A statement at a length that can be shown."""
    sql = encodable(sql)
    return sql if len(sql) <= LONGEST_SQL else f"{sql[:LONGEST_SQL]}…"


def add_up(several: list[Queries]) -> Queries:
    """The queries of several places as one. Of the statements repeated most in each the
    most repeated is kept."""
    if len(several) == 1:
        return several[0]
    some = [one for one in several if one is not NO_QUERIES]
    if not some:
        return NO_QUERIES
    repeated = [one.repeated for one in some if one.repeated is not None]
    return Queries(
        sum(one.count for one in some),
        sum(one.duration_ns for one in some),
        sum(one.nested_count for one in some),
        sum(one.nested_ns for one in some),
        sum(one.writes for one in some),
        max(repeated, key=lambda one: one.count, default=None),
    )


class QueryLog:
    """All queries of a recording, by the position at which they were made."""

    def __init__(self) -> None:
        # Three items for each: tuples would be the garbage collector's work.
        self._new: list[Any] = []
        self._sums: defaultdict[int, Sums] = defaultdict(Sums)
        # Django makes each statement's text anew. None: it is not to be counted.
        self._texts: dict[str, str | None] = {}
        # The garbage collector may end another recording in the middle of adding up,
        # which then adds to this one, or to itself.
        self._adding_up = threading.RLock()
        self._is_adding_up = False

    def note(self, here: int, sql: str, ns: int) -> None:
        """Note a query that took so long, made at the position *here*."""
        if len(sql) > LONGEST_SQL:
            sql = f"{sql[:LONGEST_SQL]}… {hash(sql)}"
        self._new += (here, sql, ns)
        if len(self._new) >= 3 * BATCH and self._adding_up.acquire(blocking=False):
            try:
                self._add_up()
            finally:
                self._adding_up.release()

    def _add_up(self) -> None:
        if self._is_adding_up:
            return
        self._is_adding_up = True
        try:
            self._add_new()
        finally:
            self._is_adding_up = False

    def _add_new(self) -> None:
        new = self._new[:]  # Other threads may append meanwhile.
        del self._new[: len(new)]
        known = self._texts
        if len(known) > MOST_TEXTS:
            known.clear()
        each = iter(new)
        for here, sql, ns in zip(each, each, each, strict=True):
            try:
                text = known[sql]
            except KeyError:
                text = known[sql] = None if TOOLBARS in sql else sql
            if text is not None:
                self._sums[here].add(text, ns)

    def sums(self) -> dict[int, Sums]:
        """The sums by position: those of calls, and of what is outside of them."""
        with self._adding_up:
            self._add_up()
        return self._sums

    def take(self, here: int) -> Sums | None:
        """Forget the sums of a position, and hand them out."""
        return self._sums.pop(here, None)

    def add_nested(self, here: int, count: int, ns: int) -> None:
        """Note that so many queries were made by what was sent from a position, and is
        forgotten."""
        self._sums[here].add_nested(count, ns)

    def take_over(self, inner: QueryLog, number: int, opened_at: int) -> None:
        """Add those of an *inner* recording with that *number*."""
        for here, sums in dict(inner.sums()).items():
            with self._adding_up:
                self._sums[opened_at if here == number else here].merge(sums)
