"""Sinks for tests."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings

from signal_trace import Trace


def write_line(trace: Trace) -> None:
    """Append the trace to the file that the settings name, as one line."""
    line = f"{trace.to_json()}\n".encode()
    file = os.open(Path(settings.TRACES), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(file, line)
    finally:
        os.close(file)
