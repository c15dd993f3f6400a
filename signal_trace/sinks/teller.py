"""Says things by a thread of its own: a log that hangs keeps nobody else."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from signal_trace.recording import report_bug


class Teller:
    """A thread that says what it is told to, one thing after the other.

    It is started before there is anything to say, since at the end of a process no
    thread can be: so it is with Python 3.12.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._told: deque[Callable[[], None]] = deque()
        self._is_saying = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, if it can be and isn't there."""
        if self.is_there:
            return
        self._thread = threading.Thread(
            target=self._run, name="signal_trace.sinks.teller", daemon=True
        )
        with suppress(RuntimeError):
            self._thread.start()

    @property
    def is_there(self) -> bool:
        """Whether there is somebody to tell."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_busy(self) -> bool:
        """Whether there is something that hasn't been said yet."""
        return self._is_saying or bool(self._told)

    def tell(self, say: Callable[[], None]) -> None:
        """Have *say* called, after what was told before."""
        with self._changed:
            self._told.append(say)
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until all is said, at most so long; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.is_busy, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._told)
                say = self._told.popleft()
                self._is_saying = True
            try:
                say()
            except Exception:
                report_bug("saying what was lost")
            finally:
                with self._changed:
                    self._is_saying = False
                    self._changed.notify_all()
