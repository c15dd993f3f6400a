"""Who is connected to a signal, and how: read of it when a trace is made.

Read of Django 5.2.19, 6.0.10 and 6.1.3: an entry is (key, reference, is_async), since
6.0 (key, reference, reference to the sender or None, is_async); the key is the
``dispatch_uid`` or the receiver's id, and the sender's id.
"""

from __future__ import annotations

import types
import weakref
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.apps import apps
from django.dispatch import Signal
from django.dispatch.dispatcher import NONE_ID

from signal_trace.names import (
    ReceiverName,
    encodable,
    known_class,
    known_receiver,
    receiver_name,
    sender_kind,
    sender_name,
    type_name,
)
from signal_trace.parts import Connection
from signal_trace.signal_names import SignalName

_Heard = dict[ReceiverName, list[Connection]]


class Connected(NamedTuple):
    """One connection of a receiver. ``sender_id`` is None where it hears everybody;
    ``reference`` leads to the sender where it can be had."""

    receiver: ReceiverName
    dispatch_uid: str | None
    weak: bool
    sender_id: int | None
    reference: weakref.ref[Any] | None

    @property
    def sender(self) -> Any:
        """The sender itself, as long as it lives and where it can be had; else None."""
        return None if self.reference is None else self.reference()

    @property
    def sender_name(self) -> str | None:
        """What its sender is called; None where that can't be known, and where it hears
        everybody."""
        sender = self.sender
        return None if sender is None else sender_name(sender).name


def connected_to(signal: Signal) -> list[Connected]:
    """The connections of *signal* in their order, without those that have died."""
    return list(_connected_to(list(signal.receivers)))


def _connected_to(entries: list[Any]) -> Iterator[Connected]:
    """Hot: each request's end waits for those of all signals that it sent."""
    for entry in entries:
        uid, sender_id = entry[0]
        receiver = reference = entry[1]
        if weak := isinstance(reference, weakref.ReferenceType):
            receiver = reference()
            if receiver is None:
                continue
        own = id(receiver)
        name = known_receiver(own) or receiver_name(receiver)
        uid = None if type(uid) is int and uid == own else _dispatch_uid(uid, receiver)
        if sender_id == NONE_ID:
            yield Connected(name, uid, weak, None, None)
        else:
            yield Connected(name, uid, weak, sender_id, _sender(entry, sender_id))


def _sender(entry: Any, sender_id: int) -> weakref.ref[Any] | None:
    """Leads to whom an entry is for; before Django 6.0 that is known of classes that
    have sent something, and of models."""
    if len(entry) == 4:
        reference: weakref.ref[Any] | None = entry[2]
        return reference
    found = known_class(sender_id)
    if found is None and apps.models_ready:
        models = apps.get_models(include_auto_created=True, include_swapped=True)
        model = next((model for model in models if id(model) == sender_id), None)
        if model is not None:
            sender_kind(model)  # It will be known next time.
            found = known_class(sender_id)
    return found


def _dispatch_uid(uid: Any, receiver: Any) -> str | None:
    if type(uid) is str:
        return encodable(uid)
    # Without a uid the key is the receiver's id, or the ids of a method's two halves.
    # Nothing but numbers is compared: all else is the application's.
    if type(receiver) is types.MethodType and type(uid) is tuple:
        own = id(receiver.__self__), id(receiver.__func__)
        if all(type(one) is int for one in uid) and uid == own:
            return None
    return type_name(type(uid))


class Connections:
    """The connections of all signals that a trace is about, each read once."""

    def __init__(self) -> None:
        self._connected: dict[SignalName, list[Connected]] = {}
        self._heard: dict[tuple[SignalName, int | None], _Heard] = {}

    def to(self, name: SignalName) -> list[Connected]:
        """The connections of the signal with that *name*, as they were when it was
        first asked for."""
        known = self._connected.get(name)
        if known is None:
            signal = name.signal
            _ = name.name  # It is found as long as the signal lives.
            known = [] if signal is None else connected_to(signal)
            self._connected[name] = known
        return known

    def of_calls(
        self, name: SignalName, sender_id: int | None, receivers: list[ReceiverName]
    ) -> list[Connection | None]:
        """How each of *receivers* is connected that were called in this order when
        somebody of that id sent the signal."""
        heard = self._heard.get((name, sender_id))
        if heard is None:
            heard = self._heard[name, sender_id] = self._read(name, sender_id)
        if len(receivers) == 1:
            return [next(iter(heard.get(receivers[0], ())), None)]
        found: list[Connection | None] = []
        times: Counter[ReceiverName] = Counter()
        for receiver in receivers:
            # One function may be connected more than once.
            at, connections = times[receiver], heard.get(receiver, ())
            times[receiver] += 1
            found.append(connections[at] if at < len(connections) else None)
        return found

    def _read(self, name: SignalName, sender_id: int | None) -> _Heard:
        heard: _Heard = defaultdict(list)
        place = 0
        for one in self.to(name):
            if one.sender_id is None or one.sender_id == sender_id:
                place += 1
                heard[one.receiver].append(
                    Connection(one.dispatch_uid, one.weak, one.sender_name, place)
                )
        return dict(heard)
