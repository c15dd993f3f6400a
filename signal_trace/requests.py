"""Recordings of requests: what the panel and the other entrances all open."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase

from signal_trace.entrance import Recording, record
from signal_trace.recording import report_bug
from signal_trace.traceparent import valid as valid_traceparent


def record_request(request: HttpRequest) -> Recording:
    """A recording of *request*, not open yet. No query string is kept of it."""
    traceparent = request.META.get("HTTP_TRACEPARENT")
    return record_named(request.method or "", request.path, traceparent)


def record_named(method: str, path: str, traceparent: str | None) -> Recording:
    """A recording of the request of which this much is known."""
    recording = record(f"{method} {path}", kind="request", method=method, path=path)
    if (traceparent := valid_traceparent(traceparent)) is not None:
        recording.attributes["traceparent"] = traceparent
    return recording


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
