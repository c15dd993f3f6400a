from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.dispatch import Signal
from hypothesis import given

import signal_trace
from signal_trace import Trace, TraceError
from signal_trace.parts import Error
from tests.traces import CHECKOUT, EMPTY, LARGE, MS, changed, traces

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def recorded() -> Trace:
    """The trace of a real recording."""

    def resend(**kwargs: Any) -> None:
        inner.send("inner")

    def fail(**kwargs: Any) -> None:
        raise ValueError("café")

    def never_runs(**kwargs: Any) -> None:
        pass

    outer, inner, unheard = Signal(), Signal(), Signal()
    for receiver in (resend, fail, never_runs):
        outer.connect(receiver)
    inner.connect(never_runs)
    with signal_trace.record("büro", path="/") as recording:
        unheard.send("outer")
        with pytest.raises(ValueError, match="café"):
            outer.send("outer")
    return recording.trace


def test_recorded_trace_is_read_back(recorded: Trace) -> None:
    assert len(recorded.sends) == 2
    assert Trace.from_dict(recorded.to_dict()) == recorded
    assert Trace.from_json(recorded.to_json()) == recorded


@pytest.mark.slow
@given(traces())
def test_any_trace_is_read_back(trace: Trace) -> None:
    assert Trace.from_json(trace.to_json()) == trace


def test_trace_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CHECKOUT.name = "other"  # type: ignore[misc]


def test_json_is_one_readable_line(recorded: Trace) -> None:
    text = recorded.to_json()
    assert "\n" not in text
    assert '"name": "büro"' in text


def test_json_of_any_text_can_be_written() -> None:
    trace = replace(CHECKOUT, name="caf\udce9")
    assert Trace.from_json(trace.to_json().encode().decode()) == trace


@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_empty_text_is_refused(text: str) -> None:
    with pytest.raises(TraceError, match=r"^empty$"):
        Trace.from_json(text)


@pytest.mark.parametrize("indent", [None, 2])
def test_trace_that_is_cut_off_anywhere_is_refused_as_such(
    recorded: Trace, indent: int | None
) -> None:
    text = json.dumps(recorded.to_dict(), indent=indent)
    for end in range(1, len(text) - 1, 50):
        with pytest.raises(TraceError, match="cut off at line"):
            Trace.from_json(text[:end])


@pytest.mark.parametrize(
    "text", ["[]", "5", "{}", "null", '"text"', '{"version": "1.0"}', '{"sends": []}']
)
def test_json_that_is_no_trace_is_refused(text: str) -> None:
    with pytest.raises(TraceError, match="not a trace: no object with a version"):
        Trace.from_json(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "not a trace: Expecting value at line 1 column 1"),
        ("<html>}", "not a trace: Expecting value at line 1 column 1"),
        ('{"a": }}', "not a trace: Expecting value at line 1 column 7"),
        ('{"a": NaN}', "not a trace: NaN is no value of JSON"),
        ('{"a": -Infinity}', "not a trace: -Infinity is no value of JSON"),
        ('{"a": -1e400}', "not a trace: -1e400 is larger than a number can be"),
        ('{"a": ' + "1" * 5000 + "}", "not a trace: Exceeds the limit"),
        ("[" * 100_000 + "]" * 100_000, "not a trace: it is nested too deeply"),
    ],
    ids=["text", "html", "json", "nan", "infinity", "large", "digits", "depth"],
)
def test_text_that_is_no_json_is_refused(text: str, message: str) -> None:
    with pytest.raises(TraceError) as caught:
        Trace.from_json(text)
    assert str(caught.value).startswith(message)


def test_other_major_version_is_refused() -> None:
    with pytest.raises(TraceError) as caught:
        Trace.from_dict(CHECKOUT.to_dict() | {"version": "2.0"})
    assert str(caught.value) == "a trace of version 2.0; this signal_trace reads 1.1"


def test_major_version_is_all_that_stands_before_the_dot() -> None:
    with pytest.raises(TraceError, match=r"version 10\.0;"):
        Trace.from_dict(CHECKOUT.to_dict() | {"version": "10.0"})


def test_newer_minor_version_with_unknown_keys_is_read() -> None:
    document = CHECKOUT.to_dict() | {"version": "1.7", "weather": "fine"}
    document["sends"][0]["mood"] = "good"
    assert Trace.from_dict(document) == replace(CHECKOUT, version="1.7")


