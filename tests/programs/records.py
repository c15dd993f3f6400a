"""What a world knows of what has happened in it, to judge traces by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import signal_trace


@dataclass(eq=False)
class Window:
    """A recording, with what is known of it from the events."""

    recording: signal_trace.Recording
    outer: Window | None
    previous: Window | None
    opened: int
    closed: int | None = None

    def with_outer(self) -> Iterator[Window]:
        window: Window | None = self
        while window is not None:
            yield window
            window = window.outer


@dataclass(eq=False)
class Scope:
    """Where an action takes place: in which call, at which depth, seen by which
    window."""

    call: int | None = None
    depth: int = 0
    window: Window | None = None
    # How many of the async receivers that are about to run, or run, can't go on
    # before this is over.
    waiting: int = 0
    # Whether there is nothing but plain calls above.
    is_plain: bool = False

    def windows(self) -> list[Window]:
        """Those which see what is done now."""
        if self.window is None:
            return []
        return [window for window in self.window.with_outer() if window.closed is None]


@dataclass(eq=False)
class Sent:
    number: int
    signal: str
    sender: str
    method: str
    scope: Scope
    windows: list[Window]
    sync: list[str]
    asynchronous: list[str]
    is_refused: bool
    is_recorded: bool
    began: int
    ran: list[Ran] = field(default_factory=list)
    ended: int | None = None
    error: str | None = None


@dataclass(eq=False)
class Ran:
    number: int
    label: str
    sent: Sent
    is_async: bool
    began: int
    ended: int | None = None
    error: str | None = None
    frames: tuple[Any, ...] = ()
    is_shared: bool = False
