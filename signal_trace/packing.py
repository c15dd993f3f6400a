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
OWN = ("id", "parent", "start_ns", "duration_ns", "self_ns", "nested_ns", "queries")

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
        # Numbers first, which are packed as they stand; and last what mostly is as by
        # default, and can be left out.
        own.sort(
            key=lambda name: (
                defaults[name] is not MISSING,
                required(kinds[name]) is not int,
            )
        )
        self.own = [kinds[name] for name in own]
        self.shared = [kinds[name] for name in shared]
        self.plain = next(
            (i for i, kind in enumerate(self.own) if required(kind) is not int),
            len(own),
        )
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


class _Packer:
    def __init__(self) -> None:
        self.texts: dict[str, int] = {}
        self.items: list[Any] = []
        self.shared: list[Any] = []
        self.item_numbers: dict[Any, int] = {}
        self.shared_numbers: dict[type, dict[Any, int]] = defaultdict(dict)

    def pack(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            return self.texts.setdefault(value, len(self.texts))
        if kind is tuple:
            # Of tuples, the garbage collector need not look at those of numbers.
            return tuple([self.pack(item) for item in value])
        if kind is dict:
            return tuple([self.pack_item(item) for item in value.items()])
        if value is None or kind in (int, bool):
            return value
        return value.isoformat() if kind is datetime else self.pack_object(kind, value)

    def pack_object(self, cls: type, value: Any) -> Any:
        layout = _layout(cls)
        values = layout.get_shared(value)
        number = self.shared_numbers[cls].get(values)
        if number is None:
            row = tuple(map(self.pack, values))
            number = self.shared_numbers[cls][values] = len(self.shared)
            self.shared.append(row)
        own = layout.get_own(value)
        kept = len(own)
        for default in layout.defaults:
            if own[kept - 1] is not default:
                break
            kept -= 1
        if not kept:
            return number
        changed = map(self.pack, own[layout.plain : kept])
        return (number, *own[: min(kept, layout.plain)], *changed)

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
        number, *own = (value,) if type(value) is int else value
        plain = layout.plain
        changed = map(self.unpack, layout.own[plain:], own[plain:])
        left_out = layout.defaults[: len(layout.own) - len(own)]
        shared = self.unpack_shared(layout, number)
        values = [*own[:plain], *changed, *reversed(left_out), *shared]
        return layout.cls(*[values[i] for i in layout.order])

    def unpack_shared(self, layout: _Layout, number: int) -> list[Any]:
        if number not in self.built:
            row = map(self.unpack, layout.shared, self.shared[number])
            self.built[number] = list(row)
        return self.built[number]
