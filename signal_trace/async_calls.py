"""Async receivers, driven step by step.

Concurrent async receivers may share one `contextvars.Context` (they do on Django
6.1), so that a context variable alone can't tell which of them is running. What
can: set the position just before each step of a receiver's coroutine, and take it
back right after.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

from signal_trace import recording
from signal_trace.errors import describe_error
from signal_trace.names import ReceiverName, receiver_name
from signal_trace.recording import (
    END,
    ERROR,
    SEND,
    START,
    CallRecord,
    SendRecord,
    position,
    report_bug,
)


class AsyncReceivers(list[Any]):
    """A send's async receivers. Django iterates them twice: to call each, and to
    pair each with its response; only the first time are they to be watched."""

    __slots__ = ("send", "watched")

    def __init__(self, send: SendRecord, receivers: list[Any]) -> None:
        super().__init__(receivers)
        self.send = send
        self.watched: list[AsyncReceiver] | None = None

    def __iter__(self) -> Iterator[Any]:
        receivers = list.__iter__(self)
        if self.watched is not None:
            return receivers
        self.watched = [AsyncReceiver(self.send, receiver) for receiver in receivers]
        return iter(self.watched)

    def never_called(self) -> list[ReceiverName]:
        """The receivers that Django has not called."""
        if self.watched is None:
            return [receiver_name(receiver) for receiver in list.__iter__(self)]
        return [
            receiver_name(one.receiver) for one in self.watched if not one.was_called
        ]


class AsyncReceiver:
    """Stands for an async receiver where Django calls it."""

    __slots__ = ("receiver", "send", "was_called")

    def __init__(self, send: SendRecord, receiver: Any) -> None:
        self.send = send
        self.receiver = receiver
        self.was_called = False

    def __call__(self, **named: Any) -> Any:
        __traceback_hide__ = True
        self.was_called = True
        if not self.send.parent:
            return self.receiver(**named)  # The recording has ended meanwhile.
        try:
            run = AsyncCall(self._begin_call())
        except Exception:
            report_bug("beginning an async call")
            return self.receiver(**named)
        awaitable = run.step(self.receiver, **named)
        if asyncio.isfuture(awaitable):
            # It runs by itself already, and Django may want this very object.
            awaitable.add_done_callback(run.end_with)
            return awaitable
        if not inspect.isawaitable(awaitable):
            run.end(None)
            return awaitable  # Django will say what it thinks of that.
        run.awaitable = awaitable
        return run

    def _begin_call(self) -> CallRecord:
        send = self.send
        name = receiver_name(self.receiver)
        call = [send.window, send, name, recording.clock(), None, None, True]
        send.calls.append(call)
        return call


async def _wait_for(awaitable: Awaitable[Any]) -> Any:
    __traceback_hide__ = True
    return await awaitable


class AsyncCall(Coroutine[Any, Any, Any]):
    """A call of an async receiver: its own coroutine, with the call's position put
    in place for each step. Any other attribute is the coroutine's."""

    __slots__ = ("awaitable", "call", "coroutine", "here")

    def __init__(self, call: CallRecord) -> None:
        self.call = call
        self.here: Any = call
        self.awaitable: Any = None
        self.coroutine: Any = None

    def step(self, resume: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Run *resume* with this call's position in place."""
        __traceback_hide__ = True
        if not self.here:
            return resume(*args, **named)
        token = position.set(self.here)
        try:
            return resume(*args, **named)
        except BaseException as error:
            self.end(None if isinstance(error, StopIteration) else error)
            raise
        finally:
            self.here = position.get()
            position.reset(token)

    def send(self, value: Any) -> Any:
        __traceback_hide__ = True
        if self.coroutine is None:
            self._start()
        return self.step(self.coroutine.send, value)

    def throw(self, *error: Any) -> Any:
        __traceback_hide__ = True
        if self.coroutine is None:
            self._start()
        return self.step(self.coroutine.throw, *error)

    def close(self) -> None:
        if self.coroutine is None:
            self._start()
        self.step(self.coroutine.close)

    def __await__(self) -> AsyncCall:
        return self

    def __iter__(self) -> AsyncCall:
        return self

    def __next__(self) -> Any:
        __traceback_hide__ = True
        return self.send(None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.awaitable, name)

    def _start(self) -> None:
        """Begin, which is when the body of a coroutine function begins to run."""
        if isinstance(self.awaitable, Coroutine):
            self.coroutine = self.awaitable
            if self.call:
                # Another thread may end the recording, which empties the call.
                with contextlib.suppress(IndexError):
                    self.call[START] = recording.clock()
        else:
            self.coroutine = _wait_for(self.awaitable)

    def end_with(self, future: asyncio.Future[Any]) -> None:
        """End with what *future* ended with."""
        error: BaseException | None
        try:
            error = future.exception()
        except asyncio.CancelledError as cancelled:
            error = cancelled
        self.end(error)

    def end(self, error: BaseException | None) -> None:
        """End by returning, or by raising *error*."""
        call = self.call
        if not call:
            return
        try:
            call[END] = recording.clock()
            if error is not None:
                call[ERROR] = describe_error(error)
                send = call[SEND]
                send.async_errors = [*send.async_errors, id(error)]
        except Exception:
            if call:
                report_bug("ending an async call")
