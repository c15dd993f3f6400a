"""The OpenTelemetry span that a recording runs in.

What sends spans does so later and in another thread, where no span is current: so what
there is to know of it is taken down as attributes of the trace. A log has them as well,
which leads from its line to the span.
"""

from __future__ import annotations

import sys
from typing import Any

from signal_trace.recording import report_bug

TRACE_ID = "otel.trace_id"
SPAN_ID = "otel.span_id"
TRACE_FLAGS = "otel.trace_flags"
TRACE_STATE = "otel.trace_state"


def note_span(attributes: dict[str, Any]) -> None:
    """Add the current span's ids to *attributes*, where there is one and none is noted.

    Nothing is imported for that: a process without OpenTelemetry pays for a look into
    a dictionary.
    """
    api = sys.modules.get("opentelemetry.trace")
    # None while another thread is in the middle of importing it.
    current = getattr(api, "get_current_span", None)
    if current is None:
        return
    try:
        context = current().get_span_context()
        if context.is_valid and SPAN_ID not in attributes:
            attributes[TRACE_ID] = f"{context.trace_id:032x}"
            attributes[SPAN_ID] = f"{context.span_id:016x}"
            attributes[TRACE_FLAGS] = f"{context.trace_flags:02x}"
            if context.trace_state:
                attributes[TRACE_STATE] = context.trace_state.to_header()
    except Exception:
        report_bug("noting the current span")
