from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_trace.durations import covered, in_ms, shown

MS = 1_000_000


@pytest.mark.parametrize(
    ("intervals", "length"),
    [
        ([], 0),
        ([(3, 7)], 4),
        ([(3, 7), (10, 11)], 5),
        ([(3, 7), (7, 9)], 6),
        ([(3, 7), (5, 9)], 6),
        ([(3, 9), (5, 6)], 6),
        ([(5, 9), (3, 7)], 6),
        ([(3, 7), (3, 7)], 4),
        ([(7, 3)], 0),
        ([(7, 3), (4, 5)], 1),
        ([(-4, -2)], 2),
    ],
)
def test_covered_time_counts_once(
    intervals: list[tuple[int, int]], length: int
) -> None:
    assert covered(intervals) == length


@given(st.lists(st.tuples(st.integers(-30, 30), st.integers(-30, 30))))
def test_covered_time_is_the_number_of_covered_moments(
    intervals: list[tuple[int, int]],
) -> None:
    moments = {moment for start, end in intervals for moment in range(start, end)}
    assert covered(intervals) == len(moments)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (None, "–"),
        (0, "0.000 ms"),
        (1_000, "0.001 ms"),
        (99_000, "0.099 ms"),
        (100_000, "0.10 ms"),
        (1_250_000, "1.25 ms"),
        (1234 * MS, "1,234.00 ms"),
    ],
)
def test_duration_is_shown_in_milliseconds(ns: int | None, text: str) -> None:
    assert shown(ns) == text


def test_milliseconds_are_exact_to_the_microsecond() -> None:
    assert in_ms(1_234_567) == 1.235
