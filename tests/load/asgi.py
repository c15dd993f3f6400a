"""The demo for ASGI servers; `whole` has the whole of each request traced."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application

from signal_trace import sinks
from signal_trace.asgi import trace_requests
from signal_trace.sinks import worker
from tests.load import telemetry

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.load.settings")
worker.MOST_TRACES = int(os.environ.get("LOAD_QUEUE", worker.MOST_TRACES))
worker.EXIT_SECONDS = int(os.environ.get("LOAD_EXIT", worker.EXIT_SECONDS))
telemetry.start()
django_application = get_asgi_application()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Django, and a life at whose end what is left is sent: uvicorn runs no exit
    handlers."""
    if scope["type"] != "lifespan":
        await django_application(scope, receive, send)
        return
    while (await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await asyncio.to_thread(sinks.flush, worker.EXIT_SECONDS)
    await asyncio.to_thread(telemetry.flush)
    await send({"type": "lifespan.shutdown.complete"})


if settings.TRACING:
    whole = trace_requests(application)
