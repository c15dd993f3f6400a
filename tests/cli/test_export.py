from __future__ import annotations

import errno
import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from signal_trace import Trace, exports
from signal_trace.cli import writing
from signal_trace.cli.failing import Failure, Misuse
from signal_trace.exports import Format
from tests.cli.conftest import FIVE, Run, write
from tests.traces import CHECKOUT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return write(tmp_path / "checkout.json", [CHECKOUT])


ROOT = str(Path(__file__).parent.parent.parent)


def files() -> set[str]:
    return {one.name for one in Path.cwd().iterdir()}


@pytest.mark.parametrize("name", exports.FORMATS)
def test_every_format_to_standard_output_and_to_a_file(
    run: Run, checkout: Path, name: str
) -> None:
    expected = Trace.load(checkout).export(name)
    ended = run("export", checkout, "--format", name)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == expected
    ended = run("export", checkout, "--format", name, "--output", "out")
    assert (ended.status, ended.out, ended.err) == (0, "", "Written to out\n")
    assert Path("out").read_text("utf-8") == expected
    assert files() == {"checkout.json", "out"}


@pytest.mark.parametrize("name", exports.FORMATS)
def test_format_is_known_by_the_files_name(run: Run, checkout: Path, name: str) -> None:
    output = f"trace.{exports.FORMATS[name].suffix}"
    assert run("export", checkout, "--output", output).status == 0
    assert Path(output).read_text("utf-8") == Trace.load(checkout).export(name)


def test_format_that_nobody_knows(run: Run, checkout: Path) -> None:
    for arguments in ([], ["--output=trace.doc"], ["--output=json"]):
        ended = run("export", checkout, *arguments)
        assert ended.status == 2
        assert "which --format? There are html, json, " in ended.err
    ended = run("export", checkout, "--format=doc")
    assert ended.status == 2
    assert "no format 'doc'; the formats are html, json," in ended.err
    assert files() == {"checkout.json"}


def _shout(traces: Iterable[Trace]) -> Iterator[str]:
    return (f"{one.name.upper()}\n" for one in traces)


SHOUT = Format("shout", _shout, "text/plain", "txt")


def test_format_of_ones_own(
    run: Run, five: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shouting", sys.modules[__name__])
    out = run("export", five, "--format=shouting.SHOUT").out
    assert out == "".join(f"GET /PAGE/{i}/\n" for i in range(1, 6))


def test_one_of_many(run: Run, five: Path) -> None:
    out = run("export", "a0000004", five, "--format=json").out
    assert Trace.from_json(out) == FIVE[3]


def test_many_in_one_file(run: Run, five: Path) -> None:
    out = run("export", five, "--format=jsonl", "--slower-than=20").out
    assert [Trace.from_json(line) for line in out.splitlines()] == FIVE[2:]


def test_many_are_streamed(run: Run, five: Path) -> None:
    taken: list[str] = []

    def pieces(traces: Iterable[Trace]) -> Iterator[str]:
        for trace in traces:
            taken.append(trace.id)
            yield trace.id

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        writing.to_stream(pieces(FIVE), Closed())
    assert len(taken) == 1


@pytest.mark.parametrize("name", ["html", "json"])
def test_many_where_a_file_holds_one(run: Run, five: Path, name: str) -> None:
    ended = run("export", five, "--format", name, "--output=out")
    assert ended.status == 1
    assert f"several traces: {name} holds one; name it by its id" in ended.err
    assert files() == {"five.jsonl"}


@pytest.mark.parametrize("name", ["json", "jsonl"])
def test_none_at_all(run: Run, five: Path, name: str) -> None:
    ended = run("export", five, "--format", name, "--name=no such", "--output=out")
    assert ended.status == 1
    assert "no trace is like that" in ended.err
    assert files() == {"five.jsonl"}


def test_file_that_exists_is_left_alone_unless_forced(run: Run, checkout: Path) -> None:
    Path("out.json").write_text("precious")
    ended = run("export", checkout, "--output=out.json")
    assert ended.status == 1
    assert ended.err == "signal_trace: out.json: exists; --force replaces it\n"
    assert Path("out.json").read_text() == "precious"
    assert run("export", checkout, "--output=out.json", "--force").status == 0
    assert Trace.load("out.json") == CHECKOUT


def test_file_may_be_exported_onto_itself(run: Run, checkout: Path) -> None:
    assert run("export", checkout, "--output", checkout, "--force").status == 0
    assert Trace.load(checkout) == CHECKOUT


def test_link_stays_one(run: Run, checkout: Path) -> None:
    Path("target.json").write_text("old")
    Path("link.json").symlink_to("target.json")
    assert run("export", checkout, "--output=link.json", "--force").status == 0
    assert Path("link.json").is_symlink()
    assert Trace.load("target.json") == CHECKOUT


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (".", ".: is a folder; name a file in it"),
        ("/dev/null", "/dev/null: is no regular file; leave --output out, and use >"),
        ("no/such/out.json", "no/such/out.json: there is no folder "),
        ("x" * 300, "file name too long"),
    ],
)
def test_place_where_nothing_can_be_written(
    run: Run, checkout: Path, output: str, problem: str
) -> None:
    arguments = ("--format=json", "--output", output, "--force")
    ended = run("export", checkout, *arguments)
    assert ended.status == 1
    assert problem in ended.err
    assert ended.err.count("\n") == 1
    assert files() == {"checkout.json"}
    assert not Path("/dev/null").is_file()


