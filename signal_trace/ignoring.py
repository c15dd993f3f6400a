"""What no trace shows: the one rule for what `IGNORE` names."""

from __future__ import annotations

from collections.abc import Callable

from signal_trace.names import SenderName
from signal_trace.send_kinds import SendKind

# Whether what is called by a name is to be left out.
Ignores = Callable[[str], bool]


def ignores_kind(kind: SendKind, ignores: Ignores) -> bool:
    """Whether all sends of a kind are left out: for their signal, or their sender."""
    sender = kind.sender
    return any(map(ignores, (kind.signal.name, sender.name, *sender.class_names)))


def ignores_send(kind: SendKind, sender: SenderName, ignores: Ignores) -> bool:
    """Whether one send is left out; *sender* is its sender's own name."""
    by_name = sender is not kind.sender and ignores(sender.name)
    return by_name or ignores_kind(kind, ignores)
