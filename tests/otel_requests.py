"""Serves requests under opentelemetry-instrumentation-django, and prints the spans.

In a process of its own: the instrumentation changes the settings. The sink is called
when the requests are over, and in another thread.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from typing import Any

import django
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.test import AsyncClient, AsyncRequestFactory, Client, RequestFactory
from django.test.utils import setup_test_environment
from opentelemetry import trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from signal_trace import asgi, sinks, wsgi
from signal_trace.sinks import OpenTelemetrySink
from signal_trace.trace import Trace

kept: list[Trace] = []
keep = kept.append
OURS = "signal_trace.middleware.SignalTraceMiddleware"

# A caller's, as a header.
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


def main() -> None:
    settings.MIDDLEWARE = [OURS]
    settings.SIGNAL_TRACE = {"SINKS": [{"BACKEND": "__main__.keep"}]}
    django.setup()
    setup_test_environment()
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument()
    assert settings.MIDDLEWARE[1:] == [OURS], settings.MIDDLEWARE

    get("/send/sync/")
    get("/send/called/", CALLER)
    get("/send/unsampled/", UNSAMPLED)

    async def get_all() -> None:
        client = AsyncClient()
        await asyncio.gather(
            *(client.get(f"/asend/n{number}/") for number in range(5))  # type: ignore[arg-type]
        )

    asyncio.run(get_all())
    get_whole("/send/whole/")
    asyncio.run(aget_whole("/asend/whole/"))
    assert sinks.flush(10)
    sink = OpenTelemetrySink()
    thread = threading.Thread(target=lambda: [sink(trace) for trace in kept])
    thread.start()
    thread.join()
    json.dump([describe(span) for span in exporter.get_finished_spans()], sys.stdout)


def get(path: str, traceparent: str | None = None) -> None:
    headers = {} if traceparent is None else {"traceparent": traceparent}
    # As servers have it, and the instrumentation reads.
    Client().get(path, headers=headers, REQUEST_URI=path)


def get_whole(path: str) -> None:
    """By an application that is traced from outside of Django, where no span is."""
    application = wsgi.trace_requests(get_wsgi_application())
    environ = RequestFactory().get(path, REQUEST_URI=path).environ
    answer: Any = application(environ, lambda *_: None)
    list(answer)
    answer.close()


async def aget_whole(path: str) -> None:
    application: Any = asgi.trace_requests(get_asgi_application())
    scope = AsyncRequestFactory().get(path).scope
    communicator = ApplicationCommunicator(application, scope)
    await communicator.send_input({"type": "http.request"})
    await communicator.wait()


def describe(span: Any) -> dict[str, Any]:
    return {
        "id": span.context.span_id,
        "trace": f"{span.context.trace_id:032x}",
        "parent": span.parent and span.parent.span_id,
        "name": span.name,
        "kind": span.kind.name,
        "path": span.attributes.get("url.path"),
        "sender": span.attributes.get("signal_trace.sender"),
        "start": span.start_time,
        "end": span.end_time,
    }


if __name__ == "__main__":
    main()
