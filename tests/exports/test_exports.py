from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import fields
from typing import Any
from weakref import ref

import pytest

from signal_trace import Trace, exports
from signal_trace.exports import Format
from tests.traces import CHECKOUT, EMPTY, IMPORT


@pytest.mark.parametrize("name", exports.FORMATS)
def test_every_format_is_known_by_its_name(name: str) -> None:
    assert exports.get(name).name == name
    assert CHECKOUT.export(name) == exports.get(name).write(CHECKOUT)


def test_unknown_format_is_refused_with_a_list_of_them() -> None:
    with pytest.raises(ValueError, match="no format 'xml'") as caught:
        exports.get("xml")
    assert str(caught.value) == (
        "no format 'xml';"
        " the formats are html, json, jsonl, otlp, perfetto, speedscope, text"
    )


OWN = Format("own", lambda traces: (trace.id for trace in traces), "text/plain", "own")
NO_FORMAT = "a string"


def test_format_of_ones_own_is_found_by_its_dotted_path() -> None:
    path = f"{__name__}.OWN"
    assert exports.get(path) is OWN
    assert CHECKOUT.export(path) == CHECKOUT.id


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("nowhere.at.all", ": No module named 'nowhere'"),
        (".OWN", "; the formats are html,"),
        ("..", "; the formats are html,"),
        (f"{__name__}.OWM", f': Module "{__name__}" does not define a "OWM"'),
        (f"{__name__}.NO_FORMAT", ", which is no signal_trace.exports.Format"),
    ],
)
def test_dotted_path_to_no_format_is_refused(path: str, problem: str) -> None:
    with pytest.raises(ValueError, match="no format '") as caught:
        exports.get(path)
    assert str(caught.value).startswith(f"no format {path!r}{problem}")


@pytest.mark.parametrize(
    "one", [one for one in exports.FORMATS.values() if not one.holds_many]
)
def test_format_of_one_trace_refuses_more_and_names_the_one_for_many(
    one: Format,
) -> None:
    file = io.StringIO()
    with pytest.raises(ValueError, match=rf"^{one.name} holds one trace; .* jsonl$"):
        exports.write([CHECKOUT, EMPTY], one.name, file)
    assert file.getvalue() == ""
    with pytest.raises(ValueError, match="no trace to write"):
        exports.write([], one.name, file)


@pytest.mark.parametrize("name", exports.FORMATS)
def test_one_trace_from_a_generator_is_written_as_it_is_exported(name: str) -> None:
    file = io.StringIO()
    exports.write((trace for trace in [CHECKOUT]), name, file)
    assert file.getvalue() == CHECKOUT.export(name)


@pytest.mark.parametrize(
    "one", [one for one in exports.FORMATS.values() if one.holds_many]
)
def test_many_traces_are_not_in_memory_at_once(one: Format) -> None:
    made: list[ref[Trace]] = []
    most = 0

    def several() -> Iterator[Trace]:
        nonlocal most
        for number in range(5):
            trace = Watched(**{**vars_of(CHECKOUT), "name": f"trace {number}"})
            made.append(ref(trace))
            most = max(most, sum(one() is not None for one in made))
            yield trace
            del trace

    text = "".join(one.pieces(several()))
    assert all(f"trace {number}" in text for number in range(5))
    # The next is made while the last is about to go.
    assert most == 2


class Watched(Trace):
    """A trace that can be watched while it lives."""

    __slots__ = ("__weakref__",)


def vars_of(trace: Trace) -> dict[str, Any]:
    return {one.name: getattr(trace, one.name) for one in fields(trace)}


@pytest.mark.parametrize("name", ["json", "jsonl", "perfetto", "speedscope"])
def test_large_trace_comes_in_pieces(name: str) -> None:
    pieces = list(exports.get(name).pieces([IMPORT]))
    assert max(map(len, pieces)) < len("".join(pieces)) / 100


@pytest.mark.parametrize("one", exports.FORMATS.values())
def test_every_format_has_a_label_for_people(one: Format) -> None:
    assert one.label


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("html", "signal-trace-01234567.html"),
        ("json", "signal-trace-01234567.json"),
        ("jsonl", "signal-trace-01234567.jsonl"),
        ("speedscope", "signal-trace-01234567.speedscope.json"),
        ("otlp", "signal-trace-01234567.otlp.jsonl"),
        ("perfetto", "signal-trace-01234567.perfetto.json"),
        ("text", "signal-trace-01234567.txt"),
    ],
)
def test_file_is_called_after_trace_and_format(name: str, file: str) -> None:
    assert exports.get(name).file_name(CHECKOUT) == file


def test_no_two_formats_write_files_of_one_name() -> None:
    names = {one.file_name(CHECKOUT) for one in exports.FORMATS.values()}
    assert len(names) == len(exports.FORMATS)
