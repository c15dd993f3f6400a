"""The way in: `record` opens a recording, and hands on its Trace."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from signal_trace import conf, watching
from signal_trace.ended import Ended, blind_window
from signal_trace.errors import describe_error
from signal_trace.folding import close
from signal_trace.names import receiver_name
from signal_trace.outer_span import note_span
from signal_trace.recording import Window, position, report_bug
from signal_trace.trace import Trace

F = TypeVar("F", bound=Callable[..., Any])


class Recording:
    """One recording: open inside its ``with`` block, a `Trace` after it.

    As a decorator it opens a new recording for each call of the function, and its
    trace is that of the call which ended last.
    """

    def __init__(self, name: str, kind: str, attributes: dict[str, Any]) -> None:
        self.name = name
        self.kind = kind
        #: Plain values that describe what is recorded; may be added to until the
        #: block ends. What JSON has no form for is given by the name of its type.
        self.attributes = attributes
        #: The trace's id; empty until the block has begun.
        self.id = ""
        self._window: Window | None = None
        self._token: Any = None
        self._stop_watching: Callable[[], None] = _nothing
        self._ended: Ended | None = None

    @property
    def trace(self) -> Trace:
        """What was recorded; raises RuntimeError until the block has ended.

        It is put together when first asked for, and the same one from then on.
        """
        if self._ended is None:
            raise RuntimeError("The recording has no trace until its block has ended.")
        return self._ended.trace

    @property
    def duration_ns(self) -> int:
        """How long it was open; 0 until the block has ended."""
        return 0 if self._ended is None else self._ended.duration_ns

    @property
    def may_have_failed(self) -> bool:
        """False where the block has ended, and nothing raised that was recorded."""
        return self._ended is None or self._ended.may_have_failed

    @property
    def size(self) -> int:
        """How many sends it holds one by one; raises RuntimeError until the block has
        ended."""
        if self._ended is None:
            raise RuntimeError("The recording has no size until its block has ended.")
        return self._ended.size

    def __enter__(self) -> Self:
        if self._window is not None or self._ended is not None:
            raise RuntimeError(
                "A recording can be opened once; call signal_trace.record() again."
            )
        try:
            self._open()
        except Exception:
            report_bug("opening a recording")
            self._window = blind_window()
            self.id = self._window.id
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(error)
        self.want()

    def close(self, error: BaseException | None) -> None:
        """End the block, by *error* if there is one. Once is enough."""
        window, self._window = self._window, None
        if window is None:
            return
        try:
            self._close(window)
            note_span(self.attributes)  # One that began inside, and goes on.
            self._ended = self._end(window, error, self.attributes)
        except Exception:
            report_bug("closing a recording")
            # Whatever failed, the application is not to hear of it.
            self._ended = self._end(blind_window(), None, {})

    def want(self) -> None:
        """Once the block has ended, and somebody may ask for the trace: take down what
        it will need and what may have changed by then."""
        try:
            if self._ended is not None:
                self._ended.read_connections()
        except Exception:
            report_bug("reading connections")

    def __del__(self) -> None:
        # Never closed, and nobody is left who could ask for the trace.
        window, self._window = self._window, None
        if window is not None and self._token is not None:
            # Not folded: the garbage collector may have come in the middle of that.
            outer = window.close()
            if outer is not None:
                outer.take_over(window)
            self._stop_watching()

    def _open(self) -> None:
        settings = conf.settings()
        self._stop_watching = watching.begin(queries=settings.QUERIES)
        try:
            self._window = Window(
                settings.MAX_SENDS, settings.ignores, settings.captures
            )
        except Exception:
            self._stop_watching()
            raise
        self.id = self._window.id
        self._token = position.set(self._window.number)
        note_span(self.attributes)

    def _close(self, window: Window) -> None:
        token, self._token = self._token, None
        try:
            close(window)
        finally:
            if token is not None:  # Else it was never opened rightly.
                self._stop_watching()
                if position.get() == window.number:
                    # In another context, with a copy of the position, the token is of
                    # no use, and the position is left alone: it leads nowhere any more.
                    with contextlib.suppress(ValueError):
                        position.reset(token)

    def _end(
        self, window: Window, error: BaseException | None, attributes: dict[str, Any]
    ) -> Ended:
        return Ended(
            window,
            conf.settings(),
            kind=self.kind,
            name=self.name,
            attributes=attributes,
            error=None if error is None else describe_error(error),
        )

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: F) -> F:
        """Record each call of *function*, a plain or a coroutine function.

        Raises TypeError for a generator function, whose body runs between the
        lines of whoever iterates it.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(
            function
        ):
            raise TypeError(
                "record() can't decorate the generator function"
                f" {receiver_name(function).name}: put a `with record():` block around"
                " the loop that iterates it."
            )

        def again() -> Recording:
            return Recording(self.name, self.kind, dict(self.attributes))

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def recorded_async(*args: Any, **kwargs: Any) -> Any:
                recording = again()
                try:
                    with recording:
                        return await function(*args, **kwargs)
                finally:
                    self._ended = recording._ended

            return recorded_async  # type: ignore[return-value]

        @functools.wraps(function)
        def recorded(*args: Any, **kwargs: Any) -> Any:
            recording = again()
            try:
                with recording:
                    return function(*args, **kwargs)
            finally:
                self._ended = recording._ended

        return recorded  # type: ignore[return-value]


def _nothing() -> None:
    """Nothing is watched yet."""


def record(name: str = "", *, kind: str = "block", **attributes: Any) -> Recording:
    """Record the signals sent in a ``with`` or ``async with`` block, or by a function.

    *name* and *kind* say what is recorded, *attributes* whatever else is worth
    knowing of it. The block is given the `Recording`, whose ``trace`` is the
    `Trace` once the block has ended. An exception passes through untouched, and is
    noted on the trace as its ``error``.

        with signal_trace.record("checkout") as recording:
            checkout(order)
        print(recording.trace.export("text"))

    Recordings nest: one inside another has the trace of its own block, with an id
    of its own and the outer one's in ``attributes["outer"]``, while the outer one
    sees everything.

    Raises TypeError where *name* or *kind* is no string.
    """
    if type(name) is not str or type(kind) is not str:
        raise TypeError(
            f"record() takes strings as name and kind, and was given"
            f" {type(name).__name__} and {type(kind).__name__}. A decorator is written"
            f" @record(), with parentheses."
        )
    return Recording(name, kind, attributes)
