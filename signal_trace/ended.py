"""A recording that has ended. Its trace is put together when somebody asks for it: the
application doesn't wait for what nobody reads."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from signal_trace.assembly import assemble, plain_attributes
from signal_trace.conf import Settings
from signal_trace.connected import Connections
from signal_trace.findings import find
from signal_trace.folding import close
from signal_trace.parts import OPEN, Error
from signal_trace.recording import SendRecord, Window, report_bug
from signal_trace.trace import Trace


class Ended:
    """What a closed window holds, and the `trace` of it.

    What goes on after the window, such as a send that hasn't ended, a transaction or
    a recording around it, would still change what it holds: then its trace is put
    together at once.
    """

    def __init__(
        self,
        window: Window,
        settings: Settings,
        *,
        kind: str,
        name: str,
        attributes: dict[str, Any],
        error: Error | None,
    ) -> None:
        self._window: Window | None = window
        self._settings = settings
        self._kind = kind
        self._name = name
        self._attributes = plain_attributes(attributes)
        self._error = error
        self.duration_ns = window.end - window.start
        self._connections = Connections()
        # The garbage collector may come in between, and run what asks as well.
        self._asking = threading.RLock()
        self._trace: Trace | None = None
        if not _is_settled(window):
            self._trace = self._put_together(window)
            self._let_go()

    def read_connections(self) -> None:
        """Read how the receivers are connected of all signals that were sent: they may
        have others, or be gone, when the trace is asked for."""
        window = self._window
        if window is None:
            return
        kinds = [*dict(window.unreceived), *[send.kind for send in window.sends]]
        for signal in {kind.signal for kind in kinds}:
            self._connections.to(signal)

    @property
    def trace(self) -> Trace:
        """What was recorded."""
        with self._asking:
            if self._trace is None:
                assert self._window is not None
                self._trace = self._put_together(self._window)
                self._let_go()
            return self._trace

    @property
    def may_have_failed(self) -> bool:
        """False where no receiver raised; told without the trace."""
        window = self._window
        if window is None or self._error is not None:
            return True
        return any(
            send.error is not None
            or send.failures
            or any(call.error is not None for call in send.async_calls)
            for send in window.sends
        ) or any(
            calls.failures
            for _, folded in window.tallies
            for calls in folded.calls.values()
        )

    @property
    def size(self) -> int:
        """How many sends it holds one by one."""
        window, trace = self._window, self._trace
        return len(window.sends if window is not None else trace.sends if trace else ())

    def _put_together(self, window: Window) -> Trace:
        try:
            return self._assemble(window)
        except Exception:
            report_bug("putting a trace together")
            return self._assemble(blind_window())

    def _let_go(self) -> None:
        """The trace says it all from here on."""
        self._window = None
        self._connections = Connections()

    def _assemble(self, window: Window) -> Trace:
        trace = assemble(
            window,
            self._connections,
            kind=self._kind,
            name=self._name,
            attributes=self._attributes,
            error=self._error,
        )
        try:
            return replace(trace, findings=find(trace, self._settings))
        except Exception:
            report_bug("looking for findings")
            return trace


def blind_window() -> Window:
    """A window in which nothing was sent."""
    window = Window(0, lambda name: True)
    close(window)
    return window


def _is_settled(window: Window) -> bool:
    """Whether nothing changes any more of what a closed *window* holds."""
    return (
        window.outer_id is None
        and not window.inner
        and all(map(_is_over, window.sends))
    )


def _is_over(send: SendRecord) -> bool:
    transaction = send.transaction
    return (
        send.end is not None
        and (transaction is None or transaction.outcome is not OPEN)
        and (not send.async_calls or send.is_over)
    )
