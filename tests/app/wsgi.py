"""The test project for WSGI servers."""

import os

from django.core.wsgi import get_wsgi_application

from signal_trace.wsgi import trace_requests

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.server_settings")
application = get_wsgi_application()
whole = trace_requests(application)
