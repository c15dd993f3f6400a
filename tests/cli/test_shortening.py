from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from signal_trace.cli.screen import Screen
from signal_trace.cli.shortening import Line, shorten


def line(depth: int, total_ns: int, *, is_bad: bool = False) -> Line:
    return Line(depth, "", (f"{total_ns}",), "", is_bad, total_ns)


TREE = [
    line(0, 100),
    line(1, 90),
    line(2, 1),
    line(2, 2),
    line(1, 9),
    line(0, 50),
    line(1, 3, is_bad=True),
    line(1, 40),
    line(0, 1),
    line(0, 2),
]


def short(lines: list[Line], room: int) -> list[str]:
    shortened = shorten(lines, room, Screen(io.StringIO()))
    return ["".join(map(str, one.pieces)) for one in shortened]


def test_what_fits_is_left_alone() -> None:
    assert shorten(TREE, 10, Screen(io.StringIO())) == TREE


def test_what_failed_and_what_took_longest_is_kept() -> None:
    assert short(TREE, 7) == [
        "100",
        "90",
        "('… 3 more', 'faint')",
        "50",
        "3",
        "40",
        "('… 2 more', 'faint')",
    ]


def test_gap_has_the_time_of_what_is_topmost_in_it() -> None:
    gap = shorten(TREE, 7, Screen(io.StringIO()))[2]
    assert gap.times.split() == ["0.000", "ms"]
    lines = [line(0, 10**9), *(line(d, 10**6) for d in (2, 1, 2, 2, 1))]
    gap = shorten(lines, 2, Screen(io.StringIO()))[1]
    assert gap.times.split() == ["3.00", "ms"]


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 99), st.booleans())),
    st.integers(3, 12),
)
def test_room_is_kept_and_nothing_is_lost(
    drawn: list[tuple[int, int, bool]], room: int
) -> None:
    lines: list[Line] = []
    for depth, total_ns, is_bad in drawn:
        deepest = lines[-1].depth + 1 if lines else 0
        lines.append(line(min(depth, deepest), total_ns, is_bad=is_bad))
    shortened = shorten(lines, room, Screen(io.StringIO()))
    assert len(shortened) <= room
    left = list(lines)
    for one in shortened:
        if one in left[:1]:
            left.pop(0)
        else:
            ((told, _),) = one.pieces
            del left[: int(told.split()[1])]
    assert left == []
