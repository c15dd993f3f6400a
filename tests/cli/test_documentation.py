"""`docs/commands.md` is complete, and its examples print what it says."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class

from signal_trace.cli import commands, spread, top
from tests.cli.conftest import Run, write
from tests.cli.shop import checkouts

PAGE = (Path(__file__).parent.parent.parent / "docs/commands.md").read_text()


def parsers() -> dict[str, argparse.ArgumentParser]:
    command = load_command_class(get_commands()["signaltrace"], "signaltrace")
    parser = command.create_parser("manage.py", "signaltrace")
    (found,) = [one for one in parser._actions if one.dest == "what"]
    choices: Any = found.choices
    return dict(choices)


def section(name: str) -> str:
    return re.split(r"\n## ", PAGE.partition(f"\n## {name}\n")[2])[0]


def test_every_command_has_its_section() -> None:
    for name in parsers():
        if name != "token":  # That is in choosing.md.
            assert section(name), name
        assert f"| [`{name}`](" in PAGE


@pytest.mark.parametrize("name", ["run", *commands.COMMANDS])
def test_every_option_is_in_the_section_of_its_command(name: str) -> None:
    common = section("What is read")
    for action in parsers()[name]._actions:
        for option in action.option_strings:
            if action.help != argparse.SUPPRESS and option not in ("-h", "--help"):
                known = section(name) if name == "run" else section(name) + common
                assert re.search(rf"`{option}( \w+)?`", known), option


@pytest.mark.parametrize("name", ["run", *commands.COMMANDS])
def test_no_option_is_in_it_that_there_is_not(name: str) -> None:
    known = {one for two in parsers()[name]._actions for one in two.option_strings}
    for row in re.findall(r"^\| (`--.*?) \|", section(name), re.MULTILINE):
        assert {*re.findall(r"--[\w-]+", row)} <= known


@pytest.mark.parametrize("name", ["list", "top"])
def test_every_order_is_documented(name: str) -> None:
    orders = re.search(r"`--sort BY` \| (.*)", section(name))
    assert orders is not None
    assert set(commands.COMMANDS[name].ORDERS) <= {*re.findall(r"`(\w+)`", orders[1])}


def test_numbers_are_those_of_the_code() -> None:
    told = " ".join(PAGE.split())
    assert f"With {spread.FEWEST} traces or more" in told
    assert f"{spread.CONFIDENCE:.0%} confidence".replace("%", " %") in told
    assert f"what differs {spread.FACTOR} times, and by 1 ms" in told
    assert spread.DIFFERENCE_NS == 1_000_000
    assert spread.LEAST_FACTOR == 1.05
    assert f"by default {top.LIMIT}" in told


EXAMPLES = re.findall(
    r"```console\n\$ python -m signal_trace (.*)\n((?:.*\n)*?)```", PAGE
)


@pytest.mark.parametrize(
    ("arguments", "expected"), EXAMPLES, ids=[one for one, _ in EXAMPLES]
)
def test_example(run: Run, arguments: str, expected: str) -> None:
    traces = checkouts(40, fails_every=10)
    write(Path("traces.jsonl"), traces)
    write(Path("trace.json"), traces[9:10])
    write(Path("before.jsonl"), checkouts(40))
    write(Path("after.jsonl"), checkouts(40, fraud_ms=60, fails_every=4, first=100))
    ended = run(*shlex.split(arguments))
    assert f"{ended.out}{ended.err}" == expected
    assert ended.status == 0


def test_each_that_reads_has_an_example() -> None:
    assert {one.split()[0] for one, _ in EXAMPLES} == set(commands.COMMANDS)


def test_lines_that_are_passed_over_are_told_as_is_said(run: Run) -> None:
    good = [f"{checkouts(1)[0].to_json()}\n"] * 10_003
    good[16], good[9_000] = "nonsense\n", f"{good[0][:500]}\n"
    Path("traces.jsonl").write_text("".join(good))
    (told,) = re.findall(r"```text\n(Passed over .*?)```", PAGE, re.DOTALL)
    assert run("list", "--limit=1", "traces.jsonl").err == told
