from __future__ import annotations

import io

from signal_trace import exports, json_lines
from tests.traces import CHECKOUT, EMPTY


def test_traces_are_read_back_each_from_its_line() -> None:
    file = io.StringIO()
    exports.write([CHECKOUT, EMPTY], "jsonl", file)
    lines = file.getvalue().encode().splitlines(keepends=True)
    assert len(lines) == 2
    assert list(json_lines.read(lines)) == [CHECKOUT, EMPTY]


def test_no_trace_is_no_line() -> None:
    assert "".join(exports.get("jsonl").pieces([])) == ""
