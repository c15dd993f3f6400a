"""Frozen dataclasses in a small form, for storing many of them: columns, not rows.

A *column* has what one field is in each of many objects. In JSON it is a list of
values, or an object that says how to make that list, and says it by its keys:

- ``same``: this value each time.
- ``first`` and ``steps``: the first number, and the column of what is added each time.
- ``below`` and ``less``: the name of a column of the same objects, and the column of
  how much less each number is, null where it is null.
- ``table`` and ``places``: a few values, and for each time a character, of which the
  code less 63 is the place of the value in the table.
- ``of``, ``count``, ``new``, ``after`` and ``numbers``: what stands in more than one
  place. There is a list of it for each name that ``of`` has, counted from 1. To it are
  added so many values of the column ``new``. Then each of the ``numbers`` is 0 for
  null, 1 for the next of the list, at first the one following on the number ``after``,
  or one more than a number in the list.
- ``lengths`` and ``items``: lists, of which the items are one column.
- ``keys`` and ``columns``: objects with these keys.
- ``kinds``, ``counts`` and ``columns``: objects with different keys. Which of the
  columns, that have so many objects each, the next one is taken from.

How many values a column has is known from where it stands: the first one has one.
Objects have the keys of `documents.to_plain`. So whoever reads this, such as
``unpacking.js``, need know nothing of the classes; only read in the order of writing.
"""

from __future__ import annotations

import typing
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from datetime import datetime
from itertools import accumulate, chain, count, repeat
from operator import attrgetter, sub
from typing import Any, TypeVar

from signal_trace.documents import field_types, required

T = TypeVar("T")

Values = list[Any] | tuple[Any, ...]
Column = Values | dict[str, Any]

#: Fields of numbers that grow, by less than they are.
GROWING = ("id", "start_ns")
#: Fields of numbers that are little less than those of another field.
BELOW = {"self_ns": "duration_ns", "parent": "id"}

#: How many different values a column may have to be one of characters.
FEW = 64
#: Behind what has to be escaped in HTML.
FIRST_PLACE = 63

AT_ONCE = 200

NONE = id(None)


def pack(value: Any) -> Column:
    """Turn a dataclass into columns, ready for JSON."""
    return _Packer().pack(type(value), [value])


def unpack(cls: type[T], packed: Column) -> T:
    """Build *cls* from what `pack` made of it, or JSON of that."""
    (value,) = _Unpacker().unpack(cls, packed, 1)
    return typing.cast(T, value)


