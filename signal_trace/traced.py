"""What is recorded and then sent, if it is to be kept: of every entrance but the
panel's and `record`."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from types import TracebackType
from typing import Literal, Self

from django.http import HttpRequest, HttpResponseBase

from signal_trace import choosing, sinks
from signal_trace.choosing import Choice
from signal_trace.entrance import Recording, record
from signal_trace.outer_span import note_span
from signal_trace.recording import report_bug
from signal_trace.requests import is_toolbars_own, note_response

TRACE_ID_HEADER = "X-Signal-Trace-Id"


class Traced:
    """A recording of its own, by a *choice*, which ends where it is told to, or with a
    ``with`` block."""

    def __init__(self, recording: Recording, choice: Choice) -> None:
        self._recording: Recording | None = recording
        self._choice = choice
        self._outer: Traced | None = None

    def open(self) -> Self:
        """Begin."""
        if self._recording is not None:
            self._recording.__enter__()
        self._outer = innermost()
        _innermost.set(self)
        return self

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end(error)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._recording is None

    @property
    def shown_id(self) -> str | None:
        """The id that a response names; None where there will be no trace."""
        if self._recording is None or not self._choice.wanted:
            return None
        return self._recording.id if sinks.are_any() else None

    def note(self, **attributes: object) -> None:
        """Note what is known by now; it is of no use once this has ended."""
        if self._recording is not None:
            self._recording.attributes |= attributes

    def note_span(self) -> None:
        """Note the OpenTelemetry span that is current, where none is noted yet."""
        if self._recording is not None:
            note_span(self._recording.attributes)

    def note_answer(
        self, request: HttpRequest, response: HttpResponseBase | None
    ) -> None:
        """Note what is known of *request*, now that Django has answered it."""
        try:
            if self._recording is None:
                return
            if is_toolbars_own(request):
                self._choice.wanted = False
            if response is not None:
                note_response(self._recording, request, response)
            choosing.settle(self._choice, request)
        except Exception:
            report_bug("noting an answer")

    def drop(self) -> None:
        """End, and send nothing."""
        self._choice.wanted = False
        self.end()

    def end(self, error: BaseException | None = None) -> None:
        """End, by *error* if there is one, and send the trace if it is to be kept. Once
        is enough; nothing is raised."""
        recording, self._recording = self._recording, None
        if recording is None:
            return
        try:
            if _innermost.get() is self:
                _innermost.set(self._outer)
            if isinstance(error, SystemExit) and not error.code:
                error = None  # As a command ends that has done its work.
            recording.close(error)
            keep = self._choice.keep
            if not self._choice.wanted or not sinks.are_any():
                return
            sure = True if keep is None else keep.at_once(recording)
            if sure is not False:
                recording.want()
                sinks.submit(recording, None if sure else keep)
        except Exception:
            report_bug("ending a trace")


def begin(
    kind: str, name: str, choice: Choice | None, **attributes: object
) -> Traced | AbstractContextManager[None]:
    """What is to be traced in a ``with`` block; with no *choice*, nothing is."""
    if choice is None:
        return nullcontext()
    return Traced(record(name, kind=kind, **attributes), choice)


def innermost() -> Traced | None:
    """What was opened last in this context, and hasn't ended."""
    traced = _innermost.get()
    while traced is not None and traced.is_over:
        traced = traced._outer
    return traced


# A context that was copied keeps what was open then, which is next to nothing once it
# is over.
_innermost: ContextVar[Traced | None] = ContextVar(
    "signal_trace.innermost", default=None
)

#: What an entrance around Django has decided over the request that is about to reach
#: the middleware: it is for the middleware to add to, and not to decide again.
around: ContextVar[Traced | Literal["not traced"] | None] = ContextVar(
    "signal_trace.around", default=None
)
