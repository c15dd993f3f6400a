"""A tree that is too long for a terminal, shortened to what matters most."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from signal_trace.cli.screen import Piece, Screen
from signal_trace.durations import shown
from signal_trace.exports.text import columns

#: Deeper than this part of the screen's width no line is indented.
DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Line:
    """A node of the tree: its line, and one *below* it, or none.

    Those that are ``bad`` matter most, and then those of the longest ``total_ns``.
    """

    depth: int
    times: str
    pieces: Sequence[Piece]
    below: str = ""
    is_bad: bool = False
    total_ns: int = 0

    def lead(self, screen: Screen) -> str:
        """What stands before it: times and indentation, where that leaves room."""
        deepest = screen.width // DEEPEST // 2
        if not screen.is_terminal or self.depth <= deepest:
            return f"{self.times}  {'  ' * self.depth}"
        return f"{self.times}  {'  ' * deepest}[{self.depth}] "

    def print(self, screen: Screen) -> None:
        screen.line(*self.pieces, lead=self.lead(screen))
        if self.below:
            screen.line((self.below, "faint"), lead=self._lead_below(screen))

    def height(self, screen: Screen) -> int:
        height = screen.height_of(*self.pieces, lead=self.lead(screen))
        if self.below:
            height += screen.height_of(self.below, lead=self._lead_below(screen))
        return height

    def _lead_below(self, screen: Screen) -> str:
        return " " * (len(self.lead(screen)) + 4)


def shorten(lines: Sequence[Line], room: int, screen: Screen) -> list[Line]:
    """So many of the *lines* as fit into the *room*: what failed and took longest, with
    what is around it. In place of others stands how many they are."""
    most = room
    while True:
        kept = _most_telling(lines, most)
        shortened = list(_with_gaps(lines, kept))
        beyond = sum(one.height(screen) for one in shortened) - room
        if beyond <= 0 or most <= 1:
            return shortened
        # A line that is left out may leave a gap, which takes a line as well.
        most = min(most - 1, len(kept) - max(1, beyond // 2))


def _most_telling(lines: Sequence[Line], most: int) -> set[int]:
    if len(lines) <= most:
        return set(range(len(lines)))
    around: list[int | None] = []
    path: list[int] = []
    for i, line in enumerate(lines):
        del path[line.depth :]
        around.append(path[-1] if path else None)
        path.append(i)
    kept: set[int] = set()
    order = sorted(
        range(len(lines)), key=lambda i: (not lines[i].is_bad, -lines[i].total_ns, i)
    )
    for i in order:
        wanted = []
        step: int | None = i
        while step is not None and step not in kept:
            wanted.append(step)
            step = around[step]
        if len(kept) + len(wanted) <= most:
            kept.update(wanted)
    return kept


def _with_gaps(lines: Sequence[Line], kept: set[int]) -> Iterator[Line]:
    for is_kept, group in itertools.groupby(range(len(lines)), kept.__contains__):
        found = [lines[i] for i in group]
        if is_kept or len(found) == 1:
            yield from found
        else:
            yield _told(found)


def _told(gap: Sequence[Line]) -> Line:
    top, total_ns = gap[0].depth, 0
    for line in gap:
        if line.depth <= top:
            top = line.depth
            total_ns += line.total_ns
    times = columns(shown(total_ns), "")
    return Line(gap[0].depth, times, ((f"… {len(gap):,} more", "faint"),))
