"""Replaces functions on classes while somebody records, and puts them back, among
others who do the same."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

from signal_trace import forking

Function = Callable[..., Any]
Wrap = Callable[[Function], Function]

# CPython 3.13 stops caching lookups on a class for good after some 500 changes to
# its attributes, which makes every send slower by a quarter; a class may have
# several patches, and a process several subclasses of it.
MOST_REMOVALS = 100


def is_method(there: object) -> bool:
    """Whether what stands on a class is called with the instance first."""
    binds = callable(there) and hasattr(type(there), "__get__")
    return binds and not isinstance(there, staticmethod | classmethod)


class Patch:
    """One function put in another's place on a class."""

    __slots__ = ("_cls", "_function", "_name")

    def __init__(self, cls: type, name: str, wrap: Wrap) -> None:
        # Held by the class alone, which may be a short-lived one: what stood there
        # may refer to the class, as a method that calls `super()` does.
        self._cls = weakref.ref(cls)
        self._name = name
        # What stands there may be a descriptor of another kind than a function.
        function: Any = wrap(getattr(cls, name))
        function._stood_there = cls.__dict__[name]
        self._function: weakref.ref[Any] = weakref.ref(function)
        setattr(cls, name, function)

    @property
    def is_in_place(self) -> bool:
        function, cls = self._function(), self._cls()
        there = None if cls is None else cls.__dict__.get(self._name)
        return function is not None and there is function

    @property
    def is_gone(self) -> bool:
        """Whether nobody has the function any more, to put it back some day."""
        return self._function() is None

    def remove(self) -> bool:
        """Put the original back, unless somebody else has patched over this one.

        Then theirs stays, with ours inert below it, and False is returned.
        """
        function, cls = self._function(), self._cls()
        if cls is None or function is None or not self.is_in_place:
            return False
        setattr(cls, self._name, function._stood_there)
        return True


class Patches:
    """What is patched while anybody records.

    *always* is what to patch whenever recording begins. Patches come out when
    nobody records any more, except while an entrance is kept (see `keep`), and at
    most `MOST_REMOVALS` times; patches that stay do nothing.

    A patch that somebody else has covered is left behind, and looked at again when
    recording next begins or ends: by then theirs may have gone, and ours have come
    to light.
    """

    def __init__(self, always: Iterable[tuple[type, str, Wrap]]) -> None:
        self._always = list(always)
        self._lock = forking.lock()
        self._recordings = 0
        self._removals = 0
        self._entrances: weakref.WeakSet[Any] = weakref.WeakSet()
        self._standing: weakref.WeakKeyDictionary[type, dict[str, Patch]] = (
            weakref.WeakKeyDictionary()
        )
        self._left_behind: list[Patch] = []
        # Those of *always*, in case there is one of each.
        self._of_always: list[Patch] = []

    @property
    def are_in(self) -> bool:
        """Whether the patches are in place."""
        return bool(self._standing)

    def keep(self, entrance: object) -> None:
        """Leave the patches in between recordings for as long as *entrance* lives."""
        self._entrances.add(entrance)

    def begin(self) -> None:
        """One more recording is open."""
        with self._lock:
            self._recordings += 1
            self._remove_left_behind()
            if self._are_in_place():  # As nearly always, and a request waits for this.
                return
            found = [self.ensure(*one) for one in self._always]
            standing = [one for one in found if one is not None]
            self._of_always = standing if len(standing) == len(found) else []

    def end(self) -> None:
        """One recording less is open."""
        with self._lock:
            self._recordings -= 1
            kept = len(self._entrances) > 0 or self._removals >= MOST_REMOVALS
            if self._recordings == 0 and not kept:
                self._removals += 1
                for patches in self._standing.values():
                    self._left_behind += patches.values()
                self._standing = weakref.WeakKeyDictionary()
            self._remove_left_behind()

    def ensure(self, cls: type, name: str, wrap: Wrap) -> Patch | None:
        """See to it that *cls* has a patch of ours, outermost, as *name*; it is
        returned.

        What is no function there, such as a mock, is left alone.
        """
        with self._lock:
            patches = self._standing.setdefault(cls, {})
            standing = patches.get(name)
            if standing is not None:
                if standing.is_in_place:
                    return standing
                self._left_behind.append(patches.pop(name))
            there = cls.__dict__[name]
            if not is_method(there):
                return None
            patches[name] = Patch(cls, name, wrap)
            return patches[name]

    def _are_in_place(self) -> bool:
        of_always = self._of_always
        return bool(of_always) and all(one.is_in_place for one in of_always)

    def _remove_left_behind(self) -> None:
        if not self._left_behind:
            return
        # The newest first: it may stand on an older one.
        left = [
            patch
            for patch in self._left_behind[::-1]
            if not patch.remove() and not patch.is_gone
        ]
        self._left_behind = left[::-1]
