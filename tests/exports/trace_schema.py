"""The JSON Schema of a trace's document, made of the classes that it is read into.

    python -m tests.exports.trace_schema

writes it anew, which is to do after a change of these classes.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import typing
from datetime import datetime
from pathlib import Path
from typing import Any

import signal_trace
from signal_trace.documents import MOST, field_types, required
from signal_trace.trace import VERSION, Trace

PATH = Path(signal_trace.__file__).parent / "exports/trace.schema.json"

TYPES = {str: "string", int: "integer", bool: "boolean", dict: "object"}
# What a type alone doesn't say.
MORE = {
    ("Trace", "version"): {"pattern": rf"^{VERSION.partition('.')[0]}(\.|$)"},
    ("Trace", "id"): {"pattern": "^[0-9a-f]{32}$"},
}


def trace_schema() -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    of_trace = _of_class(Trace, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A trace of signal_trace, version {VERSION}",
        **of_trace,
        "$defs": dict(sorted(definitions.items())),
    }


def _of_class(cls: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """A newer minor version may have more keys, and an older one lacks those that have
    a default."""
    missing = dataclasses.MISSING
    return {
        "description": _described(cls),
        "type": "object",
        "properties": {
            name: _of_kind(kind, definitions) | MORE.get((cls.__name__, name), {})
            for name, kind in field_types(cls).items()
        },
        "required": [
            one.name
            for one in dataclasses.fields(cls)
            if one.default is missing and one.default_factory is missing
        ],
    }


def _of_kind(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    expected = required(kind)
    found = _of_required(expected, definitions)
    if expected == kind:
        return found
    if "$ref" in found:
        return {"anyOf": [found, {"type": "null"}]}
    return found | {"type": [found["type"], "null"]}


def _of_required(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind is datetime:
        return {"type": "string", "format": "date-time"}
    if dataclasses.is_dataclass(kind):
        name = typing.cast(type, kind).__name__
        if name not in definitions:
            definitions[name] = {}
            definitions[name] = _of_class(kind, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if typing.get_origin(kind) is tuple:
        item, _ = typing.get_args(kind)
        return {"type": "array", "items": _of_kind(item, definitions)}
    found: dict[str, Any] = {"type": TYPES[typing.get_origin(kind) or kind]}
    return found | ({"minimum": 0, "maximum": MOST} if kind is int else {})


def _described(cls: Any) -> str:
    text = " ".join((inspect.getdoc(cls) or "").split())
    return re.sub(r"`+", "", text)


def as_text() -> str:
    return json.dumps(trace_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(as_text(), encoding="utf-8")
