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
import types
from collections.abc import Callable, Iterator
from typing import Any

import django
from django.dispatch import Signal

from signal_trace import recording
from signal_trace.async_calls import AsyncReceiver, AsyncReceivers
from signal_trace.errors import describe_error
from signal_trace.names import receiver_name, sender_name
from signal_trace.patches import Function, Patches
from signal_trace.recording import (
    HEARD,
    OUTER,
    PARENT,
    RAISED,
    SEND_BITS,
    SENDER_ID,
    SIGNAL_ID,
    PendingSend,
    SendRecord,
    position,
    report_bug,
    waiting,
    window_at,
)
from signal_trace.send_kinds import known as known_kinds
from signal_trace.send_kinds import send_kind
from signal_trace.sync_calls import SyncReceivers

current = position.get
set_position = position.set
waiting_send = waiting.get
set_waiting = waiting.set

# The robust sends that are under way, by number: they are told of failures.
_robust: dict[int, SendRecord] = {}


def _is_of(pending: PendingSend, signal: Signal, sender: Any) -> bool:
    """Whether *pending* still waits, and is a send of *signal* by *sender*."""
    waits_for = pending[SIGNAL_ID], pending[SENDER_ID]
    return waits_for == (id(signal), id(sender))


def _begin_send(
    here: int, signal: Signal, sender: Any, method: str
) -> PendingSend | None:
    """Begin a send that waits for its receivers; None where it is not to be."""
    try:
        outer = waiting_send()
        if outer is not None:
            if not outer[SIGNAL_ID]:
                outer = None  # It waits no more.
            elif _is_of(outer, signal, sender):
                return None  # A layer of ours above this one has begun it.
        _watch_overrides(type(signal))
        begun = recording.clock()
        pending = [id(signal), id(sender), here, method, begun, None, outer]
        set_waiting(pending)
    except Exception:
        report_bug("beginning a send")
        return None
    return pending


def _keep_send(pending: PendingSend, signal: Signal, sender: Any) -> SendRecord | None:
    """Record a send that is heard; None where the recording has ended."""
    window = window_at(pending[PARENT])
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
    send = SendRecord(number, id(signal), kind, name, pending)
    pending[HEARD] = send
    window.sends.append(send)
    if "robust" in send.method:
        _robust[send.number >> SEND_BITS] = send
    return send


def _end_send(
    pending: PendingSend, signal: Signal, sender: Any, error: BaseException | None
) -> None:
    """Close a send, which returned or raised *error*."""
    try:
        now = recording.clock()
        send = pending[HEARD]
        # Whoever keeps the exception keeps the frame that has the pending send.
        pending[SIGNAL_ID] = 0
        pending[HEARD] = None
        if pending[OUTER] is not None:
            set_waiting(pending[OUTER])
        if send is None:
            if error is None:
                _count_unreceived(pending[PARENT], signal, sender)
                return
            send = _keep_send(pending, signal, sender)  # Finding them failed.
            if send is None:
                return
            pending[HEARD] = None
        if error is None:
            send.end = now
        elif isinstance(error, GeneratorExit):
            send.was_dropped = True  # It never finished.
        else:
            send.end = now
            _blame(send, error)
            send.error = describe_error(error)
        send.release()
        _robust.pop(send.number >> SEND_BITS, None)
    except Exception:
        report_bug("ending a send")


def _blame(send: SendRecord, error: BaseException) -> None:
    """Tie *error* to the receiver that raised it, and note who never ran for it."""
    for place, (end, known) in send.failures.items():
        if known is RAISED and id(error) not in send.async_errors:
            send.fail_call(place, end, describe_error(error))
    for receivers in send.receivers:
        if type(receivers) is AsyncReceivers:
            send.never_ran = [*send.never_ran, *receivers.never_called()]


def _count_unreceived(here: int, signal: Signal, sender: Any) -> None:
    """Count a send from *here* that nobody heard."""
    try:
        outer = waiting_send()
        if (
            outer is not None
            and outer[SIGNAL_ID] == id(signal)
            and outer[SENDER_ID] == id(sender)
        ):
            return  # A layer of ours above this one will count it.
        window = window_at(here)
        if window is None:
            set_position(0)
        else:
            window.unreceived[send_kind(signal, sender)] += 1
    except Exception:
        report_bug("counting a send")


