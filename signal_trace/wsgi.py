"""The whole request under WSGI: from ``request_started`` to ``request_finished``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import request_finished, request_started

from signal_trace import conf, dispatch, watching
from signal_trace.choosing import Choice, choose
from signal_trace.entrance import Recording
from signal_trace.recording import report_bug
from signal_trace.requests import record_named
from signal_trace.traced import TRACE_ID_HEADER, Traced, around, innermost

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

# What ends a body that nobody wants any more.
NO_FAILURES = (ConnectionError, GeneratorExit)


def trace_requests(application: Application) -> Application:
    """Trace the requests to a WSGI *application*, the bodies of streaming responses and
    what `request_finished` sets off included.

        application = trace_requests(get_wsgi_application())

    The middleware is to be there as well, first: it adds what Django alone knows of a
    request, such as its view, and it knows the user for ``SHOULD_TRACE``. With
    ``ENABLED`` False the application is returned as it is.
    """
    conf.say_problems()
    if not conf.settings().ENABLED:
        return application
    dispatch.notify_after(request_started, _note_started)
    dispatch.notify_after(request_finished, _note_finished)
    return _Tracing(application)


class _Tracing:
    """An application, and the tracing of its requests."""

    def __init__(self, application: Application) -> None:
        self.application = application
        watching.keep(self)

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        _end_stale()
        request = _begin(environ)
        token = around.set("not traced" if request is None else request)
        try:
            if request is None:
                return self.application(environ, start_response)
            answer = self.application(environ, request.naming(start_response))
        except BaseException as error:
            if request is not None:
                request.end(error)
            raise
        finally:
            around.reset(token)
        request.is_answered = True
        if request.handler is None:
            # Not Django's answer, but another layer's: there is no end but this. One
            # that hasn't begun may leave it to Django yet, and so to the middleware.
            request.end() if request.has_begun else request.drop()
        return answer


class _Request(Traced):
    """A request that is traced. It ends with the `request_finished` of the handler
    whose `request_started` it began with, once the application has returned: requests
    that are made within it, as by a test client, have other handlers."""

    handler: Any = None
    has_begun = False
    is_answered = False

    def __init__(self, recording: Recording, choice: Choice) -> None:
        super().__init__(recording, choice)
        # By whoever serves this, such as the exception of an application before.
        self._handled_before = sys.exc_info()[1]

    def end(self, error: BaseException | None = None) -> None:
        self._handled_before = None
        super().end(error)

    def end_closed(self) -> None:
        """End, now that the server closes the body: by the exception on whose way out
        it does that, if there is one. A client that went away is none."""
        error = sys.exc_info()[1]
        if error is self._handled_before or isinstance(error, NO_FAILURES):
            error = None
        self.end(error)

    def naming(self, start_response: StartResponse) -> StartResponse:
        """*start_response*, which is given the trace's name as well."""

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            self.has_begun = True
            try:
                self.note(status_code=int(status[:3]))
                if (shown_id := self.shown_id) is not None:
                    ours = TRACE_ID_HEADER.lower()
                    headers = [one for one in headers if one[0].lower() != ours]
                    headers.append((TRACE_ID_HEADER, shown_id))
            except Exception:
                report_bug("naming the trace in a response")
            return start_response(status, headers, *rest)

        return start


def _begin(environ: Environ) -> _Request | None:
    """The request of *environ*, which is recorded from here on; None: it isn't."""
    try:
        choice = choose(environ, lambda: _without_body(environ))
        if choice is None:
            return None
        request = _without_body(environ)
        traceparent = environ.get("HTTP_TRACEPARENT")
        recording = record_named(request.method or "", request.path, traceparent)
        begun = _Request(recording, choice)
        begun.open()
        return begun
    except Exception:
        report_bug("choosing what to trace")
        return None


def _without_body(environ: Environ) -> WSGIRequest:
    """The request as Django will make it. Its body is for Django to read."""
    nothing = {"wsgi.input": BytesIO(), "CONTENT_LENGTH": "0"}
    return WSGIRequest({**environ, **nothing})


def _end_stale() -> None:
    """End what a server left open that never closed its response: the thread goes on to
    the next request, and so does its context."""
    while isinstance(stale := innermost(), _Request) and stale.is_answered:
        stale.note(unfinished=True)
        stale.end()


def _note_started(handler: Any) -> None:
    request = innermost()
    if isinstance(request, _Request) and request.handler is None:
        request.handler = handler


def _note_finished(handler: Any) -> None:
    request = innermost()
    if (
        isinstance(request, _Request)
        and request.is_answered
        and request.handler is handler
    ):
        request.end_closed()
