"""Async receivers, driven step by step.

Concurrent async receivers may share one `contextvars.Context` (they do on Django
6.1), so that a context variable alone can't tell which of them is running. What
can: set the position just before each step of a receiver's coroutine, and take it
back right after.
"""

from __future__ import annotations

import asyncio
import inspect
import types
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

from signal_trace import causes, recording
from signal_trace.errors import describe_error
from signal_trace.names import ReceiverName, receiver_name
from signal_trace.recording import (
    AsyncCallRecord,
    SendRecord,
    position,
    report_bug,
)


class AsyncReceivers(list[Any]):
    """A send's async receivers, for its dispatch to iterate: the first time to call
    each, and then, with all of them called, to pair each with its response.

    Who looks at the locals of Django's frame before, as error reports do, gets the
    watched ones too.
    """

    __slots__ = ("_watched",)

    def __init__(self, send: SendRecord, receivers: list[Any], taken: int) -> None:
        """*taken* is how many of the send's calls have their numbers already."""
        super().__init__(receivers)
        first = send.number + 1 + taken
        self._watched = [
            AsyncReceiver(send, receiver, number)
            for number, receiver in enumerate(receivers, first)
        ]

    def __iter__(self) -> Iterator[Any]:
        if any(one.was_called for one in self._watched) or not self._watched:
            return super().__iter__()
        return iter(self._watched)

    def never_called(self) -> list[ReceiverName]:
        """The receivers that Django has not called."""
        return [
            receiver_name(one.receiver) for one in self._watched if not one.was_called
        ]

    def release(self) -> None:
        """Hold nothing of the recording any more."""
        for one in self._watched:
            one.send = None
        self._watched = []


class AsyncReceiver:
    """Stands for an async receiver where Django calls it."""

    __slots__ = ("number", "receiver", "send", "was_called")

    def __init__(self, send: SendRecord, receiver: Any, number: int) -> None:
        # Until the send ends.
        self.send: SendRecord | None = send
        self.receiver = receiver
        self.number = number
        self.was_called = False

    def __call__(self, **named: Any) -> Any:
        __traceback_hide__ = True
        self.was_called = True
        run = self._begin()
        if run is None:
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

    def _begin(self) -> AsyncCall | None:
        try:
            send = self.send
            if send is None:
                return None
            call = AsyncCallRecord(self.number, receiver_name(self.receiver))
            send.async_calls = [*send.async_calls, call]
            return AsyncCall(send, call)
        except Exception:
            report_bug("beginning an async call")
            return None


async def _wait_for(awaitable: Awaitable[Any]) -> Any:
    __traceback_hide__ = True
    return await awaitable


class AsyncCall(Coroutine[Any, Any, Any]):
    """A call of an async receiver: its own coroutine, with the call's position put
    in place for each step. Any other attribute is the coroutine's."""

    __slots__ = ("_of", "awaitable", "coroutine", "here")

    def __init__(self, send: SendRecord, call: AsyncCallRecord) -> None:
        # Until it ends.
        self._of: tuple[AsyncCallRecord, SendRecord] | tuple[None, None] = call, send
        self.here = call.number
        self.awaitable: Any = None
        self.coroutine: Any = None

    def step(self, resume: Callable[..., Any], /, *args: Any, **named: Any) -> Any:
        """Run *resume* with this call's position in place."""
        __traceback_hide__ = True
        token = position.set(self.here)
        begun = recording.clock()
        try:
            result = resume(*args, **named)
        except BaseException as error:
            self._ran_since(begun)
            self.end(None if isinstance(error, StopIteration) else error)
            raise
        else:
            self._ran_since(begun)
            return result
        finally:
            del args  # An exception that is thrown in refers to this frame.
            self.here = position.get()
            position.reset(token)

    def _ran_since(self, begun: int) -> None:
        call = self._of[0]
        if call is not None:
            call.running += recording.clock() - begun

    def send(self, value: Any) -> Any:
        __traceback_hide__ = True
        if self.coroutine is None:
            self._start()
        return self.step(self.coroutine.send, value)

    def throw(self, *error: Any) -> Any:
        __traceback_hide__ = True
        if self.coroutine is None:
            self._start()
        try:
            return self.step(self.coroutine.throw, *error)
        finally:
            del error  # It refers to this frame.

    def close(self) -> None:
        if self.coroutine is None:
            self._start()
        self.step(self.coroutine.close)
        self._drop()

    def __del__(self) -> None:
        self._drop()

    def _drop(self) -> None:
        """It was thrown away: where it hasn't ended, it never will."""
        call, _ = self._of
        if call is not None:
            call.was_dropped = True
            causes.receivers.pop(call.number, None)

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
            call = self._of[0]
            if call is not None:
                call.start, call.running = recording.clock(), 0
                if type(self.awaitable) is types.CoroutineType:
                    causes.receivers[call.number] = weakref.ref(self.awaitable)
        else:
            self.coroutine = _wait_for(self.awaitable)

    def end_with(self, future: asyncio.Future[Any]) -> None:
        """End with what *future* ended with."""
        # To ask a future for its exception would change it: that of one that was
        # cancelled can be had once, and one that failed counts as dealt with.
        if future.cancelled():
            self.end(asyncio.CancelledError())
        else:
            self.end(getattr(future, "_exception", None))

    def end(self, error: BaseException | None) -> None:
        """End by returning, or by raising *error*."""
        now = recording.clock()
        # Whoever keeps the exception keeps this object.
        (call, send), self._of = self._of, (None, None)
        if call is None or send is None:
            return
        call.end = now
        causes.receivers.pop(call.number, None)
        try:
            if error is not None:
                call.error = describe_error(error)
                send.async_errors = [*send.async_errors, id(error)]
        except Exception:
            report_bug("ending an async call")
