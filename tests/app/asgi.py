"""The test project for ASGI servers."""

import os

from django.core.asgi import get_asgi_application

from signal_trace.asgi import trace_requests

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.server_settings")
application = get_asgi_application()
whole = trace_requests(application)
