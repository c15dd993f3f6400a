"""Frozen dataclasses in a small form, for storing many of them: rows of numbers.

Each text stands in a table once, and so does each object that consists of nothing but
values: all that is connected in one way refers to one `Connection`. Objects with an id,
such as sends and calls, are rows: what is their own, and a reference to what they share
with others. A dictionary is the references of its items.
"""

from __future__ import annotations

import functools
import types
import typing
from collections import defaultdict
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeVar

from signal_trace.documents import field_types, required

T = TypeVar("T")

# What tells an object from the next one, however alike they are.
OWN = (
    *("id", "parent", "start_ns", "duration_ns", "self_ns", "suspended_ns"),
    *("queries", "nested_ns"),
)

#: Kinds of which equal values are the same value, in JSON too.
PLAIN = (str, int, bool, types.NoneType)


def pack(value: Any) -> dict[str, Any]:
    """Turn a dataclass into rows and tables, ready for JSON."""
    packer = _Packer()
    row = packer.pack(value)
    return {
        "texts": list(packer.texts),
        "items": packer.items,
        "shared": packer.shared,
        "row": row,
    }


def unpack(cls: type[T], packed: dict[str, Any]) -> T:
    """Build *cls* from what `pack` made of it, or JSON of that."""
    return typing.cast(T, _Unpacker(packed).unpack(cls, packed["row"]))


class _Layout:
    """How the objects of a class are packed: which fields are in a row of its own, and
    which in one that it shares with others."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        kinds = field_types(cls)
        defaults = {one.name: one.default for one in fields(cls)}
        own = [name for name in kinds if name in OWN or not _is_value(kinds[name])]
        shared = [name for name in kinds if name not in own]
        # What mostly is as by default stands last, where it can be left out.
        own.sort(key=lambda name: defaults[name] is not MISSING)
        self.own = [kinds[name] for name in own]
        self.shared = [kinds[name] for name in shared]
        #: Where in a row, behind the number of what is shared, no number stands.
        self.changes = [
            i for i, kind in enumerate(self.own, 1) if required(kind) is not int
        ]
        self.defaults = [
            defaults[name] for name in reversed(own) if defaults[name] is not MISSING
        ]
        names = [*own, *shared]
        self.order = [names.index(name) for name in kinds]
        self.get_own = _getter(own)
        self.get_shared = _getter(shared)


def _getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


@functools.cache
def _layout(cls: type) -> _Layout:
    return _Layout(cls)


@functools.cache
def _is_value(kind: Any) -> bool:
    """Whether what is of *kind* can be the key of a dictionary."""
    kind = required(kind)
    if typing.get_origin(kind) is tuple:
        return _is_value(typing.get_args(kind)[0])
    if is_dataclass(kind):
        return all(map(_is_value, field_types(typing.cast(type, kind)).values()))
    return kind in (*PLAIN, datetime)


def _same(value: Any) -> Any:
    return value


class _Packer:
    def __init__(self) -> None:
        self.texts: dict[str, int] = {}
        self.items: list[Any] = []
        self.shared: list[Any] = []
        self.item_numbers: dict[Any, int] = {}
        self.shared_numbers: dict[type, dict[Any, int]] = defaultdict(dict)
        self.packers: dict[type, Callable[[Any], Any]] = {
            str: self.pack_text,
            tuple: self.pack_tuple,
            dict: self.pack_dict,
            datetime: datetime.isoformat,
            **dict.fromkeys((int, bool, types.NoneType), _same),
        }

    def pack(self, value: Any) -> Any:
        return self.packers.get(type(value), self.pack_object)(value)

    def pack_text(self, text: str) -> int:
        return self.texts.setdefault(text, len(self.texts))

    # Tuples of numbers are what the garbage collector need not look into.

    def pack_tuple(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple([self.pack(value) for value in values])

    def pack_dict(self, values: dict[str, Any]) -> tuple[Any, ...]:
        return tuple([self.pack_item(item) for item in values.items()])

    def pack_object(self, value: Any) -> Any:
        cls: type = type(value)
        layout = _layout(cls)
        values = layout.get_shared(value)
        number = self.shared_numbers[cls].get(values)
        if number is None:
            packed = tuple(map(self.pack, values))
            number = self.shared_numbers[cls][values] = len(self.shared)
            self.shared.append(packed)
        row = [number, *layout.get_own(value)]
        for default in layout.defaults:
            if row[-1] is not default and row[-1] != default:
                break
            row.pop()
        length = len(row)
        if length == 1:
            return number
        for i in layout.changes:
            if i >= length:
                break
            row[i] = self.pack(row[i])
        return tuple(row)

    def pack_item(self, item: tuple[str, Any]) -> int:
        key, value = item
        kind = type(value)
        # True and 1 are equal, and not the same.
        number = (
            self.item_numbers.setdefault((item, kind), len(self.items))
            if kind in PLAIN
            else len(self.items)
        )
        if number == len(self.items):
            self.items.append((self.pack(key), value))
        return number


class _Unpacker:
    def __init__(self, packed: dict[str, Any]) -> None:
        self.texts = packed["texts"]
        self.items = packed["items"]
        self.shared = packed["shared"]
        self.built: dict[int, list[Any]] = {}

    def unpack(self, kind: Any, value: Any) -> Any:
        if value is None:
            return None
        kind = required(kind)
        if kind is str:
            return self.texts[value]
        if kind is datetime:
            return datetime.fromisoformat(value)
        origin = typing.get_origin(kind) or kind
        if origin is tuple:
            item = typing.get_args(kind)[0]
            return tuple(self.unpack(item, one) for one in value)
        if origin is dict:
            items = (self.items[number] for number in value)
            return {self.texts[key]: one for key, one in items}
        if is_dataclass(kind):
            return self.unpack_object(_layout(typing.cast(type, kind)), value)
        return value

    def unpack_object(self, layout: _Layout, value: Any) -> Any:
        row = [value] if type(value) is int else list(value)
        for i in layout.changes:
            if i >= len(row):
                break
            row[i] = self.unpack(layout.own[i - 1], row[i])
        left_out = layout.defaults[: len(layout.own) + 1 - len(row)]
        values = [*row[1:], *reversed(left_out), *self.unpack_shared(layout, row[0])]
        return layout.cls(*[values[i] for i in layout.order])

    def unpack_shared(self, layout: _Layout, number: int) -> list[Any]:
        if number not in self.built:
            row = map(self.unpack, layout.shared, self.shared[number])
            self.built[number] = list(row)
        return self.built[number]
