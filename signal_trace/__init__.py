"""Shows what Django signals really do at run time."""

from signal_trace.entrance import Recording, record
from signal_trace.trace import Trace, TraceError

__all__ = ["Recording", "Trace", "TraceError", "record"]
