"""Synchronous receivers, timed by the very loop that calls them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from signal_trace import recording
from signal_trace.names import ReceiverName, receiver_name
from signal_trace.names import known_receiver as known_name
from signal_trace.recording import RAISED, SendRecord, position, report_bug

set_position = position.set


class SyncReceivers(list[Any]):
    """A send's synchronous receivers, for its dispatch loop to iterate.

    Only the first to iterate them is that loop. Whoever looks at the locals of Django's
    frame later, as error reports do, finds a list.
    """

    __slots__ = ("send",)
    send: SendRecord | None

    def __iter__(self) -> Iterator[Any]:
        send, self.send = self.send, None
        return list.__iter__(self) if send is None else _watched(send, self)

    def never_called(self) -> list[ReceiverName]:
        """All of them, where no loop has begun; a loop that ended early says itself
        what it left."""
        if self.send is None:
            return []
        return [receiver_name(receiver) for receiver in list.__iter__(self)]

    def release(self) -> None:
        """Hold nothing of the recording any more."""
        self.send = None


def _watched(send: SendRecord, receivers: SyncReceivers) -> Iterator[Any]:
    """Time each receiver, from handing it out until the loop comes back for the next.

    A receiver that raises ends the loop, which closes this generator at its yield.
    """
    clock = recording.clock
    append = send.calls.append
    here = send.number
    for receiver in list.__iter__(receivers):
        here += 1
        try:
            name = known_name(id(receiver))
            if name is None:
                name = receiver_name(receiver)
            set_position(here)
            append(name)
            append(clock())
        except Exception:
            report_bug("beginning a call")
            here -= 1
            yield receiver
            continue
        try:
            yield receiver
        except GeneratorExit:
            _abandon(send, here, receivers)
            return
        append(clock())
    set_position(send.parent)


def _abandon(send: SendRecord, here: int, receivers: SyncReceivers) -> None:
    """End the call at *here*, which ended its loop, by raising if nothing else is known
    of it."""
    end = recording.clock()
    place = here - send.number - 1
    if place not in send.failures:
        send.fail_call(place, end, RAISED)
    if position.get() == here:
        set_position(send.parent)
    send.calls.append(end)
    send.never_ran = [receiver_name(one) for one in receivers[place + 1 :]]
