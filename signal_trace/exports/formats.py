"""What a format is, whether it is one of this package or of somebody else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from signal_trace.trace import Trace


@dataclass(frozen=True, slots=True)
class Format:
    """A way of writing traces.

    ``pieces`` turns traces into the text of one file that holds them all, in pieces,
    and has no more than one trace in memory at a time. Where ``holds_many`` is False,
    such a file holds one trace only, and more raise ValueError. ``label`` is what
    people are shown instead of the ``name``.
    """

    name: str
    pieces: Callable[[Iterable[Trace]], Iterator[str]]
    media_type: str
    suffix: str
    label: str = ""
    holds_many: bool = True

    def write(self, trace: Trace) -> str:
        """The text of a file that holds *trace*."""
        return "".join(self.pieces([trace]))

    def file_name(self, trace: Trace) -> str:
        """What to call a file that holds *trace*."""
        return f"signal-trace-{trace.id[:8]}.{self.suffix}"


def only(traces: Iterable[Trace], format: str, remedy: str) -> Trace:
    """The trace in *traces*, where no more than one can be written."""
    several = iter(traces)
    try:
        trace = next(several)
    except StopIteration:
        raise ValueError("there is no trace to write") from None
    for _ in several:
        raise ValueError(f"{format} holds one trace; {remedy}")
    return trace