class _Packer:
    def __init__(self) -> None:
        self.shared: defaultdict[str, _Numbers] = defaultdict(_Numbers)

    def pack(self, kind: Any, values: Values) -> Column:
        """The column of *values*, each of them of the *kind*, or None."""
        expected = required(kind)
        is_optional, kind = expected != kind, expected
        origin = typing.get_origin(kind) or kind
        if is_dataclass(kind):
            cls = typing.cast(type, kind)
            # What has a number for its id stands in one place alone.
            if is_optional or field_types(cls).get("id") is not int:
                return self.pack_shared(cls, values)
            return self.pack_fields(cls, values)
        if origin is tuple:
            items = list(chain.from_iterable(values))
            packed = self.pack(typing.get_args(kind)[0], items)
            return {"lengths": _plain(list(map(len, values))), "items": packed}
        if origin is dict:
            return self.pack_dicts(values)
        if kind is datetime:
            return [one.isoformat() for one in values]
        if kind is str:
            return self.pack_texts(values)
        if kind in (int, bool):
            return _plain(values)
        raise TypeError(f"no column can be made of {kind}")

    def pack_shared(self, cls: type, values: Values) -> Column:
        """Each object once. Whoever assembles a trace lets what is equal be the same,
        wherever there is much of it, and to tell what is the same is fast."""
        if not any(values):
            return {"same": None}
        shared = self.shared[cls.__name__]
        first = shared.last
        new, numbers = shared.of(map(id, values), values)
        return _shared(cls.__name__, first, new, self.pack_fields(cls, new), numbers)

    def pack_fields(self, cls: type, values: Values) -> Column:
        kinds = field_types(cls)
        fields = _fields(list(kinds), values)
        columns: list[Column] = []
        for name, kind in kinds.items():
            of_field, above = fields[name], BELOW.get(name)
            if name in GROWING and kind is int and len(values) > 1:
                steps = list(map(sub, of_field[1:], of_field))
                columns.append({"first": of_field[0], "steps": _plain(steps)})
            elif above in fields and (less := _less(of_field, fields[above])):
                columns.append({"below": above, "less": _plain(less)})
            else:
                columns.append(self.pack(kind, of_field))
        return {"keys": list(kinds), "columns": columns}

    def pack_dicts(self, values: Values) -> Column:
        by_keys: defaultdict[tuple[str, ...], int] = _numbering()
        kinds = list(map(by_keys.__getitem__, map(tuple, values)))
        of_kind: list[list[dict[str, Any]]] = [[] for _ in by_keys]
        for kind, one in zip(kinds, values, strict=True):
            of_kind[kind].append(one)
        columns: list[Column] = [
            {
                "keys": list(keys),
                "columns": [self.pack_any([one[key] for one in some]) for key in keys],
            }
            for keys, some in zip(by_keys, of_kind, strict=True)
        ]
        if len(columns) == 1:
            return columns[0]
        counts = list(map(len, of_kind))
        return {"kinds": _plain(kinds), "counts": counts, "columns": columns}

    def pack_any(self, values: Values) -> Column:
        kinds = set(map(type, values))
        if kinds == {str}:
            return self.pack_texts(values)
        # True and 1 are equal, and not the same.
        if len(kinds) == 1 and kinds <= {int, bool, type(None)}:
            return _plain(values)
        return values

    def pack_texts(self, values: Values) -> Column:
        packed = _plain(values)
        if isinstance(packed, dict) or len(values) < FEW:
            return packed
        shared = self.shared["str"]
        first = shared.last
        new, numbers = shared.of(values, values)
        return _shared("str", first, new, new, numbers)


class _Numbers:
    """Gives numbers to keys, from 1 in the order in which they come; 0 is None's."""

    def __init__(self) -> None:
        self.last = 0
        self.numbers = _numbering()
        self.numbers[NONE] = self.numbers[None]

    def of(self, keys: Iterable[Any], values: Values) -> tuple[list[Any], list[int]]:
        """Those of *values* that are new, and the number of each by its key."""
        numbers = list(map(self.numbers.__getitem__, keys))
        last, self.last = self.last, max(self.last, max(numbers, default=0))
        if last == self.last:
            return [], numbers
        if self.last - last == len(numbers):
            return list(values), numbers
        by_number = dict(zip(numbers, values, strict=True))
        return [one for number, one in by_number.items() if number > last], numbers


def _numbering() -> defaultdict[Any, int]:
    """Numbers from 0, for keys in the order in which they are asked for."""
    return defaultdict(count().__next__)


def _fields(names: list[str], values: Values) -> dict[str, list[Any]]:
    """What *values* have in each of their fields."""
    fields: dict[str, list[Any]] = {name: [] for name in names}
    if len(names) == 1:
        fields[names[0]] += map(attrgetter(names[0]), values)
        return fields
    # So few objects at a time stay in the processor's cache.
    for start in range(0, len(values), AT_ONCE):
        rows = map(attrgetter(*names), values[start : start + AT_ONCE])
        for of_field, some in zip(
            fields.values(), zip(*rows, strict=True), strict=True
        ):
            of_field += some
    return fields


def _plain(values: Values) -> Column:
    """Values of one type, or None."""
    if len(values) < 2:
        return values
    first = values[0]
    if first == values[-1] and values.count(first) == len(values):
        return {"same": first}
    if len(set(values[: 2 * FEW])) <= FEW:
        table = list(dict.fromkeys(values))
        if len(table) <= FEW and len(table) * 2 <= len(values):
            places = {one: chr(FIRST_PLACE + i) for i, one in enumerate(table)}
            return {"table": table, "places": "".join(map(places.__getitem__, values))}
    return values


