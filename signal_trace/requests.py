"""Recordings of requests: what the panel and the middleware both open."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase

from signal_trace.entrance import Recording, record
from signal_trace.recording import report_bug


def record_request(request: HttpRequest) -> Recording:
    """A recording of *request*, not open yet. No query string is kept of it."""
    method = request.method or ""
    return record(
        f"{method} {request.path}", kind="request", method=method, path=request.path
    )


def note_response(
    recording: Recording, request: HttpRequest, response: HttpResponseBase
) -> None:
    """Add what is known of a request once it has been answered."""
    try:
        recording.attributes["status_code"] = response.status_code
        match = request.resolver_match
        if match is not None:
            recording.attributes["route"] = match.route
            recording.attributes["view"] = match.view_name
    except Exception:
        report_bug("noting a response")


def is_toolbars_own(request: HttpRequest) -> bool:
    """Whether *request*, answered by now, was for the debug toolbar itself."""
    match = getattr(request, "resolver_match", None)
    return "djdt" in getattr(match, "namespaces", ())
