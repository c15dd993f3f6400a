"""Receivers that are connected to a signal which was sent, for another sender."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Model

from signal_trace.connected import Connected, Connections
from signal_trace.ignoring import Ignores
from signal_trace.names import ReceiverName, sender_kind
from signal_trace.parts import CHILD, OTHER_SENDER, PARENT, PROXY, NotCalled
from signal_trace.send_kinds import SendKind
from signal_trace.signal_names import SignalName
from signal_trace.tally import CallKey, SendKey, SendTally


class Sent:
    """By whom a signal was sent, and which receivers heard it."""

    __slots__ = ("classes", "heard", "sender_ids")

    def __init__(self) -> None:
        self.sender_ids: set[int | None] = set()
        #: Each with the model that it is, or stands for.
        self.classes: list[tuple[type, Any]] = []
        self.heard: set[ReceiverName] = set()


class SentSignals:
    """All signals that were sent in a trace."""

    def __init__(self) -> None:
        self._sent: defaultdict[SignalName, Sent] = defaultdict(Sent)
        self._omitted: set[SendKey] = set()
        self._heard_omitted: set[tuple[str, CallKey]] = set()

    def add(self, kind: SendKind, receivers: Iterable[ReceiverName] = ()) -> None:
        """Add a send, and the receivers that were to hear it."""
        sent = self._sent[kind.signal]
        sent.heard.update(receivers)
        if kind.sender_id not in sent.sender_ids:
            sent.sender_ids.add(kind.sender_id)
            cls = None if kind.sender_class is None else kind.sender_class()
            if cls is not None:
                sent.classes.append((cls, _concrete(cls)))

    def add_omitted(self, key: SendKey, tally: SendTally) -> None:
        """Add sends that are left out, of which the names are known."""
        self._omitted.add(key)
        self._heard_omitted.update((key[0], call) for call in tally.calls)

    def missed(self, connections: Connections, ignores: Ignores) -> Iterator[NotCalled]:
        """The receivers that heard none of it, since they are for other senders."""
        for signal, sent in self._sent.items():
            for one in connections.to(signal):
                if (
                    one.sender_id is None
                    or one.sender_id in sent.sender_ids
                    or one.receiver in sent.heard
                    or ignores(one.receiver.name)
                    or self._is_omitted(signal.name, one)
                ):
                    continue
                yield self._not_called(signal.name, one, sent)

    def _is_omitted(self, signal: str, one: Connected) -> bool:
        """Whether it was called, or its sender sent, in what is left out."""
        receiver = one.receiver
        called = signal, (receiver.name, receiver.file, receiver.line)
        return (
            called in self._heard_omitted
            or (signal, one.sender_name or "") in self._omitted
        )

    def _not_called(self, signal: str, one: Connected, sent: Sent) -> NotCalled:
        near = relation = None
        wanted = one.sender
        for cls, concrete in sent.classes:
            relation = _relation(cls, concrete, wanted)
            if relation is not None:
                near = sender_kind(cls).name
                break
        receiver = one.receiver
        return NotCalled(
            send=None,
            signal=signal,
            receiver=receiver.name,
            file=receiver.file,
            line=receiver.line,
            reason=OTHER_SENDER,
            sender=one.sender_name,
            near_miss=near,
            relation=relation,
        )


# Whether the first class is above the second. Metaclasses have no say in it.
_is_above = type.__subclasscheck__


def _relation(sent: type, concrete: Any, wanted: Any) -> str | None:
    """What the class that sent is to the one that is listened to; *concrete* is the
    model that it stands for."""
    is_class = issubclass(type(wanted), type)
    if not is_class or wanted is object or sent is object or sent is Model:
        return None
    if _is_above(wanted, sent):
        return PROXY if _is_proxy(sent) else CHILD
    if _is_above(sent, wanted):
        return PARENT
    is_same = concrete is not None and concrete is _concrete(wanted)
    return PROXY if is_same else None


def _is_proxy(cls: Any) -> bool:
    return issubclass(cls, Model) and bool(cls._meta.proxy)


def _concrete(cls: Any) -> Any:
    return (
        cls._meta.concrete_model
        if issubclass(cls, Model) and cls is not Model
        else None
    )
