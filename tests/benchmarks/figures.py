"""From samples to figures: small robust statistics."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


def low(samples: Sequence[float]) -> float:
    """The lower quartile: what a sample takes when nothing gets into its way.

    What disturbs a computation only ever makes it slower, so that the low samples
    say the most of it. The lowest of all is more of a stroke of luck.
    """
    ordered = sorted(samples)
    return ordered[(len(ordered) - 1) // 4]


@dataclass(frozen=True)
class Figure:
    """The mean of the middle half of what independent observations say, and from where
    to where that half reaches.

    Like the median it isn't moved by a few that went wrong, and it repeats better.
    """

    value: float
    low: float
    high: float


def summarize(observations: Sequence[float]) -> Figure:
    ordered = sorted(observations)
    aside = len(ordered) // 4
    middle = ordered[aside : len(ordered) - aside]
    return Figure(statistics.fmean(middle), middle[0], middle[-1])


def slope(at_5: float, at_20: float) -> float:
    """What each receiver takes, given what sends to 5 and to 20 of them take."""
    return (at_20 - at_5) / 15