def _is_djangos(function: Function) -> bool:
    """Whether *function* is Django's own, of a version that is known."""
    code = getattr(function, "__code__", None)
    return (
        django.VERSION < (6, 2)
        and isinstance(code, types.CodeType)
        and code.co_filename == Signal.__init__.__code__.co_filename
    )


def _watched_send(original: Function, method: str) -> Function:
    is_djangos = _is_djangos(original)

    @functools.wraps(original)
    def send(self: Signal, sender: Any, **named: Any) -> Any:
        __traceback_hide__ = True
        here = current()
        if not here:
            return original(self, sender, **named)
        if is_djangos and not self.receivers:
            # Django returns at once. To have it do so would cost more than twice
            # what the send costs, only for handing its keywords on.
            _count_unreceived(here, self, sender)
            return []
        pending = _begin_send(here, self, sender, method)
        if pending is None:
            return original(self, sender, **named)
        try:
            responses = original(self, sender, **named)
        except BaseException as error:
            _end_send(pending, self, sender, error)
            raise
        _end_send(pending, self, sender, None)
        return responses

    return send


def _watched_asend(original: Function, method: str) -> Function:
    is_djangos = _is_djangos(original)

    @functools.wraps(original)
    async def asend(self: Signal, sender: Any, **named: Any) -> Any:
        __traceback_hide__ = True
        here = current()
        if not here:
            return await original(self, sender, **named)
        if is_djangos and not self.receivers:
            # Django returns at once. To have it do so would cost more than twice
            # what the send costs, only for handing its keywords on.
            _count_unreceived(here, self, sender)
            return []
        pending = _begin_send(here, self, sender, method)
        if pending is None:
            return await original(self, sender, **named)
        try:
            responses = await original(self, sender, **named)
        except BaseException as error:
            _end_send(pending, self, sender, error)
            raise
        _end_send(pending, self, sender, None)
        return responses

    return asend


def _watched_live_receivers(original: Function) -> Function:
    @functools.wraps(original)
    def _live_receivers(self: Signal, sender: Any) -> Any:
        pending = waiting_send()
        if pending is None or pending[SIGNAL_ID] != id(self):
            # has_listeners asks too, and layers of ours below the outermost.
            return original(self, sender)
        pending[SIGNAL_ID] = 0
        sync_receivers, async_receivers = found = original(self, sender)
        try:
            if sync_receivers or async_receivers:
                send = _keep_send(pending, self, sender)
                if send is not None:
                    return _watch(send, sync_receivers, async_receivers)
        except Exception:
            report_bug("watching receivers")
        return found

    return _live_receivers


def _watch(
    send: SendRecord, sync_receivers: list[Any], async_receivers: list[Any]
) -> tuple[list[Any], list[Any]]:
    if not async_receivers:
        watched = SyncReceivers(send, sync_receivers)
        send.receivers = (watched,)
        return watched, async_receivers
    watched_async = AsyncReceivers(send, async_receivers, len(sync_receivers))
    if not sync_receivers:
        send.receivers = (watched_async,)
        return sync_receivers, watched_async
    watched = SyncReceivers(send, sync_receivers)
    send.receivers = watched, watched_async
    return send.receivers


def _watched_has_listeners(original: Function) -> Function:
    @functools.wraps(original)
    def has_listeners(self: Signal, *args: Any, **kwargs: Any) -> Any:
        pending = waiting_send()
        if pending is None or pending[SIGNAL_ID] != id(self):
            return original(self, *args, **kwargs)
        # Somebody asks between a send's beginning and its dispatch loop. They are
        # not to be given the receivers that the loop is waiting for.
        pending[SIGNAL_ID] = 0
        try:
            return original(self, *args, **kwargs)
        finally:
            pending[SIGNAL_ID] = id(self)

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
    end = recording.clock()
    here = current()
    send = _robust.get(here >> SEND_BITS)
    if send is not None and send.signal_id == id(signal):
        place = here - send.number - 1
        if send.calls[3 * place].name == receiver_name(receiver).name:
            send.fail_call(place, end, describe_error(error))
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
