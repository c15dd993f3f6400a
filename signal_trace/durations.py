"""Durations: how overlapping ones add up, and how they are written."""

from __future__ import annotations

from collections.abc import Iterable


def covered(intervals: Iterable[tuple[int, int]]) -> int:
    """The length of the union of *intervals*, each a (start, end); one that ends
    before it starts has none."""
    total = 0
    reached: int | None = None
    for start, end in sorted(intervals):
        if reached is None or start > reached:
            reached = start
        if end > reached:
            total += end - reached
            reached = end
    return total


def in_ms(ns: int) -> float:
    """Nanoseconds as milliseconds, to the microsecond."""
    return round(ns / 1e6, 3)


def shown(ns: int | None) -> str:
    """Nanoseconds as people read them, such as ``1.25 ms``; a dash for None."""
    if ns is None:
        return "–"
    ms = ns / 1e6
    return f"{ms:.3f} ms" if ms < 0.1 else f"{ms:,.2f} ms"
