"""The test project as Celery's worker, with JSON Lines as log."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403

SIGNAL_TRACE = {
    "SINKS": [{"BACKEND": "tests.app.sinks.write_line"}],
    "TASKS": ["celery"],
}
TRACES = os.environ.get("TEST_TRACES", "")
