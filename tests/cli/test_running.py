"""``manage.py signaltrace``: what it has beyond the commands that stand alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command, get_commands, load_command_class
from django.core.management.base import CommandError

from signal_trace import Trace
from signal_trace.cli import commands
from tests.cli.conftest import FIVE, write
from tests.traces import CHECKOUT

ROOT = Path(__file__).parent.parent.parent
SETTINGS = """
from tests.settings import *
SIGNAL_TRACE = {sink}
"""


def manage(
    *arguments: Any, sink: dict[str, Any] | None = None
) -> subprocess.CompletedProcess[str]:
    Path("own_settings.py").write_text(SETTINGS.format(sink=sink or {}))
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "own_settings",
        "PYTHONPATH": os.pathsep.join([str(Path.cwd()), str(ROOT)]),
    }
    return subprocess.run(
        [sys.executable, "-m", "django", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment,
        text=True,
        check=False,
    )


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return manage("signaltrace", "run", *arguments)


def test_command_prints_what_it_prints_and_its_tree_comes_after() -> None:
    ended = run("open_things", "a")
    assert (ended.returncode, ended.stdout) == (0, "opened a\n")
    lines = ended.stderr.splitlines()
    assert lines[0] == ""
    assert lines[1].startswith("open_things: ")
    assert any("▸ opened from tests.senders.a" in line for line in lines)


def test_options_are_the_commands_own() -> None:
    ended = run("open_things", "a", "-v", "2", "--end=3", "--no-color")
    assert ended.returncode == 3
    ended = run("open_things", "a", "--all", "--sql")
    assert ended.returncode == 2
    assert "unrecognized arguments: --all --sql" in ended.stderr
    ended = run("--sql", "check", "--tag", "models", "--", "app")
    assert ended.returncode == 0
    ended = run("open_things", "--help")
    assert ended.stdout.startswith("usage: ")
    assert "--end END" in ended.stdout


def test_command_that_fails_ends_as_it_would() -> None:
    by_itself = manage("open_things", "a", "--end=fail")
    ended = run("open_things", "a", "--end=fail")
    assert ended.returncode == by_itself.returncode == 1
    assert ended.stderr.startswith(by_itself.stderr)
    assert "✗ ended by django.core.management.base.CommandError" in ended.stderr


@pytest.mark.parametrize("code", [0, 3])
def test_command_that_exits_has_its_exit_status(code: int) -> None:
    ended = run("open_things", "a", f"--end={code}")
    assert ended.returncode == code
    assert ("✗ ended by SystemExit" in ended.stderr) is (code != 0)
    assert "open_things: " in ended.stderr


def test_command_that_raises_has_its_traceback() -> None:
    ended = run("open_things", "a", "--end=no number")
    assert ended.returncode == 1
    assert ended.stderr.rstrip().splitlines()[-1].startswith("ValueError: invalid")
    assert "✗ ended by ValueError" in ended.stderr


def test_wrong_arguments_are_the_commands_to_refuse() -> None:
    by_itself = manage("open_things", "--no-such-option")
    ended = run("open_things", "--no-such-option")
    assert ended.returncode == by_itself.returncode == 2
    assert ended.stderr == by_itself.stderr


def test_command_that_does_not_exist() -> None:
    ended = run("opn_things")
    assert ended.returncode == 1
    assert "Unknown command: 'opn_things'. Did you mean open_things?" in ended.stderr


def test_exported_instead_of_shown() -> None:
    for arguments in (["--format=jsonl", "--output=out"], ["--output=out.json"]):
        ended = run(*arguments, "open_things", "a")
        assert (ended.returncode, ended.stdout) == (0, "opened a\n")
        output = arguments[-1].removeprefix("--output=")
        assert ended.stderr == f"Written to {output}\n"
        trace = Trace.from_json(Path(output).read_text())
        assert (trace.kind, trace.name) == ("command", "open_things")
        assert trace.attributes == {"command": "open_things"}


def test_failing_command_is_exported_too() -> None:
    ended = run("--output=out.json", "open_things", "a", "--end=fail")
    assert ended.returncode == 1
    assert ended.stderr == "CommandError: it failed\nWritten to out.json\n"
    error = Trace.load("out.json").error
    assert error is not None
    assert error.message == "it failed"


def test_file_that_exists_is_said_before_the_command_runs() -> None:
    Path("out.json").write_text("precious")
    ended = run("--output=out.json", "open_things", "a")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "CommandError: out.json: exists; --force replaces it\n"
    assert Path("out.json").read_text() == "precious"
    assert run("--output=out.json", "--force", "open_things", "a").returncode == 0


def test_output_that_names_no_file_is_said_before_the_command_runs() -> None:
    ended = run("--output=", "open_things", "a")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--output '' names no file" in ended.stderr


def test_format_without_a_file_is_refused() -> None:
    ended = run("--format=json", "open_things", "a")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--format is for --output FILE" in ended.stderr


def test_export_that_fails_after_the_command_did_not(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    code = "import os; os.rmdir('folder'); print('done')"
    ended = run("--output=folder/out.json", "shell", "--no-imports", "-c", code)
    assert ended.stdout == "done\n"
    assert ended.returncode == 1
    assert "CommandError: " in ended.stderr
    assert "check the path" in ended.stderr


def signaltrace(*arguments: Any) -> str:
    output = StringIO()
    call_command("signaltrace", *arguments, stdout=output)
    return output.getvalue()


def test_commands_are_those_that_stand_alone() -> None:
    write(Path("trace.json"), [CHECKOUT])
    assert signaltrace("show", "trace.json").startswith("POST /checkout/: 20.00 ms")
    assert json.loads(signaltrace("list", "--json", "trace.json"))[0]["sends"] == 2
    assert signaltrace("top", "trace.json").startswith("1 trace\n")
    assert Trace.from_json(signaltrace("export", "trace.json", "--format=json"))
    assert "1 trace" in signaltrace("compare", "trace.json", "trace.json")


def test_failures_are_command_errors() -> None:
    with pytest.raises(CommandError, match=r"no\.json: no such .*; check") as caught:
        signaltrace("show", "no.json")
    assert caught.value.returncode == 1
    with pytest.raises(CommandError, match="which --format") as caught:
        signaltrace("export", "no.json")
    assert caught.value.returncode == 2


@pytest.mark.parametrize("arguments", [["--no-color", "list"], ["list", "--no-color"]])
def test_djangos_own_options_are_taken_where_people_write_them(
    arguments: list[str],
) -> None:
    write(Path("trace.json"), [CHECKOUT])
    assert "\x1b" not in signaltrace(*arguments, "trace.json")
    forced = [one.replace("no-color", "force-color") for one in arguments]
    assert "\x1b[1m" in signaltrace(*forced, "trace.json")
    settings = "--settings=tests.settings"
    ended = manage("signaltrace", "list", settings, "--traceback", "trace.json")
    assert ended.returncode == 0


@pytest.mark.parametrize("stdin", ["closed", "null"])
def test_file_sinks_files_are_read_where_none_is_named_or_piped_in(
    monkeypatch: pytest.MonkeyPatch, settings: Any, stdin: str
) -> None:
    path = write(Path("five.jsonl").absolute(), FIVE)
    sink = {"BACKEND": "signal_trace.sinks.FileSink", "OPTIONS": {"path": str(path)}}
    settings.SIGNAL_TRACE = {"SINKS": [sink]}
    with Path(os.devnull).open() as null:
        monkeypatch.setattr(sys, "stdin", None if stdin == "closed" else null)
        assert len(signaltrace("list").splitlines()) == 6
        settings.SIGNAL_TRACE = {}
        with pytest.raises(CommandError, match="no FILE was given"):
            signaltrace("list")


def test_every_command_is_there() -> None:
    command = load_command_class(get_commands()["signaltrace"], "signaltrace")
    usage = command.create_parser("manage.py", "signaltrace").format_help()
    for name in ("run", "token", *commands.COMMANDS):
        assert f"\n    {name} " in usage
    assert usage.endswith(commands.EXIT_STATUS)
