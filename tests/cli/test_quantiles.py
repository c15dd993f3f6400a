from __future__ import annotations

import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_trace.cli.quantiles import MOST_EXACT, RELATIVE_ERROR, Quantiles

NS_OF_A_DAY = 86_400 * 10**9


def quantiles(values: list[int]) -> Quantiles:
    made = Quantiles()
    for value in values:
        made.add(value)
    return made


def test_none_of_none() -> None:
    assert Quantiles().quantile(0.5) is None


@given(st.lists(st.integers(0, NS_OF_A_DAY), min_size=1, max_size=MOST_EXACT))
def test_few_values_are_exact(values: list[int]) -> None:
    made = quantiles(values)
    ordered = sorted(values)
    assert [made.at(i) for i in range(1, len(values) + 1)] == ordered
    assert made.quantile(0) == ordered[0]
    assert made.quantile(1) == ordered[-1]


@given(
    st.lists(
        st.integers(0, NS_OF_A_DAY) | st.integers(0, 100),
        min_size=MOST_EXACT + 1,
        max_size=3 * MOST_EXACT,
    )
)
def test_many_values_are_near_enough(values: list[int]) -> None:
    made = quantiles(values)
    ordered = sorted(values)
    for rank in {1, 2, len(values) // 2, len(values) - 1, len(values)}:
        value = ordered[rank - 1]
        # What is told is rounded to whole numbers as well.
        assert abs(made.at(rank) - value) <= RELATIVE_ERROR * value + 0.5


def test_small_counts_are_exact_however_many() -> None:
    made = quantiles([number % 40 for number in range(4000)])
    assert [made.at(100 * i) for i in range(1, 41)] == list(range(40))


def test_middle_and_tail() -> None:
    made = quantiles(list(range(1, 101)))
    assert (made.quantile(0.5), made.quantile(0.95)) == (50, 95)


@pytest.mark.parametrize("rank", [0, 4])
def test_rank_that_is_not_there(rank: int) -> None:
    with pytest.raises(ValueError, match=f"no rank {rank} of 3"):
        quantiles([1, 2, 3]).at(rank)


def test_memory_is_bounded() -> None:
    chance = random.Random(1)
    made = quantiles([int(10 ** chance.uniform(0, 14)) for _ in range(20_000)])
    assert len(made._buckets) < 1700
    assert made._exact is None
    assert sys.getsizeof(made._buckets) < 100_000
