"""The middleware: records each request that is chosen, and sends its trace to the
sinks."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponseBase

from signal_trace import conf, watching
from signal_trace.choosing import choose
from signal_trace.recording import report_bug
from signal_trace.requests import record_request
from signal_trace.traced import TRACE_ID_HEADER, Traced, around

GetResponse = (
    Callable[[HttpRequest], HttpResponseBase]
    | Callable[[HttpRequest], Awaitable[HttpResponseBase]]
)


class SignalTraceMiddleware:
    """Records from its own place to the response: put it first.

    Serves sync and async. What a streaming response's body does comes after it. Inside
    of `signal_trace.wsgi.trace_requests` or that of `signal_trace.asgi`, which record
    more, it adds what only Django knows of a request.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        conf.say_problems()
        if not conf.settings().ENABLED:
            raise MiddlewareNotUsed("SIGNAL_TRACE['ENABLED'] is False")
        self.get_response: Any = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)
        watching.keep(self)

    def __call__(self, request: HttpRequest) -> Any:
        if self.is_async:
            return self.__acall__(request)
        answering = _Answering(request)
        try:
            response = self.get_response(request)
        except BaseException as error:
            answering.end(None, error)
            raise
        answering.end(response)
        return response

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        answering = _Answering(request)
        try:
            response: HttpResponseBase = await self.get_response(request)
        except BaseException as error:
            answering.end(None, error)
            raise
        answering.end(response)
        return response


class _Answering:
    """A request on its way through the middleware, recorded or not."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.traced: Traced | None = None
        # A request that is made inside of this one, as by a test client, is another.
        decided = around.get()
        self.token = around.set(None)
        self.is_ours = decided is None
        if isinstance(decided, Traced):
            self.traced = decided
            # The request's span begins in Django's middleware, inside of what traces
            # the whole request.
            decided.note_span()
        elif self.is_ours:
            self.traced = _begin(request)

    def end(
        self, response: HttpResponseBase | None, error: BaseException | None = None
    ) -> None:
        """It has been answered, or *error* is on its way out."""
        with contextlib.suppress(ValueError):  # Closed from another context.
            around.reset(self.token)
        if self.traced is None:
            return
        self.traced.note_answer(self.request, response)
        if not self.is_ours:
            return
        shown_id = self.traced.shown_id
        self.traced.end(error)
        if shown_id is not None and isinstance(response, HttpResponseBase):
            response.headers[TRACE_ID_HEADER] = shown_id


def _begin(request: HttpRequest) -> Traced | None:
    try:
        choice = choose(request.META, lambda: request)
        if choice is None:
            return None
        return Traced(record_request(request), choice).open()
    except Exception:
        report_bug("choosing what to trace")
        return None
