"""The demo for WSGI servers; `whole` has the whole of each request traced."""

from __future__ import annotations

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from signal_trace.sinks import worker
from signal_trace.wsgi import trace_requests
from tests.load import telemetry

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.load.settings")
worker.MOST_TRACES = int(os.environ.get("LOAD_QUEUE", worker.MOST_TRACES))
worker.EXIT_SECONDS = int(os.environ.get("LOAD_EXIT", worker.EXIT_SECONDS))
telemetry.start()
application = get_wsgi_application()
if settings.TRACING:
    whole = trace_requests(application)
