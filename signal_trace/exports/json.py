"""The trace's own document, which `Trace.from_json` reads back."""

from signal_trace.trace import Trace


def write(trace: Trace) -> str:
    return trace.to_json()
