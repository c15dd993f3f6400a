"""The test project as a server: middleware and panel at once, JSON Lines as log."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403

DEBUG = True
MIDDLEWARE = [
    "signal_trace.middleware.SignalTraceMiddleware",
    "debug_toolbar.middleware.DebugToolbarMiddleware",
]
SIGNAL_TRACE = {"SINKS": [{"BACKEND": "tests.app.sinks.write_line"}]}
DEBUG_TOOLBAR_CONFIG = {
    **DEBUG_TOOLBAR_CONFIG,  # noqa: F405
    "RESULTS_CACHE_SIZE": 1000,
}
TRACES = os.environ.get("TEST_TRACES", "")
