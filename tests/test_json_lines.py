from __future__ import annotations

import gzip
import io
import warnings
from typing import TYPE_CHECKING

import pytest

from signal_trace import json_lines
from signal_trace.json_lines import TraceWarning
from tests.traces import CHECKOUT, EMPTY

if TYPE_CHECKING:
    from pathlib import Path

    from signal_trace import Trace

GOOD = CHECKOUT.to_json().encode()


def test_traces_are_read_one_at_a_time() -> None:
    taken: list[int] = []

    def lines() -> object:
        for number in range(3):
            taken.append(number)
            yield GOOD + b"\n"

    traces = json_lines.read(lines())  # type: ignore[arg-type]
    assert next(traces) == CHECKOUT
    assert taken == [0]


def test_a_compressed_file_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl.1.gz"
    path.write_bytes(gzip.compress(GOOD + b"\n" + EMPTY.to_json().encode() + b"\n"))
    with gzip.open(path) as file:
        assert list(json_lines.read(file)) == [CHECKOUT, EMPTY]


def test_empty_lines_and_files_are_no_trouble() -> None:
    assert list(json_lines.read(io.BytesIO(b""))) == []
    assert list(json_lines.read(io.BytesIO(b"\n \n" + GOOD + b"\n\n"))) == [CHECKOUT]


def read(path: Path) -> tuple[list[Trace], list[str]]:
    with path.open("rb") as file, warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        traces = list(json_lines.read(file))
    assert {warning.category for warning in found} <= {TraceWarning}
    assert {warning.filename for warning in found} <= {__file__}
    return traces, [str(warning.message) for warning in found]


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (GOOD[:300], "a trace that is cut off at"),
        (b"{}", "not a trace: no object with a version and sends"),
        (b"[]", "not a trace"),
        (b"Hello", "not a trace: Expecting value"),
        (GOOD + GOOD, "not a trace: Extra data"),
        (b"\0" * 50, "not a trace"),
        (b'{"version": "\xff"}', "not a trace: no text at byte 13"),
        (GOOD.replace(b'"1.1"', b'"9.0"'), "a trace of version 9.0; this"),
    ],
)
def test_line_that_is_no_trace_is_passed_over_with_a_warning_that_names_it(
    tmp_path: Path, bad: bytes, problem: str
) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_bytes(b"\n".join([GOOD, bad, GOOD, b""]))
    traces, messages = read(path)
    assert traces == [CHECKOUT, CHECKOUT]
    [message] = messages
    assert message.startswith(f"Passed over: {path}, line 2: {problem}")


def test_last_line_may_be_cut_off_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    for end in range(1, len(GOOD), 97):
        path.write_bytes(GOOD + b"\n" + GOOD[:end])
        traces, messages = read(path)
        assert traces == [CHECKOUT]
        assert len(messages) == 1


def test_last_line_that_lacks_but_its_end_is_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_bytes(GOOD)
    assert read(path) == ([CHECKOUT], [])


def test_file_without_a_name_can_be_given_one() -> None:
    with pytest.warns(TraceWarning, match="^Passed over: stdin, line 1: not a trace"):
        assert list(json_lines.read(io.BytesIO(b"x"), "stdin")) == []
    with pytest.warns(TraceWarning, match="^Passed over: the file, line 1: "):
        assert list(json_lines.read(io.BytesIO(b"x"))) == []
