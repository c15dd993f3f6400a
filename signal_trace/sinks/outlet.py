"""Where traces leave by: the redactor and the sinks of one state of the settings."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from signal_trace.conf import Settings
from signal_trace.sinks.building import (
    Redactor,
    RedactorError,
    Sink,
    SinkError,
    build,
    build_redactor,
)
from signal_trace.sinks.losses import Losses
from signal_trace.trace import Trace

logger = logging.getLogger("signal_trace.sinks")


Note = Callable[[str], None]


def _tell_nobody(name: str) -> None:
    """Nobody asks who is at work."""


class Outlet:
    """The redactor and the sinks that *settings* name, built when first needed.

    A failure of one harms neither the others nor the application: the first is logged
    with its traceback, and more of them as their number.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._building = threading.RLock()
        self._sinks: list[Sink | SinkError] | None = None
        self._outputs: list[_Output] | None = None
        self._redactor: Redactor | None = None
        self._refused = _Failures("REDACT failed. Traces that went to no sink: %s.")
        self._ended = _Failures("A sink tried to end the process. Traces lost: %s.")

    def __bool__(self) -> bool:
        """Whether there is a sink at all."""
        return bool(self._settings.SINKS)

    def sinks(self, note: Note = _tell_nobody) -> list[Sink | SinkError]:
        """The sinks, each built once, or what keeps one from it. *note* is told which
        is built next."""
        with self._building:
            if self._sinks is None:
                built = []
                for given in self._settings.SINKS:
                    note(given["BACKEND"])
                    built.append(_build(given))
                self._sinks = built
            return self._sinks

    def prepare(self, note: Note = _tell_nobody) -> list[_Output]:
        """Build what isn't built yet. *note* is told which sink is built next."""
        with self._building:
            if self._outputs is None:
                self._outputs = self._prepare(note)
            return self._outputs

    def send(self, trace: Trace, note: Note = _tell_nobody) -> None:
        """Send *trace*, redacted, to every sink. *note* is told who has it next."""
        outputs = self.prepare(note)
        if not outputs:
            return
        note("REDACT")
        redacted = self._redact(trace)
        if redacted is None:
            return
        for output in outputs:
            note(output.path)
            output.send(redacted)

    def lose(self, error: BaseException) -> None:
        """Count what is no Exception, and in the background ends nothing."""
        self._ended.add()
        self._ended.say_due(error)

    def say_rest(self) -> None:
        """Log what was lost and has not been said."""
        outputs = [output.failures for output in self._outputs or ()]
        for failures in (self._refused, self._ended, *outputs):
            failures.say_rest()

    def _prepare(self, note: Note) -> list[_Output]:
        outputs = []
        built = self.sinks(note)
        for given, sink in zip(self._settings.SINKS, built, strict=True):
            if isinstance(sink, SinkError):
                logger.error("A sink is left out, and the others go on. %s", sink)
            else:
                outputs.append(_Output(given["BACKEND"], sink))
        try:
            self._redactor = build_redactor(self._settings.REDACT)
        except RedactorError as error:
            # What was to be taken out must not get out.
            logger.error("No trace is sent to any sink: REDACT %s", error)
            return []
        return outputs

    def _redact(self, trace: Trace) -> Trace | None:
        if self._redactor is None:
            return trace
        try:
            redacted = self._redactor(trace)
            if redacted is None or isinstance(redacted, Trace):
                return redacted
            raise TypeError(f"REDACT gave a {type(redacted).__name__} and no Trace")
        except Exception as error:
            self._refused.add()
            self._refused.say_due(error)
            return None


def _build(given: dict[str, object]) -> Sink | SinkError:
    try:
        return build(given)
    except SinkError as error:
        return error


class _Output:
    """A sink, and how it fares."""

    def __init__(self, path: str, sink: Sink) -> None:
        self.path = path
        self.sink = sink
        self.failures = _Failures(f"The sink {path} failed. Traces lost to it: %s.")

    def send(self, trace: Trace) -> None:
        error = None
        try:
            self.sink(trace)
        except Exception as raised:
            error = raised
            self.failures.add()
        self.failures.say_due(error)


class _Failures:
    """Logs failures: the first at once, more of them once a minute, as their number."""

    def __init__(self, message: str) -> None:
        self._message = message
        self._losses = Losses()

    def add(self) -> None:
        self._losses.add()

    def say_due(self, error: BaseException | None) -> None:
        """Log those that are to be said by now, with the traceback of the last."""
        if count := self._losses.due():
            message = f"{self._message} More are counted, and said once a minute."
            logger.error(message, count, exc_info=error)

    def say_rest(self) -> None:
        if count := self._losses.left():
            logger.error(self._message, count)
