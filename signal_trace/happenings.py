"""The events of a trace, put together when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models.signals import post_delete, post_save, pre_delete, pre_save

from signal_trace.events import Happened, Seen
from signal_trace.parts import BULK_WRITES, RAW_DELETE, Event
from signal_trace.recording import Window
from signal_trace.send_tree import SendTree
from signal_trace.signal_names import signal_name


def happenings(windows: list[Window], tree: SendTree) -> Iterator[Event]:
    """What happened besides sends, in the order of when it was first seen. A call of
    *tree* that is forgotten or ignored is None."""
    for window in windows:
        for happened, seen in window.events:
            if tree.ignores(seen.subject):
                continue
            if happened.kind not in BULK_WRITES:
                yield _event(happened, seen, tree, [])
            elif receivers := _gone_past(happened, seen, tree):
                yield _event(happened, seen, tree, receivers)


def _event(
    happened: Happened, seen: Seen, tree: SendTree, receivers: list[str]
) -> Event:
    return Event(
        kind=happened.kind,
        subject=seen.subject,
        call=tree.call_ids.get(tree.resolve(happened.here)),
        call_site=tree.line_of(seen.place),
        count=seen.count,
        in_transaction=happened.in_transaction,
        in_callback=happened.in_callback,
        receivers=tuple(receivers),
    )


def _gone_past(happened: Happened, seen: Seen, tree: SendTree) -> list[str]:
    """The receivers that would have heard of a write, had it been made one by one."""
    model: Any = None if seen.model is None else seen.model()
    if model is None or model._meta.auto_created:
        return []  # Nobody means these by "all senders": m2m_changed tells of them.
    # Who writes so in a receiver wants it not to be heard there once more.
    running = set(tree.receivers_at(happened.here))
    deletes = happened.kind == RAW_DELETE
    signals = (pre_delete, post_delete) if deletes else (pre_save, post_save)
    names = [
        one.receiver.name
        for signal in signals
        if not tree.ignores(signal_name(signal).name)
        for one in tree.connections.to(signal_name(signal))
        if one.sender_id in (None, id(model))
    ]
    return [
        name
        for name in dict.fromkeys(names)
        if name not in running and not tree.ignores(name)
    ]
