"""What is kept of what was recorded: ``KEEP``, which decides once it is over."""

from __future__ import annotations

from dataclasses import dataclass

from signal_trace.entrance import Recording
from signal_trace.highlights import has_failed, is_servers_error
from signal_trace.parts import HINT, PROBLEM, WARNING
from signal_trace.trace import Trace

LEVELS = (PROBLEM, WARNING, HINT)


@dataclass(frozen=True)
class Rules:
    """The rules of ``KEEP``: a trace to which one of them applies is kept."""

    slower_than_ms: float | None = None
    failed: bool = False
    findings: str | None = None

    def __call__(self, trace: Trace) -> bool:
        """Whether *trace* is to be kept."""
        return (
            self._too_slow(trace.duration_ns)
            or (self.failed and has_failed(trace))
            or (self.findings is not None and self._has_findings(trace))
        )

    def at_once(self, recording: Recording) -> bool | None:
        """What can be said of a *recording* that has ended without its trace, which
        takes time to put together; None: nothing."""
        if self._too_slow(recording.duration_ns):
            return True
        if self.findings is not None or (self.failed and may_have_failed(recording)):
            return None
        return False

    def _too_slow(self, duration_ns: int) -> bool:
        limit = self.slower_than_ms
        return limit is not None and duration_ns > limit * 1_000_000

    def _has_findings(self, trace: Trace) -> bool:
        enough = LEVELS[: LEVELS.index(self.findings or HINT) + 1]
        return any(finding.level in enough for finding in trace.findings)


def may_have_failed(recording: Recording) -> bool:
    """False where `has_failed` is certainly so of the trace."""
    return is_servers_error(recording.attributes) or recording.may_have_failed
