"""The arguments of a send, as far as showing them gives nothing away.

They are kept when the send is made, and described when the trace is: what is kept in
between are plain values and names, and nothing of the application's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from signal_trace.names import (
    LONGEST_TEXT,
    SenderName,
    encodable,
    instance_key,
    instance_name,
    known_instance,
    sender_kind,
)
from signal_trace.parts import NOT_TOLD

NAMES_ONLY = "names"
ALL_THAT_IS_SAFE = "safe"
NOTHING = "off"


def _texts_of(values: Any) -> tuple[str, ...]:
    # Anybody's signal may have an argument of that name, with anything in it.
    return tuple(
        [v[:LONGEST_TEXT] if type(v) is str else type(v).__name__ for v in values]
    )


# What Django's own signals are given, by its name and type, and what is kept of it.
# Of texts it is the text itself.
TEXTS = frozenset(("using", "action"))
KEPT: dict[tuple[str, type], Callable[[Any], Any]] = {
    **{("update_fields", kind): _texts_of for kind in (frozenset, set, list, tuple)},
    **{("pk_set", kind): len for kind in (frozenset, set, list, tuple)},
}
_KINDS = {kind for _, kind in KEPT}


class Untold:
    """Of a value that is one, only the argument's name is to be kept."""


UNTOLD = Untold()
_UNTOLD_KIND = sender_kind(UNTOLD)


def keep(named: dict[str, Any]) -> tuple[Any, ...]:
    """The name and the value of each argument, one after the other. Hot: the send
    waits for this."""
    kept: list[Any] = []
    append = kept.append
    for name, value in named.items():
        append(name)
        kind = type(value)
        if kind is bool or value is None:
            append(value)
        elif kind is str and name in TEXTS:
            append(value[:LONGEST_TEXT])  # The same object, nearly always.
        else:
            known = known_instance(id(kind))
            if known is None:
                known = sender_kind(value)
            if known.pk_names:
                append((known, instance_key(known, value)))
            elif kind in _KINDS and (name, kind) in KEPT:
                append((kind, KEPT[name, kind](value)))
            else:
                append(known)
    return tuple(kept)  # Smaller than a list.


def describe(kept: Sequence[Any], *, are_djangos: bool) -> dict[str, Any]:
    """What `keep` kept, by name, as plain values. Values other than a model instance
    are told where the signal is Django's own; else the name of their type is all."""
    values = [
        value if value is None else _described(value, are_djangos)
        for value in kept[1::2]
    ]
    return dict(zip(_texts(*kept[::2]), values, strict=True))


def _described(value: Any, is_djangos: bool) -> Any:
    kind = type(value)
    if kind is tuple:
        kind, value = value
        if type(kind) is SenderName:
            return instance_name(kind, value)
    elif kind is SenderName:
        return NOT_TOLD if value is _UNTOLD_KIND else value.class_name
    if not is_djangos:
        return kind.__name__
    if type(value) is str:
        return _texts(value)[0]
    if type(value) is tuple:
        # A set's order is another each time.
        items = sorted(value) if kind in (frozenset, set) else value
        return [_texts(item)[0] for item in items]
    return value


@functools.lru_cache(maxsize=1_000)
def _texts(*texts: str) -> tuple[str, ...]:
    return tuple([encodable(text[:LONGEST_TEXT]) for text in texts])
