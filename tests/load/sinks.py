"""Sinks that don't do what they are for."""

from __future__ import annotations

import threading

from signal_trace import Trace


def fail(trace: Trace) -> None:
    """Lose it."""
    raise ConnectionError("nobody listens")


def hang(trace: Trace) -> None:
    """Never come back."""
    threading.Event().wait()
