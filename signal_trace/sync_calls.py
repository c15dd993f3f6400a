"""Synchronous receivers, timed by the very loop that calls them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from signal_trace import recording
from signal_trace.names import receiver_name
from signal_trace.recording import (
    END,
    ERROR,
    RAISED,
    START,
    CallRecord,
    SendRecord,
    position,
    report_bug,
)

current = position.get
set_position = position.set


class SyncReceivers(list[Any]):
    """A send's synchronous receivers: times each, from handing it out until the
    loop comes back for the next.

    A receiver that raises ends the loop, which closes the generator at its yield.
    """

    __slots__ = ("send",)
    send: SendRecord

    def __iter__(self) -> Iterator[Any]:
        send = self.send
        window, calls, parent, clock = (
            send.window,
            send.calls,
            send.parent,
            recording.clock,
        )
        receivers = list.__iter__(self)
        for receiver in receivers:
            call: CallRecord | None = None
            if parent:  # Else the recording has ended meanwhile.
                try:
                    name = receiver_name(receiver)
                    call = [window, send, name, 0, None, None, False]
                    calls.append(call)
                    set_position(call)
                    call[START] = clock()
                except Exception:
                    if parent:
                        report_bug("beginning a call")
            try:
                yield receiver
            except GeneratorExit:
                if call:
                    with contextlib.suppress(IndexError):
                        _abandon_call(send, call)
                    send.never_ran = [receiver_name(one) for one in receivers]
                return
            end = clock()
            # Another thread may end the recording, and so empty the call, between any
            # two lines. (A context manager would cost more than the rest of this.)
            try:
                if call and call[END] is None:
                    call[END] = end
            except IndexError:
                pass
        set_position(parent)


def _abandon_call(send: SendRecord, call: CallRecord) -> None:
    """End the call that ended its loop, by raising if nothing else is known of it."""
    if call[END] is None:
        call[END] = recording.clock()
        call[ERROR] = RAISED
    if current() is call:
        set_position(send.parent)
