"""As a program of its own, on a machine that has no project."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from signal_trace import Trace, exports
from signal_trace.cli import commands
from tests.cli.conftest import FIVE, Run, write
from tests.traces import CHECKOUT

ROOT = Path(__file__).parent.parent.parent


def environment(**more: str) -> dict[str, str]:
    without = {name: value for name, value in os.environ.items() if name[:3] != "DJA"}
    return without | {"PYTHONPATH": str(ROOT), **more}


def alone(*arguments: Any, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "signal_trace", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(**more),
        text=True,
        check=False,
    )


def test_trace_is_shown_without_settings() -> None:
    write(Path("trace.json"), [CHECKOUT])
    for more in ({}, {"DJANGO_SETTINGS_MODULE": "no.such.settings"}):
        ended = alone("show", "trace.json", **more)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.startswith("POST /checkout/: 20.00 ms, 2 sends")


@pytest.mark.parametrize("name", exports.FORMATS)
def test_every_format_needs_no_settings(name: str) -> None:
    write(Path("trace.json"), [CHECKOUT])
    ended = alone("export", "trace.json", "--format", name)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout) > 1000


def test_exporting_in_code_needs_no_settings() -> None:
    write(Path("trace.json"), [CHECKOUT])
    code = "import signal_trace as s; print(s.Trace.load('trace.json').export('text'))"
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed == f"{CHECKOUT.export('text')}\n"


@pytest.mark.parametrize("command", ["run", "token"])
def test_what_needs_a_project_says_so(run: Run, command: str) -> None:
    ended = run(command, "migrate")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == (
        f"signal_trace: {command} needs a project: python manage.py signaltrace"
        f" {command}\n"
    )


def test_no_command_and_one_that_does_not_exist(run: Run) -> None:
    assert run().status == 2
    ended = run("lst")
    assert ended.status == 2
    assert "invalid choice: 'lst'" in ended.err


@pytest.mark.parametrize("command", ["", *commands.COMMANDS])
def test_help_fits_and_has_an_example(run: Run, command: str) -> None:
    ended = run(*filter(None, [command]), "--help")
    assert (ended.status, ended.err) == (0, "")
    longest = max(map(len, ended.out.splitlines()))
    assert longest <= 80
    if command:
        assert f"  python -m signal_trace {command} " in ended.out
    else:
        assert "exit status:" in ended.out


def test_reader_that_reads_no_further_ends_it_quietly() -> None:
    path = write(Path("many.jsonl"), FIVE * 2000)
    arguments = ["export", path, "--format=jsonl"]
    process = subprocess.Popen(
        [sys.executable, "-m", "signal_trace", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


def heed_interruptions() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interruption_ends_it_quietly() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "signal_trace", "export", "-", "--format=jsonl"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(PYTHONUNBUFFERED="1"),
        # What runs the tests in the background may ignore it, and so would this.
        preexec_fn=heed_interruptions,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    line = f"{CHECKOUT.to_json()}\n".encode()
    with process:
        process.stdin.write(line * 5)  # Pipes have room for that.
        process.stdin.flush()
        process.stdout.readline()  # It is at work.
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")


def test_closed_standard_input_is_like_none_at_all() -> None:
    program = f'exec "{sys.executable}" -m signal_trace list <&-'
    ended = subprocess.run(
        ["/bin/sh", "-c", program],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "no FILE was given" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_traces_of_another_machine_may_hold_anything() -> None:
    document = CHECKOUT.to_dict()
    document["sends"][0]["calls"][0]["receiver"] = "evil\udce9\x1b]0;title\x07"
    trace = Trace.from_dict(document)
    write(Path("trace.json"), [trace])
    for command in (["list"], ["show"], ["top"], ["export", "--format=text"]):
        ended = alone(*command, "trace.json")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "\x1b" not in ended.stdout
