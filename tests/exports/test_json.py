from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from signal_trace import Trace, TraceError
from tests.exports.trace_schema import as_text
from tests.traces import CHECKOUT, EMPTY, IMPORT, LARGE, changed, traces

SCHEMA = files("signal_trace.exports").joinpath("trace.schema.json").read_text()
VALIDATOR = Draft202012Validator(json.loads(SCHEMA))


def test_export_is_the_document_that_is_read_back() -> None:
    assert Trace.from_json(CHECKOUT.export("json")) == CHECKOUT


def test_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(SCHEMA))


def test_schema_is_that_of_the_classes() -> None:
    assert as_text() == SCHEMA, "run: python -m tests.exports.trace_schema"


@pytest.mark.parametrize("trace", [CHECKOUT, LARGE, EMPTY, IMPORT])
def test_document_is_what_the_schema_says(trace: Trace) -> None:
    VALIDATOR.validate(json.loads(trace.export("json")))


@pytest.mark.slow
@given(traces())
def test_any_document_is_what_the_schema_says(trace: Trace) -> None:
    VALIDATOR.validate(json.loads(trace.export("json")))


@pytest.mark.parametrize("version", ["1.9", "1.9.2", "1"])
def test_document_of_another_minor_version_is_what_the_schema_says(
    version: str,
) -> None:
    document = CHECKOUT.to_dict() | {"version": version, "mood": "good"}
    document["sends"][0]["calls"][0]["mood"] = "better"
    VALIDATOR.validate(document)
    assert Trace.from_dict(document).calls == CHECKOUT.calls


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), "2.0"),
        (("version",), "10.0"),
        (("version",), 1),
        (("id",), ""),
        (("id",), "../../etc/passwd"),
        (("id",), "A" * 32),
        (("sends",), {}),
        (("sends", 0, "calls", 0, "line"), "12"),
        (("sends", 0, "calls", 0, "self_ns"), -1),
        (("sends", 0, "start_ns"), 2**63),
        (("sends", 0, "calls", 0, "error"), "ValueError"),
        (("sends", 0, "error", "frames", 0), {"file": "views.py"}),
        (("sends", 0, "arguments"), None),
        (("findings", 0, "evidence", 0), "3"),
        (("started_at",), None),
    ],
)
def test_what_the_schema_refuses_is_not_read(
    path: tuple[str | int, ...], value: Any
) -> None:
    document = changed(CHECKOUT.to_dict(), path, value)
    assert not VALIDATOR.is_valid(document)
    with pytest.raises(TraceError):
        Trace.from_dict(document)
