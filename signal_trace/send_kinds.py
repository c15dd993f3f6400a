"""What is sent by whom: a signal and a kind of sender, named together once."""

from __future__ import annotations

import weakref
from typing import Any

from django.dispatch import Signal

from signal_trace.names import Memory, SenderName, sender_kind
from signal_trace.signal_names import SignalName, signal_name


class SendKind:
    """The names of a signal and of a kind of sender; one object for each pair of them,
    for as long as both live.

    ``sender_id`` is the id of a sender that is a class or None, and ``sender_class``
    refers to the class; of any other sender they are None.
    """

    __slots__ = ("sender", "sender_class", "sender_id", "signal")

    def __init__(self, signal: SignalName, sender: SenderName, subject: Any) -> None:
        self.signal = signal
        self.sender = sender
        self.sender_id: int | None = None
        self.sender_class: weakref.ref[type] | None = None
        if subject is None:
            self.sender_id = id(None)
        elif issubclass(type(subject), type):
            self.sender_id = id(subject)
            self.sender_class = weakref.ref(subject)


_by_sender: Memory[Memory[SendKind]] = Memory()
_by_class: Memory[Memory[SendKind]] = Memory()

#: The kinds that are known by the very sender, a class or None, for who can't wait:
#: ``known[id(signal)].values[id(sender)]``, or a KeyError. See `send_kind`.
known = _by_sender.values


def send_kind(signal: Signal, sender: Any) -> SendKind:
    """The kind of a send; of a sender that is no class its class alone counts."""
    if sender is None or issubclass(type(sender), type):
        kinds, subject = _by_sender, sender
    else:
        kinds, subject = _by_class, type(sender)
    of_signal = kinds.get(id(signal))
    if of_signal is None:
        of_signal = kinds.keep(signal, Memory())
    kind = of_signal.get(id(subject))
    if kind is None:
        kind = SendKind(signal_name(signal), sender_kind(sender), sender)
        of_signal.keep(subject, kind)
        if subject is None:
            of_signal.values[id(None)] = kind  # It never dies.
    return kind