def _less(values: list[Any], above: list[Any]) -> list[int | None] | None:
    """How much less *values* are than those *above*, if that can be said of each."""
    nones = values.count(None)
    if nones == len(values):
        return None
    if not nones and None not in above:
        return list(map(sub, above, values))
    pairs = list(zip(values, above, strict=True))
    if any(one is not None and other is None for one, other in pairs):
        return None
    return [None if one is None else other - one for one, other in pairs]


def _shared(
    name: str, last: int, new: list[Any], packed: Column, numbers: list[int]
) -> Column:
    after = last if new else numbers[0] - 1
    if numbers == list(range(after + 1, after + 1 + len(numbers))):
        relative: Column = {"same": 1}
    else:
        relative = _plain(_relative(numbers, after))
    return {
        "of": name,
        "count": len(new),
        "new": packed,
        "after": after,
        "numbers": relative,
    }


def _relative(numbers: list[int], after: int) -> list[int]:
    following = after + 1
    return [
        # The first part is always true where it is asked.
        (following := following + 1) and 1
        if number == following
        else number and number + 1
        for number in numbers
    ]


class _Unpacker:
    def __init__(self) -> None:
        self.shared: defaultdict[str, list[Any]] = defaultdict(lambda: [None])

    def unpack(self, kind: Any, column: Column, size: int) -> Values:
        """The values of a column that has so many, each of the *kind*, or None."""
        kind = required(kind)
        if not isinstance(column, dict):
            if kind is datetime:
                return [datetime.fromisoformat(one) for one in column]
            return column
        if "same" in column:
            return [column["same"]] * size
        if "places" in column:
            table = column["table"]
            return [table[ord(one) - FIRST_PLACE] for one in column["places"]]
        if "steps" in column:
            steps = self.unpack(int, column["steps"], size - 1)
            return list(accumulate(steps, initial=column["first"]))
        if "of" in column:
            new = self.unpack(kind, column["new"], column["count"])
            shared = self.shared[column["of"]]
            shared += new
            return list(
                _numbered(
                    shared, column["after"], self.unpack(int, column["numbers"], size)
                )
            )
        if "lengths" in column:
            return list(self.unpack_tuples(kind, column, size))
        if "kinds" in column:
            return list(self.unpack_kinds(column, size))
        return self.unpack_fields(kind, column, size)

    def unpack_tuples(
        self, kind: Any, column: dict[str, Any], size: int
    ) -> Iterator[tuple[Any, ...]]:
        lengths = self.unpack(int, column["lengths"], size)
        (item, _) = typing.get_args(kind)
        items = self.unpack(item, column["items"], sum(lengths))
        end = 0
        for length in lengths:
            start, end = end, end + length
            yield tuple(items[start:end])

    def unpack_kinds(self, column: dict[str, Any], size: int) -> Iterator[Any]:
        packed = zip(column["columns"], column["counts"], strict=True)
        of_kind = [iter(self.unpack(dict, *one)) for one in packed]
        for number in self.unpack(int, column["kinds"], size):
            yield next(of_kind[number])

    def unpack_fields(self, kind: Any, column: dict[str, Any], size: int) -> Values:
        keys = column["keys"]
        cls = typing.cast(type, kind) if is_dataclass(kind) else None
        kinds = field_types(cls) if cls else dict.fromkeys(keys, Any)
        fields: dict[str, Values] = {}
        for key, one in zip(keys, column["columns"], strict=True):
            if isinstance(one, dict) and "below" in one:
                less = self.unpack(int, one["less"], size)
                pairs = zip(fields[one["below"]], less, strict=True)
                fields[key] = [
                    None if one is None else other - one for other, one in pairs
                ]
            else:
                fields[key] = self.unpack(kinds[key], one, size)
        rows = zip(*fields.values(), strict=True) if keys else repeat((), size)
        if cls:
            return [cls(*row) for row in rows]
        return [dict(zip(keys, row, strict=True)) for row in rows]


def _numbered(shared: list[Any], after: int, numbers: Iterable[int]) -> Iterator[Any]:
    for number in numbers:
        if number == 1:
            after += 1
            yield shared[after]
        else:
            yield shared[number and number - 1]
