"""The demo's settings as staging has them, with the tracing that LOAD_TRACING tells."""

from __future__ import annotations

import json
import os

from config.settings import *  # noqa: F403

DEBUG = False
MIDDLEWARE = [
    one
    for one in MIDDLEWARE  # noqa: F405
    if not one.startswith("debug_toolbar.")
]
DEBUG_TOOLBAR_PANELS = []
DATABASES = {
    "default": {
        **DATABASES["default"],  # noqa: F405
        "ENGINE": "tests.load.database",
        "OPTIONS": {
            **DATABASES["default"]["OPTIONS"],  # noqa: F405
            # How fast the disk writes is not what is looked at.
            "init_command": "PRAGMA synchronous = OFF",
        },
    },
}

# Without it, signal_trace isn't installed.
TRACING = os.environ.get("LOAD_TRACING")
if TRACING:
    SIGNAL_TRACE = json.loads(TRACING)
else:
    INSTALLED_APPS.remove("signal_trace")  # noqa: F405
    MIDDLEWARE.remove("signal_trace.middleware.SignalTraceMiddleware")
