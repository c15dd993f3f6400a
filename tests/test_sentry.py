"""With sentry-sdk's spans of signals, whichever of the two comes first.

Sentry replaces `Signal._live_receivers` for good, to wrap each synchronous receiver at
each send. So each case has a process of its own: see `sentry_sends`.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("sentry_sends.py")
DJANGO = "django/dispatch/dispatcher.py"
SENTRY = "sentry_sdk/integrations/django/signals_handlers.py"


@functools.cache
def printed(order: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-W", "error", SCRIPT, order],
        capture_output=True,
        text=True,
        check=False,
    )
    # No bug of ours is logged, and Sentry has nothing to complain of.
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    return finished.stdout


def run(order: str) -> Any:
    """What was seen with Sentry and recordings in that *order*."""
    return json.loads(printed(order))


ORDERS = [
    "sentry_first",
    "sentry_after_a_recording",
    "sentry_during_a_recording",
    "sentry_inside_a_receiver",
    "sentry_over_patches_that_stay",
]
every_order = pytest.mark.parametrize("order", ORDERS)


@every_order
@pytest.mark.parametrize("part", ["work", "again"])
def test_each_call_is_recorded_as_without_sentry(order: str, part: str) -> None:
    within, without = run(order)[part], run("without_sentry")["work"]
    # By the same names, with the same times and parents, and each once.
    assert within["sends"] == without["sends"]
    assert within["outcomes"] == without["outcomes"]


def test_names_times_and_parents_are_the_receivers_own() -> None:
    sends = run("sentry_first")["work"]["sends"]
    lines = SCRIPT.read_text().splitlines()
    for call in [call for send in sends for call in send["calls"]]:
        file, _, line = call.pop(1).partition(":")
        function = call[0].rpartition(".")[2]
        assert file == SCRIPT.name
        assert f"def {function}(" in lines[int(line) - 1]
    assert sends[:2] == [
        {
            "sender": "send",
            "method": "send",
            "parent": None,
            "calls": [
                ["__main__.sending", 23, 3, None],
                ["__main__.slow", 20, 20, None],
                ["__main__.quick", 0, 0, None],
                ["__main__.Shop.method", 3, 3, None],
            ],
        },
        {
            "sender": "send",
            "method": "send",
            "parent": "__main__.sending",
            "calls": [
                ["__main__.slow", 20, 20, None],
                ["__main__.quick", 0, 0, None],
            ],
        },
    ]
    by_sender = {send["sender"]: send["calls"] for send in sends[::-1]}
    assert by_sender["send to both"][-1] == ["__main__.sending_later", 25, 5, None]
    assert by_sender["send that fails"] == [
        ["__main__.quick", 0, 0, None],
        ["__main__.failing", 4, 4, "ValueError"],
    ]
    assert by_sender["asend_robust that fails"] == [
        ["__main__.failing_later", 6, 6, "LookupError"]
    ]


@every_order
@pytest.mark.parametrize("part", ["work", "again", "after"])
def test_sentry_has_the_spans_that_it_has_without_us(order: str, part: str) -> None:
    within, without = run(order)[part], run("without_us")["work"]
    assert within["spans"] == without["spans"]
    assert within["errors"] == without["errors"] == ["LookupError"]
    assert within["outcomes"] == without["outcomes"]
    assert ["__main__.slow", "__main__.sending"] in within["spans"]


@every_order
def test_what_stands_on_signal_at_last_is_sentrys_and_djangos(order: str) -> None:
    assert run(order)["standing"] == [DJANGO, SENTRY]


def test_spans_go_on_while_our_patches_stay() -> None:
    outside = run("sentry_over_patches_that_stay")["outside"]
    assert outside == run("without_us")["work"]


def test_calls_are_recorded_once_when_sentry_looks_into_the_frames() -> None:
    within = run("failures_that_sentry_looks_into")["work"]
    assert within["sends"] == run("failures_without_sentry")["work"]["sends"]
    without = run("failures_without_us")["work"]
    assert within["outcomes"] == without["outcomes"]
    assert within["spans"] == without["spans"]
    assert within["errors"] == without["errors"]
