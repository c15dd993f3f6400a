"""Locks that a forked process finds free, and what they guard whole."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

# A fork waits no longer for each: whoever has one may wait for whoever forks.
LONGEST_WAIT = 1


_locks: weakref.WeakSet[Any] = weakref.WeakSet()
_held = threading.local()


def lock() -> threading.RLock:
    """A lock that whoever forks has taken at that moment, so that no other thread has:
    in the new process there would be nobody to give it back."""
    made = threading.RLock()
    _locks.add(made)
    return made


def _hold() -> None:
    _held.locks = [one for one in list(_locks) if one.acquire(timeout=LONGEST_WAIT)]


def _let_go() -> None:
    for one in _held.locks:
        one.release()
    _held.locks = []


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_let_go)
