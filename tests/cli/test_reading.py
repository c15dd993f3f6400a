from __future__ import annotations

import gzip
import io
import json
import os
import threading
from codecs import BOM_UTF8 as BOM
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from signal_trace.cli.failing import Failure, Misuse
from signal_trace.cli.reading import Reader
from tests.cli.conftest import FIVE, Run, write
from tests.traces import CHECKOUT, EMPTY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from signal_trace import Trace

GOOD = CHECKOUT.to_json().encode()


def reader(*given: object, piped: bytes = b"") -> Reader:
    return Reader(list(map(str, given)), lambda: io.BytesIO(piped))


def read(*given: object, piped: bytes = b"") -> list[Trace]:
    return list(reader(*given, piped=piped).traces())


def why(*given: object, piped: bytes = b"") -> str:
    with pytest.raises(Failure) as caught:
        read(*given, piped=piped)
    return str(caught.value)


def test_file_of_one_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_bytes(GOOD)
    assert read(path) == [CHECKOUT]


def test_file_of_one_trace_on_many_lines(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(CHECKOUT.to_dict(), indent=2))
    assert read(path) == [CHECKOUT]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("before", [BOM, b"\n", b" \r\n\n", BOM + b"\n"])
def test_what_stands_before_the_first_trace_is_no_trouble(
    tmp_path: Path, before: bytes, indent: int | None
) -> None:
    path = tmp_path / "trace.json"
    document = json.dumps(CHECKOUT.to_dict(), indent=indent)
    path.write_bytes(before + document.encode())
    one = reader(path)
    assert list(one.traces()) == [CHECKOUT]
    assert one.passed_over.count == 0


def test_file_of_many_traces(five: Path) -> None:
    assert read(five) == FIVE


def test_traces_are_read_one_at_a_time() -> None:
    taken: list[int] = []

    class Pipe(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            line = GOOD + b"\n"
            buffer[: len(line)] = line
            taken.append(len(line))
            return len(line)

    traces = Reader(["-"], lambda: io.BufferedReader(Pipe())).traces()  # type: ignore[arg-type]
    assert next(traces) == CHECKOUT
    assert len(taken) <= 2


@pytest.mark.parametrize("name", ["traces.jsonl.1.gz", "traces.jsonl"])
def test_compressed_file_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(GOOD + b"\n" + EMPTY.to_json().encode()))
    assert read(path) == [CHECKOUT, EMPTY]


def test_standard_input_compressed_or_not() -> None:
    assert read("-", piped=GOOD) == [CHECKOUT]
    assert read("-", piped=gzip.compress(GOOD)) == [CHECKOUT]


def test_pipe_that_has_a_name(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(GOOD,))
    writer.start()
    one = reader(path)
    assert list(one.traces()) == [CHECKOUT]
    assert one.size is None
    writer.join()


def test_folder_with_what_logrotate_makes_of_a_file(tmp_path: Path) -> None:
    write(tmp_path / "traces.jsonl", FIVE[3:])
    write(tmp_path / "traces.jsonl.1", FIVE[1:3])
    (tmp_path / "traces.jsonl.2.gz").write_bytes(
        gzip.compress(FIVE[0].to_json().encode())
    )
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "old.jsonl").mkdir()
    assert {one.id for one in read(tmp_path)} == {one.id for one in FIVE}


def test_several_files(five: Path, tmp_path: Path) -> None:
    assert read(five, write(tmp_path / "one.json", [CHECKOUT])) == [*FIVE, CHECKOUT]


def test_lines_that_cannot_hold_what_is_looked_for_are_not_read(five: Path) -> None:
    broken = five.read_text() + "{broken\n"
    five.write_text(broken)
    one = reader(five)
    assert list(one.traces([f'"{FIVE[2].id}'])) == [FIVE[2]]
    assert one.passed_over.count == 0


