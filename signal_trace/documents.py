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
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Self, TypeVar

T = TypeVar("T")

# So many items that hold no others are one piece of JSON.
SMALL_ONES = 100

# Integers are counts, lines, ids and nanoseconds: none is negative, and wherever there
# are any they have 64 bits.
MOST = 2**63 - 1

KINDS = {
    str: "a string",
    int: "an integer",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}


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
    try:
        if type(value) is not dict:
            raise _unexpected(dict, value)
        read: Callable[[Any], T] = _reader(typing.cast(type, cls))
        return read(value)
    except _Misfit as misfit:
        raise misfit.error() from None


class _Misfit(Exception):
    """What stands at a place is not what should; the place is put together on the way
    up, since hardly any document has one."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        self.place = ""

    def at(self, step: str) -> Self:
        self.place = f"{step}{self.place}"
        return self

    def error(self) -> DocumentError:
        return DocumentError(f"{self.place[1:] or 'the document'} {self.problem}")


# Makes of a plain value, of a type that was checked, what it stands for.
_Reader = Callable[[Any], Any]


@functools.cache
def _reader(cls: type) -> _Reader:
    """Reads the object that stands for a dataclass."""
    kinds = field_types(cls)
    fields = [
        (field.name, *_expected(kind), required(kind) != kind, _default(field))
        for field, kind in zip(dataclasses.fields(cls), kinds.values(), strict=True)
    ]

    def read(value: dict[str, Any]) -> Any:
        values = []
        name = ""
        try:
            for name, plain, inner, may_be_none, default in fields:
                one = value.get(name, _MISSING)
                if type(one) is plain:
                    values.append(one if inner is None else inner(one))
                elif one is None and may_be_none:
                    values.append(None)
                elif one is not _MISSING:
                    raise _unexpected(plain, one, inner)
                elif default is None:
                    raise _Misfit("is missing")
                else:
                    values.append(default())
        except _Misfit as misfit:
            raise misfit.at(f".{name}") from None
        return cls(*values)

    return read


def _expected(kind: Any) -> tuple[type, _Reader | None]:
    """The plain type that stands for *kind*, and what reads it; None: it stands for
    itself."""
    kind = required(kind)
    origin = typing.get_origin(kind)
    if origin is tuple:
        return list, _list_reader(typing.get_args(kind)[0])
    if dataclasses.is_dataclass(kind):
        return dict, _reader(typing.cast(type, kind))
    if kind is datetime:
        return str, _read_time
    if kind is int:
        return int, _read_int
    return origin or kind, None


def _list_reader(kind: Any) -> _Reader:
    plain, inner = _expected(kind)

    def read(value: list[Any]) -> Any:
        items: list[Any] = []
        try:
            for one in value:
                if type(one) is not plain:
                    raise _unexpected(plain, one, inner)
                items.append(one if inner is None else inner(one))
        except _Misfit as misfit:
            raise misfit.at(f"[{len(items)}]") from None
        return tuple(items)

    return read


def _default(field: dataclasses.Field[Any]) -> Callable[[], Any] | None:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory
    if field.default is not dataclasses.MISSING:
        return lambda: field.default
    return None


_MISSING = object()


def _read_time(value: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise _Misfit(f"is not a date and time: {_shown(value)}") from None
    if time.tzinfo is None:
        problem = f"is not a date and time with its UTC offset: {_shown(value)}"
        raise _Misfit(problem)
    try:
        time.astimezone(UTC)
    except OverflowError:
        raise _Misfit(f"is not a date and time: {_shown(value)}") from None
    return time


def _read_int(value: int) -> int:
    if 0 <= value <= MOST:
        return value
    problem = "is negative" if value < 0 else "is no integer of 64 bits"
    raise _Misfit(f"{problem}: {_shown(value)}")


def _unexpected(plain: type, value: Any, read: _Reader | None = None) -> _Misfit:
    expected = "a date and time" if read is _read_time else KINDS[plain]
    return _Misfit(f"is not {expected}: {_shown(value)}")


def _shown(value: Any) -> str:
    try:
        shown = repr(value)
    except ValueError:  # Python writes no integers of many thousand digits.
        shown = f"one of the type {type(value).__name__}"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


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
    tuples a piece for each item that holds others, or for some of the others.

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
        kind: Any = type(held[0]) if held else None
        size = 1 if kind is None or _holds_many(kind) else SMALL_ONES
        for start in range(0, len(held), size):
            text = json_text(held[start : start + size])[1:-1]
            yield f", {text}" if start else text
        yield "]"
    yield "}"


@functools.cache
def _holds_many(cls: type) -> bool:
    """Whether it is no dataclass, or has a field with any number of others."""
    return not dataclasses.is_dataclass(cls) or any(
        typing.get_origin(kind) is tuple for kind in field_types(cls).values()
    )


@functools.cache
def required(kind: Any) -> Any:
    """*kind* without the None that it may be."""
    if typing.get_origin(kind) is types.UnionType:
        (kind,) = set(typing.get_args(kind)) - {types.NoneType}
    return kind


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
