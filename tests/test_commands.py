from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

import signal_trace
from signal_trace import commands, on_demand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from signal_trace import Trace

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def watched(settings: Settings) -> Iterator[None]:
    settings.SIGNAL_TRACE = {"COMMANDS": ["open_things"], "SAMPLE_RATE": 0}
    execute = BaseCommand.execute
    commands.watch()
    yield
    BaseCommand.execute = execute  # type: ignore[method-assign]


def run(*arguments: str) -> str:
    output = StringIO()
    call_command("open_things", "a", *arguments, stdout=output)
    return output.getvalue().strip()


def test_command_that_is_named_is_a_trace_whatever_the_sample(
    sent: list[Trace],
) -> None:
    assert run() == "opened a"
    (trace,) = sent
    assert (trace.kind, trace.name) == ("command", "open_things")
    assert trace.attributes == {"command": "open_things"}
    assert trace.error is None
    assert {send.sender for send in trace.sends} == {"tests.senders.a"}


def test_command_whose_class_is_written_elsewhere_has_its_own_name(
    settings: Settings, sent: list[Trace]
) -> None:
    settings.SIGNAL_TRACE = {"COMMANDS": ["open_again"]}
    call_command("open_again", "a")
    (trace,) = sent
    assert trace.name == "open_again"


def test_command_that_fails_is_a_trace_with_its_error(sent: list[Trace]) -> None:
    with pytest.raises(CommandError, match="it failed"):
        run("--end=fail")
    (trace,) = sent
    assert trace.error is not None
    assert trace.error.type == "django.core.management.base.CommandError"


@pytest.mark.parametrize(("code", "error"), [(0, None), (3, "SystemExit")])
def test_command_that_exits(sent: list[Trace], code: int, error: str | None) -> None:
    with pytest.raises(SystemExit) as caught:
        run(f"--end={code}")
    assert caught.value.code == code
    (trace,) = sent
    assert (trace.error and trace.error.type) == error


@pytest.mark.parametrize(
    "given",
    [{}, {"COMMANDS": ["open"]}, {"COMMANDS": ["open_things"], "ENABLED": False}],
)
def test_command_that_is_not_named_is_none(
    settings: Settings, sent: list[Trace], given: dict[str, Any]
) -> None:
    settings.SIGNAL_TRACE = given
    assert run() == "opened a"
    assert sent == []


def test_command_within_a_recording_has_its_own_trace(sent: list[Trace]) -> None:
    with signal_trace.record("outer") as recording:
        run()
    (trace,) = sent
    assert trace.attributes["outer"] == recording.trace.id
    assert len(recording.trace.sends) == len(trace.sends)


def test_commands_are_watched_once(sent: list[Trace]) -> None:
    commands.watch()
    run()
    assert len(sent) == 1


def manage(folder: Path, given: str, *arguments: str) -> str:
    """What `manage.py` prints of a process of its own."""
    (folder / "own_settings.py").write_text(
        f"from tests.settings import *\nSIGNAL_TRACE = {given}\n"
        f"TRACES = {str(folder / 'traces.jsonl')!r}\n"
    )
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "own_settings",
        "PYTHONPATH": os.pathsep.join(
            [str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")]
        ),
    }
    return subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        env=environment,
        check=True,
        text=True,
        capture_output=True,
    ).stdout.strip()


def test_setting_is_all_that_a_process_needs(tmp_path: Path) -> None:
    sinks = [{"BACKEND": "tests.app.sinks.write_line"}]
    given = {"COMMANDS": ["open_things"], "SINKS": sinks}
    assert manage(tmp_path, repr(given), "open_things", "a") == "opened a"
    (line,) = (tmp_path / "traces.jsonl").read_text().splitlines()
    assert json.loads(line)["name"] == "open_things"


def test_no_setting_leaves_djangos_commands_as_they_are(tmp_path: Path) -> None:
    code = "from django.core.management.base import BaseCommand as B"
    code += "; print(B.execute.__module__, hasattr(B.execute, 'signal_trace'))"
    shown = manage(tmp_path, "{}", "shell", "--no-imports", "-c", code)
    assert shown == "django.core.management.base False"


def token(*arguments: str) -> str:
    output = StringIO()
    call_command("signaltrace", "token", *arguments, stdout=output)
    return output.getvalue()


def test_token_is_all_that_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.core import signing

    now = 1_800_000_000
    monkeypatch.setattr(signing.time, "time", lambda: now)
    hour, minute = token(), token("--minutes=1")
    assert hour.endswith("\n")
    assert on_demand.is_good(hour.strip())
    assert on_demand.is_good(minute.strip())
    now += 61
    assert on_demand.is_good(hour.strip())
    assert not on_demand.is_good(minute.strip())
    now += 3600
    assert not on_demand.is_good(hour.strip())


@pytest.mark.parametrize("minutes", ["0", "-1", "1441", "a", ""])
def test_token_for_a_time_that_makes_no_sense(minutes: str) -> None:
    with pytest.raises(CommandError, match="--minutes"):
        token(f"--minutes={minutes}")