def test_older_minor_version_without_new_keys_is_read() -> None:
    document = CHECKOUT.to_dict() | {"version": "1.0"}
    for finding in document["findings"]:
        del finding["location"]
    findings = tuple(replace(one, location=None) for one in CHECKOUT.findings)
    expected = replace(CHECKOUT, version="1.0", findings=findings)
    assert CHECKOUT.findings != findings
    assert Trace.from_dict(document) == expected


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("sends", 1, "calls", 0, "line"), "x", "sends[1].calls[0].line is not an"),
        (("sends", 0, "calls", 1, "error"), "x", "sends[0].calls[1].error is not an"),
        (("sends", 0, "error", "frames", 0), 5, "sends[0].error.frames[0] is not an"),
        (("not_called", 0, "send"), "1", "not_called[0].send is not an integer"),
        (("unreceived",), None, "unreceived is not a list"),
        (("sends", 0, "stack"), None, "sends[0].stack is not a list: None"),
        (("sends", 0, "arguments"), None, "sends[0].arguments is not an object: None"),
        (("unreceived", 1), {}, "unreceived[1].signal is missing"),
        (("started_at",), "2026", "started_at is not a date and time"),
    ],
)
def test_error_deep_inside_is_named_by_its_path(
    path: tuple[str | int, ...], value: Any, message: str
) -> None:
    with pytest.raises(TraceError) as caught:
        Trace.from_dict(changed(CHECKOUT.to_dict(), path, value))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("sends", 0, "parent"), 2, "sends[0].parent is no earlier call: 2"),
        (("sends", 1, "parent"), 99, "sends[1].parent is no earlier call: 99"),
        (("sends", 1, "parent"), 1, "sends[1].parent is no earlier call: 1"),
        (("sends", 1, "id"), 1, "an id is that of more than one send or call"),
        (("sends", 1, "calls", 0, "id"), 2, "an id is that of more than one"),
        (("sends", 1, "calls", 0, "id"), 4, "an id is that of more than one"),
        (("not_called", 0, "send"), 2, "not_called[0].send is no send: 2"),
    ],
)
def test_sends_and_calls_that_form_no_tree_are_refused(
    path: tuple[str | int, ...], value: Any, message: str
) -> None:
    with pytest.raises(TraceError) as caught:
        Trace.from_dict(changed(CHECKOUT.to_dict(), path, value))
    assert str(caught.value).startswith(message)


def test_trace_is_loaded_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "checkout.json"
    file.write_text(CHECKOUT.to_json(), encoding="utf-8")
    assert Trace.load(file) == CHECKOUT
    assert Trace.load(str(file)) == CHECKOUT


def test_trace_that_an_editor_put_a_byte_order_mark_before_is_loaded(
    tmp_path: Path,
) -> None:
    file = tmp_path / "checkout.json"
    file.write_text(CHECKOUT.to_json(), encoding="utf-8-sig")
    assert Trace.load(file) == CHECKOUT


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty"),
        (b"{}", "not a trace: no object with a version and sends"),
        (b'{"version"', "a trace that is cut off at line 1 column 11"),
        (b"PK\x03\x04\xff", "not a trace: no text at byte 4"),
        ('{"version": "é'.encode()[:-1], "a trace that is cut off at byte 13"),
    ],
    ids=["empty", "other", "cut off", "binary", "cut within a character"],
)
def test_error_of_loading_names_the_file(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    file = tmp_path / "checkout.json"
    file.write_bytes(content)
    with pytest.raises(TraceError) as caught:
        Trace.load(file)
    assert str(caught.value) == f"{file}: {problem}"


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Trace.load(tmp_path / "missing.json")


def test_unknown_export_format_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no format 'xml'; the formats are html, "):
        CHECKOUT.export("xml")


def test_counts_and_times_of_the_whole() -> None:
    assert [call.id for call in CHECKOUT.calls] == [2, 3, 5, 6]
    assert CHECKOUT.unreceived_count == 2101
    # From 2 to 20 ms, since one of them was still running at the end.
    assert CHECKOUT.receivers_ns == 18 * MS
    assert EMPTY.receivers_ns == EMPTY.unreceived_count == 0
    assert (CHECKOUT.send_count, CHECKOUT.call_count) == (2, 4)


def test_what_is_left_out_counts_as_well() -> None:
    assert (LARGE.send_count, LARGE.call_count) == (2402, 2404)
    assert (LARGE.omitted_count, LARGE.omitted_failures) == (2400, 1)
    assert LARGE.receivers_ns == (18 + 1200) * MS


def test_what_never_finished_lasts_to_the_end() -> None:
    finished, unfinished = CHECKOUT.sends[1].calls
    assert CHECKOUT.end_of(finished) == 7 * MS
    assert CHECKOUT.end_of(unfinished) == 20 * MS
    late = replace(unfinished, start_ns=30 * MS)
    assert CHECKOUT.end_of(late) == 30 * MS


@pytest.mark.parametrize(
    ("message", "text"),
    [("no stock", "ValueError: no stock"), ("", "ValueError"), (None, "ValueError")],
)
def test_error_reads_as_python_prints_it(message: str | None, text: str) -> None:
    assert str(Error("ValueError", message, ())) == text
