"""One structured log record for each trace."""

from __future__ import annotations

import logging
from typing import Any

from signal_trace import conf
from signal_trace.exports.text import printable
from signal_trace.highlights import has_failed
from signal_trace.parts import PROBLEM
from signal_trace.sinks import log_details
from signal_trace.sinks.log_details import FAILED, NONE, SENDS, SLOW
from signal_trace.summary import summary
from signal_trace.trace import Trace

PREFIX = "signal_trace_"
DETAILS = (NONE, FAILED, SLOW, SENDS)
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class LogSink:
    """Logs a summary of each trace through the standard `logging` module.

    The fields stand in the record's ``extra``, so that any formatter renders them.
    Each name begins with ``signal_trace_``, since a log record is shared by many:

    - ``record``: ``"trace"``
    - ``id``, ``kind``, ``name``, ``started_at`` (ISO 8601, UTC)
    - ``duration_ms``, ``receivers_ms``: of the whole, and of receivers in it
    - ``sends``, ``calls``, ``unreceived``, ``failures``: counts
    - ``not_called``: receivers that were to hear a send, and never ran
    - ``rolled_back``: sends whose transaction, or savepoint, was rolled back
    - ``queries``, ``queries_ms``, ``receivers_queries``: SQL of the whole, and how many
      of it receivers made
    - ``omitted``: sends that the trace only counts, for being too many
    - ``slowest_receiver`` by self time, ``slowest_receiver_ms`` (or None)
    - ``failed_receivers``: objects of ``receiver``, ``error`` and ``signal``
    - ``findings``: objects of ``id``, ``level``, ``message``, ``receivers`` and
      ``location``, a file's path and the line
    - ``error``: the exception that ended what was recorded (or None)
    - ``attributes``: those of the trace, such as ``method`` and ``path``

    An exception counts as the failure of the receiver that raised it, and not of
    those that it passed through on its way up.

    *logger* names the logger, *level* the level of a trace in which nothing failed;
    one with failures, with a response whose status is from 500, or with a finding that
    is a problem, is logged as a WARNING, or at *level* where that is higher. *details*
    says of what else records are logged, after the summary: ``"failed"`` of each call
    that failed, ``"slow"`` of each that failed or took ``SLOW_RECEIVER_MS`` of its own,
    ``"sends"`` of each send.
    Raises ValueError for a level that `logging` does not know, and for other *details*.
    """

    def __init__(
        self,
        logger: str = "signal_trace",
        level: str = "INFO",
        details: str = NONE,
    ) -> None:
        if type(logger) is not str:
            raise ValueError(f"logger is {logger!r}, which is no logger's name")
        if level not in LEVELS:
            raise ValueError(f"level is {level!r}, which is none of {LEVELS}")
        if details not in DETAILS:
            raise ValueError(f"details is {details!r}, which is none of {DETAILS}")
        self.details = details
        self.logger = logging.getLogger(logger)
        self.level = logging.getLevelNamesMapping()[level]

    def __call__(self, trace: Trace) -> None:
        failed = has_failed(trace) or any(
            finding.level == PROBLEM for finding in trace.findings
        )
        if self.logger.isEnabledFor(self._level(failed)):
            fields = summary(trace)
            self._log(message(fields), fields, failed)
        slow_ns = conf.settings().SLOW_RECEIVER_MS * 1e6
        for detail in log_details.details(trace, self.details, slow_ns):
            text = f"{trace.name or trace.kind}: {detail.message}"
            self._log(printable(text), detail.fields, detail.failed)

    def problem(self) -> str:
        """What keeps the records from being seen, or nothing."""
        if not self.logger.isEnabledFor(self.level):
            wanted = logging.getLevelName(self.level)
            level = logging.getLevelName(self.logger.getEffectiveLevel())
            return (
                f"the logger {self.logger.name!r} passes {level} and above, and most"
                f" traces are {wanted}: set its level in LOGGING"
            )
        if not self.logger.hasHandlers():
            return (
                f"the logger {self.logger.name!r} has no handler: give it one in"
                " LOGGING"
            )
        return ""

    def _level(self, failed: bool) -> int:
        return max(self.level, logging.WARNING) if failed else self.level

    def _log(self, text: str, fields: dict[str, Any], failed: bool) -> None:
        extra = {f"{PREFIX}{key}": value for key, value in fields.items()}
        self.logger.log(self._level(failed), "%s", text, extra=extra)


def message(fields: dict[str, Any]) -> str:
    """What a person reads of a trace in a log, on one line."""
    parts = [
        f"sends {fields['sends']}",
        f"calls {fields['calls']}",
        f"receivers {fields['receivers_ms']:.2f} ms",
    ]
    if fields["slowest_receiver"]:
        name, ms = fields["slowest_receiver"], fields["slowest_receiver_ms"]
        parts.append(f"slowest {name} {ms:.2f} ms")
    parts += [
        f"failed {one['receiver']} ({one['error']})"
        for one in fields["failed_receivers"]
    ]
    if fields["findings"]:
        found = dict.fromkeys(one["id"] for one in fields["findings"])
        parts.append(f"found {' '.join(found)}")
    if fields["error"]:
        parts.append(f"ended by {fields['error']}")
    # A path may hold line breaks, which would forge records.
    name = fields["name"] or fields["kind"]
    return printable(f"{name}: {', '.join(parts)}")
