"""Watches Django's dispatcher; the only module that knows how Django dispatches.

Django's own code runs, on every version, and is watched in three places: the four
send methods (a send's beginning and end), ``_live_receivers`` (who is about to
run) and ``_log_robust_failure`` (what a robust send caught). The lists that
``_live_receivers`` returns to a send are replaced by lists that notice being
iterated, so that the dispatch loop is its own stopwatch: nothing stands between
Django and a synchronous receiver.

Read of Django 5.2.19, 6.0.10 and 6.1.3 (``django/dispatch/dispatcher.py``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from django.dispatch import Signal

from signal_trace import recording
from signal_trace.async_calls import AsyncReceiver, AsyncReceivers
from signal_trace.errors import describe_error
from signal_trace.names import (
    receiver_name,
    sender_kind,
    sender_name,
)
from signal_trace.patches import Function, Patches
from signal_trace.recording import (
    END,
    ERROR,
    RAISED,
    RECEIVER,
    SEND,
    WINDOW,
    CallRecord,
    SendRecord,
    position,
    report_bug,
)
from signal_trace.signal_names import SignalName, signal_name
from signal_trace.sync_calls import SyncReceivers

current = position.get
set_position = position.set


def _begin_send(signal: Signal, sender: Any, method: str) -> SendRecord | None:
    """Open a send that waits for its receivers; None where it is not to be."""
    here = current()
    if _waits(here, signal):
        return None  # A layer of ours above this one has begun it.
    parent: Any = here.parent if type(here) is SendRecord else here
    try:
        if not signal.receivers:
            _count_unreceived(signal_name(signal), sender, parent)
            return None
        _watch_overrides(type(signal))
        send = SendRecord(id(signal), method, parent)
        set_position(send)
    except Exception:
        if parent:  # Else the recording has ended meanwhile, in another thread.
            report_bug("beginning a send")
        return None
    return send


def _keep_send(send: SendRecord, signal: Signal, sender: Any) -> None:
    send.was_heard = True
    send.signal = signal_name(signal)
    send.sender = sender_name(sender)
    send.window.sends.append(send)


def _end_send(
    send: SendRecord, signal: Signal, sender: Any, error: BaseException | None
) -> None:
    """Close a send, which returned or raised *error*."""
    try:
        now = recording.clock()
        if current() is send:
            set_position(send.parent)  # It never asked for its receivers.
        if not send.was_heard:
            if error is None:
                _count_unreceived(signal_name(signal), sender, send.parent)
                return
            _keep_send(send, signal, sender)  # Finding its receivers failed.
        if isinstance(error, GeneratorExit):
            send.async_receivers = None
            return  # A suspended coroutine was thrown away: it never finished.
        send.end = now
        if error is not None:
            _blame(send, error)
            send.error = describe_error(error)
        send.async_receivers = None
    except Exception:
        if send.parent:
            report_bug("ending a send")


def _blame(send: SendRecord, error: BaseException) -> None:
    """Tie *error* to the receiver that raised it, and note who never ran for it."""
    for call in send.calls:
        if call and call[ERROR] is RAISED and id(error) not in send.async_errors:
            call[ERROR] = describe_error(error)
    if send.async_receivers is not None:
        send.never_ran = [*send.never_ran, *send.async_receivers.never_called()]


def _count_unreceived(signal: SignalName, sender: Any, parent: CallRecord) -> None:
    if parent:
        counts = parent[WINDOW].unreceived
        key = signal, sender_kind(sender)
        counts[key] = counts.get(key, 0) + 1


def _waits(here: Any, signal: Signal) -> bool:
    """Whether *here* is a send of *signal* that waits for its receivers."""
    return type(here) is SendRecord and here.signal_id == id(signal)


def _watched_send(original: Function, method: str) -> Function:
    @functools.wraps(original)
    def send(self: Signal, sender: Any, **named: Any) -> Any:
        __traceback_hide__ = True
        if not current() or (record := _begin_send(self, sender, method)) is None:
            return original(self, sender, **named)
        try:
            responses = original(self, sender, **named)
        except BaseException as error:
            _end_send(record, self, sender, error)
            raise
        _end_send(record, self, sender, None)
        return responses

    return send


def _watched_asend(original: Function, method: str) -> Function:
    @functools.wraps(original)
    async def asend(self: Signal, sender: Any, **named: Any) -> Any:
        __traceback_hide__ = True
        if not current() or (record := _begin_send(self, sender, method)) is None:
            return await original(self, sender, **named)
        try:
            responses = await original(self, sender, **named)
        except BaseException as error:
            _end_send(record, self, sender, error)
            raise
        _end_send(record, self, sender, None)
        return responses

    return asend


def _watched_live_receivers(original: Function) -> Function:
    @functools.wraps(original)
    def _live_receivers(self: Signal, sender: Any) -> Any:
        send: Any = current()
        if not _waits(send, self):
            # has_listeners asks too, and layers of ours below the outermost.
            return original(self, sender)
        set_position(send.parent)
        sync_receivers, async_receivers = found = original(self, sender)
        try:
            if sync_receivers or async_receivers:
                _keep_send(send, self, sender)
                return _watch(send, sync_receivers, async_receivers)
        except Exception:
            report_bug("watching receivers")
        return found

    return _live_receivers


def _watch(
    send: SendRecord, sync_receivers: list[Any], async_receivers: list[Any]
) -> tuple[list[Any], list[Any]]:
    if sync_receivers:
        watched = SyncReceivers(sync_receivers)
        watched.send = send
        sync_receivers = watched
    if async_receivers:
        async_receivers = send.async_receivers = AsyncReceivers(send, async_receivers)
    return sync_receivers, async_receivers


def _watched_has_listeners(original: Function) -> Function:
    @functools.wraps(original)
    def has_listeners(self: Signal, *args: Any, **kwargs: Any) -> Any:
        send: Any = current()
        if not _waits(send, self):
            return original(self, *args, **kwargs)
        # Somebody asks between a send's beginning and its dispatch loop. They are
        # not to be given the receivers that the loop is waiting for.
        set_position(send.parent)
        try:
            return original(self, *args, **kwargs)
        finally:
            set_position(send)

    return has_listeners


def _watched_log_robust_failure(original: Function) -> Function:
    @functools.wraps(original)
    def _log_robust_failure(self: Signal, receiver: Any, err: BaseException) -> Any:
        if type(receiver) is AsyncReceiver:
            return original(self, receiver.receiver, err)
        try:
            _fail_call(self, receiver, err)
        except Exception:
            report_bug("recording a failure")
        return original(self, receiver, err)

    return _log_robust_failure


def _fail_call(signal: Signal, receiver: Any, error: BaseException) -> None:
    """End the call that runs, if it is *receiver*'s, by *error*: logging its failure
    is no longer its own time."""
    call: Any = current()
    send = call[SEND] if type(call) is list and call else None
    if (
        send is not None
        and send.signal_id == id(signal)
        and receiver_name(receiver).name == call[RECEIVER].name
    ):
        call[END] = recording.clock()
        call[ERROR] = describe_error(error)
        set_position(send.parent)


_OVERRIDES = {
    "_live_receivers": _watched_live_receivers,
    "_log_robust_failure": _watched_log_robust_failure,
}
# All of ours are closures of these codes, which no wrapper of others' copies.
_LIVE_RECEIVERS, _LOG_ROBUST_FAILURE = (
    wrap(Signal.has_listeners).__code__ for wrap in _OVERRIDES.values()
)


def _watch_overrides(cls: Any) -> None:
    """See to it that we are the first whom a send of *cls* asks for its receivers and
    tells of failures.

    A subclass of Signal may override the methods, and others may patch them after
    us: then they would iterate our lists, and be told of our receivers.
    """
    try:
        if (
            cls._live_receivers.__code__ is _LIVE_RECEIVERS
            and cls._log_robust_failure.__code__ is _LOG_ROBUST_FAILURE
        ):
            return
    except AttributeError:
        pass  # Something else than a function stands there.
    for name, wrap in _OVERRIDES.items():
        base = next(base for base in cls.__mro__ if name in base.__dict__)
        patches.ensure(base, name, wrap)


def _methods() -> Iterator[tuple[type, str, Callable[[Function], Function]]]:
    for name in ("send", "send_robust"):
        yield Signal, name, functools.partial(_watched_send, method=name)
    for name in ("asend", "asend_robust"):
        yield Signal, name, functools.partial(_watched_asend, method=name)
    yield Signal, "has_listeners", _watched_has_listeners
    for name, wrap in _OVERRIDES.items():
        yield Signal, name, wrap


patches = Patches(_methods())