def test_bad_lines_are_passed_over_counted_and_named(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    lines = [GOOD] * 10_000
    lines[16] = b"nonsense"
    lines[9_000] = GOOD[:500]
    lines[9_001] = b"\xff\xfe"
    path.write_bytes(b"\n".join([*lines, b""]))
    one = reader(path)
    assert sum(1 for _ in one.traces()) == one.count == 9_997
    assert one.passed_over.count == 3
    assert one.passed_over.told == [
        f"{path}, line 17: not a trace: Expecting value at column 1",
        f"{path}, line 9,001: a trace that is cut off at column 501",
        f"{path}, line 9,002: not a trace: no text at byte 0",
    ]


def test_of_many_bad_lines_only_the_first_are_kept() -> None:
    one = reader("-", piped=b"nonsense\n" * 50 + GOOD)
    assert list(one.traces()) == [CHECKOUT]
    assert (one.passed_over.count, len(one.passed_over.told)) == (50, 10)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "f.json: empty; give traces as the formats json and jsonl, or FileSink,"),
        (b" \n", "there is no trace in what was given"),
        (GOOD[:900], "f.json: a trace that is cut off at column 8"),
        (
            GOOD.replace(b'"version": "1.', b'"version": "7.'),
            "f.json: a trace of version 7.1; this signal_trace reads 1.1; upgrade dja",
        ),
        (
            GOOD.replace(b'"duration_ns": ', b'"duration_ns": 1' + b"0" * 400, 1),
            "f.json: duration_ns is no integer of 64 bits: 1000",
        ),
        (
            GOOD.replace(b'"duration_ns": ', b'"duration_ns": -', 1),
            "f.json: duration_ns is negative: -",
        ),
        (b"hello\n", "f.json: not a trace: Expecting value at column 1; give traces"),
        (b"a\nb\n", "f.json, line 1: not a trace: Expecting value at column 1 (and 1 "),
        (b'{"a": 1}', "f.json: not a trace: no object with a version and sends; give"),
        (b"\x89PNG\r\n\0\0", "f.json: not a trace: a binary file; give traces as the"),
        (
            b"\x1f\x8b\x08nothing",
            "f.json: compressed by gzip, and cut off or damaged; ",
        ),
        (gzip.compress(GOOD)[:200], "f.json: compressed by gzip, and cut off or damag"),
    ],
)
def test_file_without_a_trace(content: bytes, problem: str) -> None:
    Path("f.json").write_bytes(content)
    assert why("f.json").startswith(problem)


def test_document_on_many_lines_that_is_cut_off() -> None:
    Path("f.json").write_text(json.dumps(CHECKOUT.to_dict(), indent=2)[:999])
    assert why("f.json").startswith("f.json: a trace that is cut off at line ")


def test_compressed_file_that_is_cut_off_gives_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl.gz"
    lines = b"".join(one.to_json().encode() + b"\n" for one in [CHECKOUT] * 2000)
    path.write_bytes(gzip.compress(lines)[:-100])
    one = reader(path)
    assert 0 < len(list(one.traces())) < 2000
    assert "cut off" in one.passed_over.told[-1]


def test_empty_file_among_others_is_passed_over(five: Path) -> None:
    Path("empty.jsonl").touch()
    one = reader("empty.jsonl", five)
    assert list(one.traces()) == FIVE
    assert one.passed_over.told == ["empty.jsonl: empty"]


def test_empty_standard_input_says_what_else_there_is() -> None:
    assert why("-") == (
        "standard input: empty; name files or folders with traces, or pipe some in"
    )


def test_no_such_file_is_said_before_anything_is_read(five: Path) -> None:
    with pytest.raises(Failure, match=r"none\.json: no such file .*; check the path"):
        reader(five, "none.json")


def test_folder_without_traces() -> None:
    Path("folder").mkdir()
    with pytest.raises(Failure, match=r"folder: no \.json or .jsonl files"):
        reader("folder")


def test_name_that_no_file_can_have() -> None:
    with pytest.raises(Misuse, match="no file's name"):
        reader("a\0b")


def test_empty_name_is_not_the_folder_one_is_in(five: Path) -> None:
    with pytest.raises(Misuse, match=r"^the name of a file is empty"):
        reader(five, "")


def test_name_with_control_characters_is_made_visible() -> None:
    with pytest.raises(Failure) as caught:
        reader("a\x1b[2Jb")
    assert str(caught.value).startswith("a\\x1b[2Jb: no such file")


@pytest.fixture
def somebody(run: Run, five: Path) -> Iterator[None]:
    """Not root, who may read everything."""
    run("list", five)  # Imports what it needs.
    if os.geteuid():
        yield
        return
    Path.cwd().chmod(0o755)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("given", ["closed", "closed/five.jsonl", "shut.jsonl"])
def test_without_permission(run: Run, request: Any, given: str) -> None:
    Path("closed").mkdir()
    for path in (Path("closed/five.jsonl"), Path("shut.jsonl")):
        write(path, FIVE).chmod(0)
    Path("closed").chmod(0)
    request.getfixturevalue("somebody")
    ended = run("list", given)
    assert ended.err == (
        f"signal_trace: {given}: permission denied; change its permissions, or be"
        " somebody who has them\n"
    )
    assert (ended.status, ended.out) == (1, "")
