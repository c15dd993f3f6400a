"""The whole request under ASGI: from ``request_started`` to ``request_finished``."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest

from signal_trace import conf, on_demand, traceparent, watching
from signal_trace.choosing import choose
from signal_trace.recording import report_bug
from signal_trace.requests import record_named
from signal_trace.traced import TRACE_ID_HEADER, Traced, around

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

# What is looked at of a request that isn't chosen, by the names that WSGI has for it.
LOOKED_AT = {
    on_demand.HEADER.lower().encode(): "HTTP_X_SIGNAL_TRACE",
    b"cookie": "HTTP_COOKIE",
    traceparent.HEADER.encode(): "HTTP_TRACEPARENT",
}


def trace_requests(application: Application) -> Application:
    """Trace the HTTP requests to an ASGI *application*, the bodies of streaming
    responses and what `request_finished` sets off included.

        application = trace_requests(get_asgi_application())

    What is no HTTP request, such as a websocket, passes through. The middleware is to
    be there as well, first: it adds what Django alone knows of a request, such as its
    view, and it knows the user for ``SHOULD_TRACE``. With ``ENABLED`` False the
    application is returned as it is.
    """
    conf.say_problems()
    return _Tracing(application) if conf.settings().ENABLED else application


class _Tracing:
    """An application, and the tracing of its requests."""

    def __init__(self, application: Application) -> None:
        self.application = application
        watching.keep(self)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        traced = _begin(scope)
        token = around.set("not traced" if traced is None else traced)
        try:
            if traced is None:
                await self.application(scope, receive, send)
                return
            try:
                await self.application(scope, receive, _naming(traced, send))
            except BaseException as error:
                traced.end(error)
                raise
            traced.end()
        finally:
            with contextlib.suppress(ValueError):  # Closed from another context.
                around.reset(token)


def _begin(scope: Message) -> Traced | None:
    """The request of *scope*, which is recorded from here on; None: it isn't."""
    try:
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            if (known := LOOKED_AT.get(name)) is not None:
                # What is given more than once is joined as Django does it.
                text, between = (
                    value.decode("latin-1"),
                    "; " if name == b"cookie" else ",",
                )
                before = headers.get(known)
                headers[known] = text if before is None else before + between + text
        choice = choose(headers, lambda: ASGIRequest(scope, BytesIO()))
        if choice is None:
            return None
        recording = record_named(
            scope["method"], scope["path"], headers.get("HTTP_TRACEPARENT")
        )
        return Traced(recording, choice).open()
    except Exception:
        report_bug("choosing what to trace")
        return None


def _naming(traced: Traced, send: Send) -> Send:
    """*send*, by which the response is given the trace's name as well."""

    async def named(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = _named(traced, message)
        await send(message)

    return named


def _named(traced: Traced, message: Message) -> Message:
    try:
        traced.note(status_code=message["status"])
        if (shown_id := traced.shown_id) is None:
            return message
        ours = TRACE_ID_HEADER.lower().encode()
        headers = [one for one in message.get("headers", ()) if one[0].lower() != ours]
        return {**message, "headers": [*headers, (ours, shown_id.encode())]}
    except Exception:
        report_bug("naming the trace in a response")
        return message
