from __future__ import annotations

import random

import pytest

from signal_trace.cli.quantiles import Quantiles
from signal_trace.cli.spread import (
    CONFIDENCE,
    FEWEST,
    Median,
    can_tell,
    grew_in_number,
    grew_in_time,
    may_be_chance,
    median,
)

MS = 1_000_000


def of(*values: int) -> Median:
    made = Quantiles()
    for value in values:
        made.add(value)
    return median(made)


def test_median_of_few_has_no_interval() -> None:
    assert of(5) == Median(1, 5)
    assert of(1, 2, 9) == Median(3, 2)
    assert of(*range(FEWEST - 1)).low is None
    assert of(*range(FEWEST)) == Median(FEWEST, FEWEST // 2, 0, FEWEST - 1)


def test_interval_narrows_with_the_number_of_values() -> None:
    widths = []
    for count in (20, 50, 100):
        one = of(*(1000 + 1000 * i // count for i in range(count)))
        assert one.low is not None
        assert one.high is not None
        widths.append(one.high - one.low)
    assert widths == sorted(widths, reverse=True)


@pytest.mark.slow
@pytest.mark.parametrize("count", [FEWEST, 30, 101, 1000])
def test_interval_holds_the_true_median_as_often_as_it_says(count: int) -> None:
    chance = random.Random(count)
    rounds, held = 1000, 0
    for _ in range(rounds):
        one = of(*(int(1e6 * chance.lognormvariate(0, 1)) for _ in range(count)))
        assert one.low is not None
        assert one.high is not None
        held += one.low <= 1e6 <= one.high
    assert held / rounds > CONFIDENCE - 0.01


@pytest.mark.slow
def test_noise_is_hardly_ever_taken_for_a_change() -> None:
    chance = random.Random(1)

    def side() -> Median:
        return of(*(int(MS * chance.lognormvariate(0, 1)) for _ in range(50)))

    taken = sum(grew_in_time(side(), side()) for _ in range(1000))
    assert taken <= 3


def test_too_few_values_need_a_great_difference() -> None:
    assert grew_in_time(of(2 * MS), of(3 * MS))
    assert not grew_in_time(of(2 * MS), of(2 * MS + 999_999))
    assert not grew_in_time(of(10 * MS), of(14 * MS))
    assert not grew_in_time(of(1), of(1000))
    assert grew_in_time(of(0), of(MS))
    assert not grew_in_time(of(3 * MS), of(2 * MS))


def test_many_values_need_intervals_that_do_not_overlap() -> None:
    before = of(*range(1000, 1100))
    assert before.high is not None
    assert grew_in_time(before, of(*range(1200, 1300)))
    assert not grew_in_time(before, of(*range(1010, 1110)))
    assert not grew_in_time(of(*range(1200, 1300)), before)


def test_difference_must_be_greater_than_what_is_uncertain_of_a_bucket() -> None:
    assert not grew_in_time(of(*[1000] * 50), of(*[1049] * 50))
    assert grew_in_time(of(*[1000] * 50), of(*[1050] * 50))


def test_one_side_with_too_few_is_enough_for_the_threshold() -> None:
    many = of(*[2 * MS] * 50)
    assert not can_tell(many, of(2 * MS))
    assert can_tell(many, many)
    assert grew_in_time(many, of(3 * MS))
    assert not grew_in_time(many, of(2 * MS + 500_000))


def test_numbers() -> None:
    assert grew_in_number(of(3), of(4))
    assert not grew_in_number(of(4), of(4))
    assert grew_in_number(of(*[3] * 50), of(*[4] * 50))
    assert not grew_in_number(of(*[3, 4, 5] * 20), of(*[3, 4, 5, 5] * 15))


@pytest.mark.parametrize(
    ("had", "of", "none_in", "expected"),
    [
        (1, 1, 1, False),
        (1, 100, 100, True),
        (1, 100, 1000, False),
        (5, 10, 7, False),
        (5, 10, 6, True),
        (1, 2, 0, True),
    ],
)
def test_chance(had: int, of: int, none_in: int, expected: bool) -> None:
    assert may_be_chance(had, of, none_in) is expected
