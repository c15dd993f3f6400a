"""Frozen dataclasses as JSON documents, and back.

A document has a key for each field, and reading it says where it is wrong, as a path
such as ``sends[3].calls[0].line``.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Callable, Iterator
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeVar

T = TypeVar("T")

KINDS = {str: "a string", int: "an integer", bool: "true or false", dict: "an object"}


class DocumentError(ValueError):
    """A document is not what it should be; the message says what and where."""


def to_plain(value: Any) -> Any:
    """Turn a dataclass into dictionaries, lists, strings, numbers, None."""
    kind = type(value)
    if dataclasses.is_dataclass(kind):
        return {name: to_plain(getattr(value, name)) for name in _field_names(kind)}
    if kind is tuple:
        return [to_plain(item) for item in value]
    if kind is datetime:
        return value.isoformat()
    return value


def from_plain(cls: type[T], value: Any) -> T:
    """Build *cls* from what `to_plain` made of it.

    Keys that *cls* does not know are passed over, and those that have a default may be
    missing: a newer minor version adds some.

    Raises `DocumentError`, which names the place, what was expected there and what
    stands there.
    """
    return typing.cast(T, _read(cls, value, ""))


def _read(kind: Any, value: Any, where: str) -> Any:
    expected = required(kind)
    if value is None and expected != kind:
        return None
    kind, origin = expected, typing.get_origin(expected)
    if origin is tuple:
        if type(value) is not list:
            raise _unexpected("a list", value, where)
        item = typing.get_args(kind)[0]
        return tuple(_read(item, one, f"{where}[{i}]") for i, one in enumerate(value))
    if dataclasses.is_dataclass(kind):
        return _read_fields(typing.cast(type, kind), value, where)
    if kind is datetime:
        return _read_time(value, where)
    kind = origin or kind
    if type(value) is not kind:
        raise _unexpected(KINDS[kind], value, where)
    return value


def _read_fields(cls: type, value: Any, where: str) -> Any:
    if type(value) is not dict:
        raise _unexpected("an object", value, where)
    prefix = f"{where}." if where else ""
    fields = {}
    for name, kind in field_types(cls).items():
        if name in value:
            fields[name] = _read(kind, value[name], f"{prefix}{name}")
        elif name not in _optional(cls):
            raise DocumentError(f"{prefix}{name} is missing")
    return cls(**fields)


def _read_time(value: Any, where: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _unexpected("a date and time", value, where) from None
    if time.tzinfo is None:
        raise _unexpected("a date and time with its UTC offset", value, where)
    return time


def _unexpected(expected: str, value: Any, where: str) -> DocumentError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return DocumentError(f"{where or 'the document'} is not {expected}: {shown}")


def json_text(document: Any) -> str:
    """*document* as JSON on one line, which any encoding of Unicode can write.

    Dataclasses are written as `to_plain` has them, without it: that is twice as fast.
    """
    text = _encode(document)
    if text.isascii():
        return text
    # A lone surrogate could not be written. Python's escape of it is JSON's as well.
    return text.encode("utf-8", "backslashreplace").decode()


def _fields(value: Any) -> Any:
    kind: type = type(value)
    if kind is datetime:
        return value.isoformat()
    names, values_of = _fields_of(kind)
    return dict(zip(names, values_of(value), strict=True))


# Documents are trees: nothing in them holds itself.
_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, default=_fields
).encode


def json_pieces(value: Any) -> Iterator[str]:
    """The dataclass *value* as JSON on one line, in pieces: of its fields that are
    tuples a piece for each item.

    `json.dumps` lets no other thread run until it is through: with a piece at a time,
    others have their turn in between.
    """
    opening = "{"
    for field in dataclasses.fields(value):
        yield f'{opening}"{field.name}": '
        opening = ", "
        held = getattr(value, field.name)
        if type(held) is not tuple:
            yield json_text(held)
            continue
        yield "["
        for number, item in enumerate(held):
            text = json_text(item)
            yield f", {text}" if number else text
        yield "]"
    yield "}"


@functools.cache
def required(kind: Any) -> Any:
    """*kind* without the None that it may be."""
    if typing.get_origin(kind) is types.UnionType:
        (kind,) = set(typing.get_args(kind)) - {types.NoneType}
    return kind


@functools.cache
def _optional(cls: type) -> frozenset[str]:
    """The fields of a dataclass that have a default."""
    missing = dataclasses.MISSING
    return frozenset(
        field.name
        for field in dataclasses.fields(cls)
        if field.default is not missing or field.default_factory is not missing
    )


@functools.cache
def _fields_of(cls: type) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """The fields' names, and what gives their values."""
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"JSON has no form for a {cls.__name__}")
    names = _field_names(cls)
    if len(names) > 1:
        return names, attrgetter(*names)
    return names, lambda value: tuple(getattr(value, name) for name in names)


@functools.cache
def _field_names(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))


@functools.cache
def field_types(cls: type) -> dict[str, Any]:
    """The fields of a dataclass, in their order, and what each of them may be."""
    hints = typing.get_type_hints(cls)
    return {name: hints[name] for name in _field_names(cls)}
