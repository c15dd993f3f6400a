"""Quantiles of any number of values, in bounded memory."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from itertools import accumulate

#: How far a quantile may be from the true one, as a part of it.
RELATIVE_ERROR = 0.01

_BASE = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG = math.log(_BASE)


#: So many values are kept as they are.
MOST_EXACT = 100


class Quantiles:
    """Counts values, none of them negative, in buckets whose bounds grow by 2 % each:
    what is told of one is wrong by 1 % at most, and of few values it is exact. Some
    1,700 buckets reach from a nanosecond to eleven days. (It is what DDSketch does.)
    """

    def __init__(self) -> None:
        self.count = 0
        self._exact: list[int] | None = []
        # A bucket of its own for 0, which has no logarithm.
        self._zeros = 0
        self._buckets: Counter[int] = Counter()

    def add(self, value: int) -> None:
        self.count += 1
        if self._exact is None:
            self._count(value)
            return
        self._exact.append(value)
        if self.count > MOST_EXACT:
            exact, self._exact = self._exact, None
            for one in exact:
                self._count(one)

    def at(self, rank: int) -> int:
        """The value of a *rank*, from 1 for the smallest to ``count``."""
        if not 1 <= rank <= self.count:
            raise ValueError(f"no rank {rank} of {self.count}")
        if self._exact is not None:
            return sorted(self._exact)[rank - 1]
        if rank <= self._zeros:
            return 0
        buckets = sorted(self._buckets)
        counts = (self._buckets[one] for one in buckets)
        reached = list(accumulate(counts, initial=self._zeros))
        bucket = buckets[bisect_left(reached, rank) - 1]
        # As far from the one bound as from the other, in relation to them.
        return round(2 * _BASE**bucket / (_BASE + 1))

    def quantile(self, part: float) -> int | None:
        """The value that *part* of all are no greater than; None of none at all."""
        return self.at(max(1, math.ceil(part * self.count))) if self.count else None

    def _count(self, value: int) -> None:
        if value > 0:
            self._buckets[math.ceil(math.log(value) / _LOG)] += 1
        else:
            self._zeros += 1
