"""All that is patched while anybody records."""

from __future__ import annotations

from collections.abc import Callable

from signal_trace import database, dispatch, effects, transactions

_ALL = (dispatch.patches, database.patches, effects.patches)


def keep(entrance: object) -> None:
    """Leave the patches in between recordings for as long as *entrance* lives."""
    for patches in _ALL:
        patches.keep(entrance)


def begin(*, queries: bool) -> Callable[[], None]:
    """One more recording is open, which watches the database if *queries* are wanted.
    Returns what is to be called once it has ended."""
    begun = [patches for patches in _ALL if queries or patches is dispatch.patches]
    if queries and not database.patches.are_in:
        transactions.start_watching()
    for patches in begun:
        patches.begin()

    def end() -> None:
        for patches in begun:
            patches.end()

    return end
