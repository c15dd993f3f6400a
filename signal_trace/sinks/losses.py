"""Counts what is lost, so that it is said often enough and not too often."""

from __future__ import annotations

import threading
from time import monotonic

# Losses that go on are said once in so many seconds.
EVERY_SECONDS = 60


class Losses:
    """How many traces were lost for one reason, and how many of them are not said yet:
    the first is to be said at once, more of them once a minute, in one."""

    def __init__(self) -> None:
        # A signal's handler may come in the middle of counting, and count.
        self._counting = threading.RLock()
        self._unsaid = 0
        self._not_before = float("-inf")

    def add(self, count: int = 1) -> None:
        """Count *count* more."""
        with self._counting:
            self._unsaid += count

    def due(self) -> int:
        """How many to say now: none, where the last time is no minute ago."""
        if self._unsaid and monotonic() >= self._not_before:
            return self._take()
        return 0

    def left(self) -> int:
        """How many have not been said, at the end."""
        return self._take()

    def _take(self) -> int:
        with self._counting:
            taken, self._unsaid = self._unsaid, 0
            if taken:
                self._not_before = monotonic() + EVERY_SECONDS
            return taken
