from __future__ import annotations

import pytest

from signal_trace import exports
from tests.traces import CHECKOUT


@pytest.mark.parametrize("name", exports.FORMATS)
def test_every_format_is_known_by_its_name(name: str) -> None:
    assert exports.get(name).name == name
    assert CHECKOUT.export(name) == exports.get(name).write(CHECKOUT)


def test_unknown_format_is_refused_with_a_list_of_them() -> None:
    with pytest.raises(ValueError, match="no format 'xml'") as caught:
        exports.get("xml")
    assert str(caught.value) == (
        "no format 'xml'; the formats are html, json, perfetto, text"
    )


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("html", "signal-trace-01234567.html"),
        ("json", "signal-trace-01234567.json"),
        ("perfetto", "signal-trace-01234567.perfetto.json"),
        ("text", "signal-trace-01234567.txt"),
    ],
)
def test_file_is_called_after_trace_and_format(name: str, file: str) -> None:
    assert exports.get(name).file_name(CHECKOUT) == file


def test_no_two_formats_write_files_of_one_name() -> None:
    names = {one.file_name(CHECKOUT) for one in exports.FORMATS.values()}
    assert len(names) == len(exports.FORMATS)
