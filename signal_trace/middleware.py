"""The middleware: records each request, and sends its trace to the sinks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponseBase

from signal_trace import conf, sinks, watching
from signal_trace.requests import is_toolbars_own, note_response, record_request

GetResponse = (
    Callable[[HttpRequest], HttpResponseBase]
    | Callable[[HttpRequest], Awaitable[HttpResponseBase]]
)


class SignalTraceMiddleware:
    """Records from its own place to the response: put it first.

    Serves sync and async. What a streaming response's body does comes after it.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
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
        recording = record_request(request)
        try:
            with recording:
                response = self.get_response(request)
                note_response(recording, request, response)
                return response
        finally:
            if not is_toolbars_own(request):
                sinks.submit(recording)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        recording = record_request(request)
        try:
            async with recording:
                response: HttpResponseBase = await self.get_response(request)
                note_response(recording, request, response)
                return response
        finally:
            if not is_toolbars_own(request):
                sinks.submit(recording)
