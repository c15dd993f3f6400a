"""A send, from its beginning to its end, as those who watch the dispatcher tell it.

Hot: each send goes through here, and what it costs the application waits for.
"""

from __future__ import annotations

import sys
from typing import Any

from django.dispatch import Signal

from signal_trace import arguments, recording
from signal_trace.async_calls import AsyncReceivers
from signal_trace.call_sites import find_place, find_stack
from signal_trace.captures import NOTHING
from signal_trace.causes import find_cause
from signal_trace.errors import describe_error
from signal_trace.folding import fold, merge_unreceived
from signal_trace.names import receiver_name, sender_name
from signal_trace.recording import (
    HEARD,
    OUTER,
    PARENT,
    RAISED,
    RECEIVERS,
    SEND_BITS,
    SENDER_ID,
    SIGNAL_ID,
    WINDOW_BITS,
    PendingSend,
    SendRecord,
    Window,
    callbacks_run_at,
    position,
    report_bug,
    waiting,
    windows,
)
from signal_trace.send_kinds import known as known_kinds
from signal_trace.send_kinds import send_kind
from signal_trace.sync_calls import SyncReceivers
from signal_trace.transactions import open_transaction

# How many frames of ours and of the dispatcher's there are at least between
# `_take_down` and whoever sends: ours, Django's `send` and our watch over it.
NEAREST = 6
# The same where finding the receivers failed.
NEAREST_OF_FAILED = 4

current = position.get
keep_arguments = arguments.keep
set_position = position.set
waiting_send = waiting.get
set_waiting = waiting.set


def begin_send(
    here: int, signal: Signal, sender: Any, method: str, named: dict[str, Any]
) -> PendingSend | None:
    """Begin a send that waits for its receivers; None where it is not to be."""
    try:
        outer = waiting_send()
        if outer and outer[SIGNAL_ID]:
            if _is_of(outer, signal, sender):
                return None  # A layer of ours above this one has begun it.
        else:
            outer = None
        begun = recording.clock()
        pending = [
            id(signal),
            id(sender),
            here,
            method,
            begun,
            None,
            None,
            outer,
            named,
        ]
        set_waiting(pending)
    except Exception:
        report_bug("beginning a send")
        return None
    return pending


def _is_of(pending: PendingSend, signal: Signal, sender: Any) -> bool:
    """Whether *pending* still waits, and is a send of *signal* by *sender*."""
    waits_for: tuple[int, int] = (pending[SIGNAL_ID], pending[SENDER_ID])
    return waits_for == (id(signal), id(sender))


def hear_send(
    pending: PendingSend,
    signal: Signal,
    sender: Any,
    sync_receivers: list[Any],
    async_receivers: list[Any],
) -> tuple[list[Any], list[Any]] | None:
    """The receivers in a form that notices being called, for the send that waits for
    them; None where its recording has ended."""
    send = _keep_send(pending, signal, sender, NEAREST)
    if send is None:
        return None
    if async_receivers:
        taken = len(sync_receivers)
        async_receivers = AsyncReceivers(send, async_receivers, taken)
    if sync_receivers:
        sync_receivers = watched = SyncReceivers(sync_receivers)
        watched.send = send
    receivers = pending[RECEIVERS] = sync_receivers, async_receivers
    return receivers


def _keep_send(
    pending: PendingSend, signal: Signal, sender: Any, nearest: int
) -> SendRecord | None:
    _, _, parent, method, begun, _, _, _, named = pending
    window = windows.get(parent >> WINDOW_BITS)
    if window is None:
        set_position(0)
        return None
    try:
        kind = known_kinds[id(signal)].values[id(sender)]
        name = kind.sender
    except KeyError:
        kind = send_kind(signal, sender)
        name = sender_name(sender)
    number = next(window.send_numbers)
    send = pending[HEARD] = SendRecord(
        number, id(signal), kind, name, parent, method, begun
    )
    if kind.sender_id is None:
        send.sender_id = id(sender)
    if window.captures is not NOTHING:
        _take_down(window, send, named, nearest)
    sends = window.sends
    sends.append(send)
    if len(sends) >= window.fold_at:
        fold(window)
    return send


