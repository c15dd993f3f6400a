"""What is noise, and what is a change: told from how values spread.

Where both sides have enough of them, the medians are compared, each with its confidence
interval by order statistics, which asks nothing of how values are distributed: two
medians differ where these intervals don't overlap. From fewer nothing can be told of
noise, and then a stated threshold has to do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from signal_trace.cli.quantiles import Quantiles

CONFIDENCE = 0.99
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)

#: So few values have no such interval: even from the smallest to the largest of them
#: is not sure enough.
FEWEST = next(n for n in range(1, 100) if (n - _Z * math.sqrt(n)) / 2 >= 1)

#: A difference in time counts from this factor on, whatever the intervals are, since
#: each bound may be wrong by 1 %.
LEAST_FACTOR = 1.05

#: With too few values a difference in time counts from this factor and this time on.
FACTOR = 1.5
DIFFERENCE_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Median:
    """The median of some values, and between which two it is by `CONFIDENCE`; None
    where these are too few to say."""

    count: int
    value: int
    low: int | None = None
    high: int | None = None


def median(values: Quantiles) -> Median:
    """The median of *values*, of which there must be some."""
    count = values.count
    middle = values.at((count + 1) // 2)
    if count < FEWEST:
        return Median(count, middle)
    rank = math.floor((count - _Z * math.sqrt(count)) / 2)
    return Median(count, middle, values.at(rank), values.at(count + 1 - rank))


def can_tell(*sides: Median) -> bool:
    """Whether there are enough values on each side to tell noise from change."""
    return all(side.low is not None for side in sides)


def grew_in_time(before: Median, after: Median) -> bool:
    """Whether *after* is greater than *before*, both in nanoseconds."""
    if before.high is not None and after.low is not None:
        is_apart = after.low > before.high
        return is_apart and after.value >= LEAST_FACTOR * before.value
    more = after.value - before.value
    return after.value >= FACTOR * before.value and more >= DIFFERENCE_NS


def grew_in_number(before: Median, after: Median) -> bool:
    """Whether *after* is greater than *before*, both of what is counted, such as SQL
    queries. With too few values each one more counts."""
    if before.high is not None and after.low is not None:
        return after.low > before.high
    return after.value > before.value


def may_be_chance(had: int, of: int, none_in: int) -> bool:
    """Whether something that *had* happened *of* so many times on the one side may as
    well have happened in *none_in* trials on the other: with the same probability, that
    would be seen more often than `CONFIDENCE` allows."""
    return (1 - had / of) ** none_in > 1 - CONFIDENCE