def test_format_whose_module_fails(
    run: Run, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("no_formats.py").write_text("raise RuntimeError('there is no project')")
    monkeypatch.syspath_prepend(Path.cwd())
    ended = run("export", checkout, "--format=no_formats.OWN")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == (
        "signal_trace: no format 'no_formats.OWN': RuntimeError: there is no project\n"
    )


@pytest.mark.parametrize("output", ["", "-"])
def test_output_that_names_no_file(run: Run, checkout: Path, output: str) -> None:
    ended = run("export", checkout, "--format=json", "--output", output)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == (
        f"signal_trace: --output {output!r} names no file; name one, or leave it out\n"
    )
    assert files() == {"checkout.json"}


def test_long_name_that_fits(run: Run, checkout: Path) -> None:
    output = f"{'x' * 250}.json"
    assert run("export", checkout, "--output", output).status == 0


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "Full"), KeyboardInterrupt()])
def test_what_fails_midway_leaves_nothing_behind(
    tmp_path: Path, error: BaseException
) -> None:
    def pieces() -> Iterator[str]:
        yield "half of it"
        raise error

    path = tmp_path / "out.json"
    path.write_text("precious")
    expected = Failure if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        writing.to_file(pieces(), path)
    assert path.read_text() == "precious"
    assert files() == {"out.json"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a disk can't be mounted here: that takes root on Linux")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_full_disk(run: Run, small_disk: Path) -> None:
    path = write(Path("many.jsonl"), [CHECKOUT] * 50)
    output = small_disk / "out.jsonl"
    output.write_text("precious")
    ended = run("export", path, "--output", output, "--force")
    assert ended.status == 1
    assert ended.err == (
        f"signal_trace: {output}: no space left on device; make room, or write"
        " elsewhere\n"
    )
    assert os.listdir(small_disk) == ["out.jsonl"]  # noqa: PTH208
    assert output.read_text() == "precious"


def test_standard_output_that_is_full(checkout: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "signal_trace", "export", checkout, "--format=json"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": ROOT},
            text=True,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr == (
        "signal_trace: the output: no space left on device; make room, or write"
        " elsewhere\n"
    )


def test_new_file_has_the_usual_permissions(run: Run, checkout: Path) -> None:
    Path("usual").touch()
    run("export", checkout, "--output=out.json")
    assert Path("out.json").stat().st_mode == Path("usual").stat().st_mode


def test_file_that_is_replaced_keeps_its_permissions(run: Run, checkout: Path) -> None:
    path = Path("out.json")
    for mode in (0o600, 0o664):
        path.touch()
        path.chmod(mode)
        run("export", checkout, "--output=out.json", "--force")
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert Trace.load(path) == CHECKOUT


def test_what_is_already_there_when_it_is_checked() -> None:
    Path("file").touch()
    with pytest.raises(Failure, match="exists"):
        writing.check("file", force=False)
    assert writing.check("file", force=True) == Path("file").resolve()
    with pytest.raises(Misuse):
        writing.format_of("x.y", None)


def test_export_to_a_pipe_is_in_utf_8(checkout: Path) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "signal_trace", "export", checkout, "--format=text"],
        env=os.environ | {"PYTHONPATH": ROOT, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=True,
    ).stdout
    assert printed.decode("utf-8") == CHECKOUT.export("text")


def test_json_and_its_lines_are_read_back(run: Run, five: Path) -> None:
    run("export", five, "--output=all.jsonl")
    first = json.loads(Path("all.jsonl").read_text().splitlines()[0])
    assert first["id"] == FIVE[0].id
    assert run("list", "all.jsonl").out == run("list", five).out
