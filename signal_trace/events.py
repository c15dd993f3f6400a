"""What happens besides sends and is worth knowing, counted by where it happened: mail,
tasks, callbacks, bulk writes."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

from signal_trace.call_sites import Place

# So many different ones are told apart; of more it is forgotten where they happened.
MOST_APART = 2_000


class Happened(NamedTuple):
    """An event as it is told from others. ``here`` is the position at which it
    happened; `Seen` has what ``subject_id`` and ``place_id`` stand for."""

    kind: str
    subject_id: int | str
    here: int
    place_id: tuple[int, int] | None
    in_transaction: bool
    in_callback: bool


class Seen:
    """How often something happened. ``subject`` is its name, ``model`` refers to the
    model that was written to."""

    __slots__ = ("count", "model", "place", "subject")

    def __init__(self, subject: str, place: Place | None, model: type | None) -> None:
        self.subject = subject
        self.place = place
        self.model = None if model is None else weakref.ref(model)
        self.count = 0


class Events:
    """All events of a recording."""

    def __init__(self) -> None:
        self._seen: dict[Happened, Seen] = {}

    def note(
        self,
        kind: str,
        subject: str,
        here: int,
        place: Place | None,
        *,
        count: int,
        in_transaction: bool,
        in_callback: bool,
        model: type | None = None,
    ) -> None:
        """Count an event at the position *here*, which the line *place* caused."""
        if len(self._seen) >= MOST_APART:
            here, place = 0, None
        happened = Happened(
            kind,
            subject if model is None else id(model),
            here,
            None if place is None else (id(place[0]), place[1]),
            in_transaction,
            in_callback,
        )
        seen = self._seen.get(happened)
        if seen is None:
            seen = self._seen.setdefault(happened, Seen(subject, place, model))
        seen.count += count

    def __iter__(self) -> Iterator[tuple[Happened, Seen]]:
        return iter(dict(self._seen).items())

    def take_over(self, inner: Events, number: int, opened_at: int) -> None:
        """Add those of an *inner* recording with that *number*."""
        for happened, seen in inner:
            if happened.here == number:
                happened = happened._replace(here=opened_at)
            known: Any = self._seen.setdefault(happened, seen)
            if known is not seen:
                known.count += seen.count
