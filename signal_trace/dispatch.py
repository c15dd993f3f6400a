"""Watches Django's dispatcher; the only module that knows how Django dispatches.

Django's own code runs, on every version, and is watched in three places: the four
send methods (a send's beginning and end), ``_live_receivers`` (who is about to
run) and ``_log_robust_failure`` (what a robust send caught). The lists that
``_live_receivers`` returns to a send are replaced by lists that notice being
iterated, so that the dispatch loop is its own stopwatch: nothing stands between
Django and a synchronous receiver. The one exception is a send that Django would
return from at once, because nobody is to hear it: see `_is_unreceived`.

Read of Django 5.2.19, 6.0.10 and 6.1.3 (``django/dispatch/dispatcher.py``).
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

import django
from django.dispatch import Signal
from django.dispatch.dispatcher import NO_RECEIVERS

from signal_trace.async_calls import AsyncReceiver
from signal_trace.patches import Function, Patches
from signal_trace.recording import (
    SIGNAL_ID,
    WINDOW_BITS,
    position,
    report_bug,
    waiting,
    windows,
)
from signal_trace.send_kinds import known as known_kinds
from signal_trace.sends import (
    begin_send,
    count_unreceived,
    end_send,
    fail_call,
    hear_send,
)

current = position.get
waiting_send = waiting.get

_plain_hash: Any = object.__hash__


def _is_djangos(function: Function) -> bool:
    """Whether *function* is Django's own, of a version that is known."""
    code = getattr(function, "__code__", None)
    return (
        django.VERSION < (6, 2)
        and isinstance(code, types.CodeType)
        and code.co_filename == Signal.__init__.__code__.co_filename
    )


def _is_unreceived(here: int, signal: Signal, sender: Any) -> bool:
    """Whether Django is about to return at once, as it does where nobody will hear a
    send: that send is counted then, and done with.

    To have Django do it as well would cost as much again as all of this, only for
    handing keywords on. What it looks at is the same in every version that is known.
    """
    try:
        if signal.receivers and not (
            signal.use_caching
            and type(sender).__hash__ is _plain_hash  # No code of the application.
            and signal.sender_receivers_cache.get(sender) is NO_RECEIVERS
        ):
            return False
    except Exception:
        return False  # It is for Django to raise.
    try:
        outer = waiting_send()
        if not outer or not outer[SIGNAL_ID]:
            window = windows[here >> WINDOW_BITS]
            window.unreceived[known_kinds[id(signal)].values[id(sender)]] += 1
            return True
    except KeyError:
        pass
    count_unreceived(here, signal, sender)
    return True


def _watched_send(original: Function, method: str) -> Function:
    is_djangos = _is_djangos(original)

    @functools.wraps(original)
    def send(self: Signal, sender: Any, **named: Any) -> Any:
        __traceback_hide__ = True
        here = current()
        if not here:
            return original(self, sender, **named)
        if is_djangos and _is_unreceived(here, self, sender):
            return []
        _watch_overrides(type(self))
        pending = begin_send(here, self, sender, method, named)
        if pending is None:
            return original(self, sender, **named)
        try:
            responses = original(self, sender, **named)
        except BaseException as error:
            end_send(pending, self, sender, error)
            raise
        end_send(pending, self, sender, None)
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
        if is_djangos and _is_unreceived(here, self, sender):
            return []
        _watch_overrides(type(self))
        pending = begin_send(here, self, sender, method, named)
        if pending is None:
            return await original(self, sender, **named)
        try:
            responses = await original(self, sender, **named)
        except BaseException as error:
            end_send(pending, self, sender, error)
            raise
        end_send(pending, self, sender, None)
        return responses

    return asend


def _watched_live_receivers(original: Function) -> Function:
    @functools.wraps(original)
    def _live_receivers(self: Signal, sender: Any) -> Any:
        pending = waiting_send()
        if not pending or pending[SIGNAL_ID] != id(self):
            # has_listeners asks too, and layers of ours below the outermost.
            return original(self, sender)
        pending[SIGNAL_ID] = 0
        found = original(self, sender)
        try:
            sync_receivers, async_receivers = found
            if sync_receivers or async_receivers:
                found = hear_send(pending, self, sender, *found) or found
        except Exception:
            report_bug("watching receivers")
        return found

    return _live_receivers


def _watched_has_listeners(original: Function) -> Function:
    @functools.wraps(original)
    def has_listeners(self: Signal, *args: Any, **kwargs: Any) -> Any:
        pending = waiting_send()
        if not pending or pending[SIGNAL_ID] != id(self):
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
            fail_call(self, receiver, err)
        except Exception:
            report_bug("recording a failure")
        return original(self, receiver, err)

    return _log_robust_failure


_OVERRIDES = {
    "_live_receivers": _watched_live_receivers,
    "_log_robust_failure": _watched_log_robust_failure,
}
# All of ours are closures of these codes, which no wrapper of others' copies.
_CODES = {
    name: wrap(Signal.has_listeners).__code__ for name, wrap in _OVERRIDES.items()
}
# The last two of ours that a send found in their places: nearly always they still are.
_found: tuple[Any, Any] = (None, None)


def _watch_overrides(cls: Any) -> None:
    """See to it that we are the first whom a send of *cls* asks for its receivers and
    tells of failures.

    A subclass of Signal may override the methods, and others may patch them after
    us: then they would iterate our lists, and be told of our receivers.
    """
    global _found
    live_receivers, log_robust_failure = _found
    if (
        cls._live_receivers is live_receivers
        and cls._log_robust_failure is log_robust_failure
    ):
        return
    found = tuple(getattr(cls, name) for name in _CODES)
    codes = [getattr(one, "__code__", None) for one in found]
    if all(code is ours for code, ours in zip(codes, _CODES.values(), strict=True)):
        _found = found
        return
    try:
        for name, wrap in _OVERRIDES.items():
            base = next(base for base in cls.__mro__ if name in base.__dict__)
            patches.ensure(base, name, wrap)
    except Exception:
        report_bug("watching a subclass of Signal")


def _methods() -> Iterator[tuple[type, str, Callable[[Function], Function]]]:
    for name in ("send", "send_robust"):
        yield Signal, name, functools.partial(_watched_send, method=name)
    for name in ("asend", "asend_robust"):
        yield Signal, name, functools.partial(_watched_asend, method=name)
    yield Signal, "has_listeners", _watched_has_listeners
    for name, wrap in _OVERRIDES.items():
        yield Signal, name, wrap


patches = Patches(_methods())


def notify_after(signal: Signal, note: Callable[[Any], None]) -> None:
    """Call *note* with the sender after each `send` of this one *signal*, from now on
    and once, however often this is asked for. Other ways of sending it are left alone.

    A receiver would not do: others run after it, and `has_listeners` would see it.
    """
    there: Callable[..., Any] | None = vars(signal).get("send")
    if getattr(there, "notes", None) is note:
        return

    def send(sender: Any, **named: Any) -> Any:
        __traceback_hide__ = True
        try:
            if there is not None:  # Somebody else's.
                return there(sender, **named)
            # The class's own, or what stands in its place by now.
            return type(signal).send(signal, sender, **named)
        finally:
            note(sender)

    send.notes = note  # type: ignore[attr-defined]
    signal.send = send  # type: ignore[method-assign]
