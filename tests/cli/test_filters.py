from __future__ import annotations

import argparse
from dataclasses import replace

import pytest

from signal_trace.cli import filters
from signal_trace.trace import Trace
from tests.cli.conftest import FIVE
from tests.traces import CHECKOUT, EMPTY, LARGE, MS


def chosen(*given: str) -> filters.Filter:
    parser = argparse.ArgumentParser(exit_on_error=False)
    filters.add_options(parser)
    return filters.chosen(parser.parse_args(given))


def durations(*given: str) -> list[int]:
    return [one.duration_ns // MS for one in FIVE if chosen(*given)(one)]


def test_all_without_an_option() -> None:
    assert durations() == [10, 20, 30, 40, 50]


def test_slower_than() -> None:
    assert durations("--slower-than", "30") == [40, 50]
    assert durations("--slower-than=29.9") == [30, 40, 50]


def test_failed_by_an_exception_of_its_own_or_of_a_receiver() -> None:
    assert durations("--failed") == [30, 40]
    assert not chosen("--failed")(EMPTY)


def test_failed_by_its_status() -> None:
    for status, expected in ((500, True), (404, False), ("500", False)):
        trace = replace(EMPTY, attributes={"status_code": status})
        assert chosen("--failed")(trace) is expected


def test_failed_among_what_was_left_out() -> None:
    only_omitted = replace(EMPTY, omitted=LARGE.omitted)
    assert chosen("--failed")(only_omitted)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("page/3", [30]),
        ("get /PAGE/3", [30]),
        ("*/3/", [30]),
        ("*/3", []),
        ("GET /page/?/", [10, 20, 30, 40, 50]),
        ("GET", [10, 20, 30, 40, 50]),
        ("[G]ET*", []),
        (".", []),
    ],
)
def test_name(pattern: str, expected: list[int]) -> None:
    assert durations("--name", pattern) == expected


@pytest.mark.parametrize(
    ("trace", "pattern", "expected"),
    [
        (CHECKOUT, "announce", True),
        (CHECKOUT, "shop.receivers.*", True),
        (CHECKOUT, "recount", False),
        (LARGE, "*.recount", True),
        (EMPTY, "*", False),
    ],
)
def test_receiver(trace: Trace, pattern: str, expected: bool) -> None:
    assert chosen("--receiver", pattern)(trace) is expected


def test_several_options_must_all_fit() -> None:
    assert durations("--failed", "--slower-than=30") == [40]


@pytest.mark.parametrize("ms", ["", "a", "-1", "nan", "inf"])
def test_time_that_is_none(ms: str) -> None:
    with pytest.raises(argparse.ArgumentError, match="is no number of milliseconds"):
        chosen(f"--slower-than={ms}")