def _take_down(
    window: Window, send: SendRecord, named: dict[str, Any], nearest: int
) -> None:
    try:
        call_sites, stacks, shown, queries = window.captures
        if call_sites:
            frame = sys._getframe(nearest)
            # Nearly always this is all.
            send.place = find_place(frame) or find_cause(window, send.parent, frame)
            if stacks:
                send.stack = find_stack(sys._getframe(1))
        if named and shown != arguments.NOTHING:
            if shown == arguments.NAMES_ONLY:
                named = dict.fromkeys(named, arguments.UNTOLD)
            send.arguments = keep_arguments(named)
        if queries:
            transaction = open_transaction(named.get("using"))
            if transaction is not None:
                send.transaction = transaction
                transaction.last_send = send.start
            if callbacks_run_at.get() == send.parent:
                send.on_commit = True
    except Exception:
        report_bug("taking down a send")


def end_send(
    pending: PendingSend, signal: Signal, sender: Any, error: BaseException | None
) -> None:
    """Close a send, which returned or raised *error*."""
    try:
        now = recording.clock()
        if pending[OUTER] is not None:
            set_waiting(pending[OUTER])
        send = pending[HEARD]
        if send is None and error is not None:
            # Finding receivers failed.
            send = _keep_send(pending, signal, sender, NEAREST_OF_FAILED)
        if send is None:
            here = pending[PARENT]
            pending.clear()
            if error is None:
                try:
                    kind = known_kinds[id(signal)].values[id(sender)]
                    windows[here >> WINDOW_BITS].unreceived[kind] += 1
                except KeyError:
                    count_unreceived(here, signal, sender)
            return
        if error is None:
            send.end = now
        elif isinstance(error, GeneratorExit) and send.method[0] == "a":
            send.was_dropped = True  # It never finished.
        else:
            send.end = now
            _blame(send, error, pending[RECEIVERS])
        receivers = pending[RECEIVERS]
        if receivers is not None and (receivers[1] or error is not None):
            for one in receivers:
                if one:
                    one.release()
        # Whoever keeps the exception keeps this list.
        pending.clear()
    except Exception:
        report_bug("ending a send")


def _blame(send: SendRecord, error: BaseException, receivers: Any) -> None:
    """Tie *error* to the receiver that raised it, and note who never ran for it."""
    send.error = describe_error(error)
    for place, (end, known) in send.failures.items():
        if known is RAISED and id(error) not in send.async_errors:
            send.fail_call(place, end, send.error)
    for some in receivers or ():
        if some:
            send.never_ran = [*send.never_ran, *some.never_called()]


def fail_call(signal: Signal, receiver: Any, error: BaseException) -> None:
    """End the call that runs, if it is *receiver*'s in a robust send of *signal*, by
    *error*: logging its failure is no longer its own time."""
    end = recording.clock()
    here = current()
    window = windows.get(here >> WINDOW_BITS)
    for send in reversed(window.sends) if window is not None else ():
        if send.number >> SEND_BITS != here >> SEND_BITS:
            continue  # One that the receiver sent.
        place = here - send.number - 1
        running = [name.name for name in send.calls[3 * place : 3 * place + 1]]
        if send.signal_id == id(signal) and running == [receiver_name(receiver).name]:
            send.fail_call(place, end, describe_error(error))
            set_position(send.parent)
        return


def count_unreceived(here: int, signal: Signal, sender: Any) -> None:
    """Count a send from *here* that nobody heard."""
    try:
        outer = waiting_send()
        if outer and _is_of(outer, signal, sender):
            return  # A layer of ours above this one will count it.
        window = windows.get(here >> WINDOW_BITS)
        if window is None:
            set_position(0)
        else:
            window.unreceived[send_kind(signal, sender)] += 1
            if len(window.unreceived) > window.most_kinds:
                merge_unreceived(window)
    except Exception:
        report_bug("counting a send")
