"""What signals are called: they carry no name, and are looked for where they stand."""

from __future__ import annotations

import linecache
import re
import sys
import weakref
from collections.abc import Iterator

from django.dispatch import Signal

from signal_trace import forking
from signal_trace.names import Memory, attribute, type_name


class SignalName:
    """A signal's dotted name, looked for when it is first asked for."""

    __slots__ = ("_modules", "_name", "_signal", "_unnamed")

    def __init__(self, signal: Signal) -> None:
        self._signal = weakref.ref(signal)
        self._name: str | None = None
        self._unnamed = f"unnamed {type_name(type(signal))}"
        self._modules = 0

    @property
    def signal(self) -> Signal | None:
        """The signal itself, as long as it lives."""
        return self._signal()

    @property
    def name(self) -> str:
        # Signals that nothing binds are asked for again and again: they are looked
        # for again when there are other modules.
        if self._name is None and self._modules != (modules := len(sys.modules)):
            signal = self._signal()
            self._name = None if signal is None else _find_name(signal)
            self._modules = modules
        return self._name or self._unnamed


_signals: Memory[SignalName] = Memory()


def signal_name(signal: Signal) -> SignalName:
    """Name *signal* by the place where it is defined, such as
    ``django.db.models.signals.post_save``: signals carry no name of their own."""
    known = _signals.get(id(signal))
    if known is None:
        known = _signals.keep(signal, SignalName(signal))
    return known


def full_names(short: str) -> list[str]:
    """The dotted names of the signals that are called *short* where they are."""
    found = [one for _, path, one in _bound_signals() if path == short]
    return sorted({signal_name(one).name for one in found})


# Signals are looked for all at once, because one pass over the modules costs as
# much for one signal as for all of them.
_places: Memory[list[tuple[str, str]]] = Memory()
_modules_searched: set[str] = set()


# The garbage collector may end a recording in the middle of a search, which then asks
# for names of its own.
_search = forking.lock()


def _find_name(signal: Signal) -> str | None:
    """The name of *signal*; None where nothing binds it (yet)."""
    global _modules_searched
    with _search:
        modules = set(sys.modules)
        if _places.get(id(signal)) is None and modules != _modules_searched:
            for module, path, found in _bound_signals():
                places = _places.get(id(found))
                if places is None:
                    places = _places.keep(found, [])
                if (module, path) not in places:
                    places.append((module, path))
            _modules_searched = modules
        places = _places.get(id(signal))
        return None if places is None else ".".join(_definition(places))


# Whatever a class's own class makes of asking for these.
_namespace = type.__dict__["__dict__"].__get__
_qualified_name = type.__dict__["__qualname__"].__get__


def _bound_signals() -> Iterator[tuple[str, str, Signal]]:
    """Every signal that a module binds, or a class that the module defines."""
    # A dict is copied in one go, while its items are not: Python 3.11 may collect
    # garbage at each of them, and let another thread import something meanwhile.
    for module_name, module in sys.modules.copy().items():
        try:
            # Any other way of reading it would load a lazy module.
            namespace = object.__getattribute__(module, "__dict__")
        except AttributeError:
            continue
        for name, value in namespace.copy().items():
            if issubclass(type(value), Signal):
                yield module_name, name, value
            elif issubclass(type(value), type):
                held = _namespace(value)
                defined_in = held.get("__module__")
                if type(defined_in) is str and defined_in == module_name:
                    for inner_name, inner in held.copy().items():
                        if issubclass(type(inner), Signal):
                            path = f"{_qualified_name(value)}.{inner_name}"
                            yield module_name, path, inner


def _definition(places: list[tuple[str, str]]) -> tuple[str, str]:
    """The place that defines a signal, among all that import it as well.

    It is the one whose source assigns the name. Where there is no source, a
    module named ``signals`` is likelier than one that uses it, and a short path
    likelier than a long one.
    """
    likely = sorted(
        places,
        key=lambda place: (
            place[0].rpartition(".")[2] != "signals",
            place[0].count("."),
            place,
        ),
    )
    if len(likely) > 1:
        for module, path in likely:
            file = attribute(sys.modules.get(module), "__file__", str) or ""
            name = re.escape(path.rpartition(".")[2])
            assigned = re.compile(rf"\s*{name}\s*(:[^=]+)?=[^=]")
            if any(assigned.match(line) for line in linecache.getlines(file)):
                return module, path
    return likely[0]
