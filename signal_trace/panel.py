"""The django-debug-toolbar panel (version 7.0 and later)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, cast

from debug_toolbar.decorators import (
    render_with_toolbar_language,
    require_show_toolbar,
)
from debug_toolbar.panels import Panel
from debug_toolbar.toolbar import DebugToolbar
from django.contrib.auth.decorators import login_not_required
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotFound,
)
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from signal_trace import conf, exports, watching
from signal_trace.durations import in_ms, shown
from signal_trace.entrance import Recording
from signal_trace.highlights import evidence, failures, slowest, troubles
from signal_trace.packing import pack, unpack
from signal_trace.parts import ON_COMMIT, Event, Finding, NotCalled
from signal_trace.requests import note_response, record_request
from signal_trace.runs import Run
from signal_trace.trace import Trace
from signal_trace.tree import Node, other_senders, unreceived_by_signal, walk_folded

MOST_SLOWEST = 3


class SignalTracePanel(Panel):
    """Shows the signals of a request as the tree of sends and calls that they form.

    The trace is stored once, packed; everything shown is made of it when asked for,
    by this process or another.
    """

    is_async = True
    title = _("Signal trace")
    nav_title = _("Signal trace")
    nav_icon = "signal_trace/panel.svg"  # type: ignore[assignment]  # Since 8.0.
    template = "signal_trace/panel.html"

    recording: Recording | None = None

    @classmethod
    def ready(cls) -> None:
        watching.keep(cls)

    @classmethod
    def get_urls(cls) -> list[URLPattern]:
        return [
            path(
                "signal_trace/<str:request_id>/<str:format_name>/",
                export,
                name="signal_trace_export",
            )
        ]

    def process_request(
        self, request: HttpRequest
    ) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if not conf.settings().ENABLED:
            return self.get_response(request)
        self.recording = recording = record_request(request)
        with ExitStack() as stack:
            stack.enter_context(recording)
            response = self.get_response(request)
            if isawaitable(response):
                return self._finish(request, response, stack.pop_all())
            note_response(recording, request, response)
            return cast(HttpResponseBase, response)

    async def _finish(
        self,
        request: HttpRequest,
        awaitable: Awaitable[HttpResponseBase],
        stack: ExitStack,
    ) -> HttpResponseBase:
        with stack:
            response = await awaitable
            assert self.recording is not None
            note_response(self.recording, request, response)
            return response

    def generate_stats(self, request: HttpRequest, response: HttpResponse) -> None:
        if self.recording is None:
            return
        trace = self.recording.trace
        self.record_stats(
            {
                "calls": trace.call_count,
                "failures": len(failures(trace)) + trace.omitted_failures,
                "findings": len(troubles(trace)),
                "receivers_ns": trace.receivers_ns,
                "trace": pack(trace),
            }
        )

    def generate_server_timing(
        self, request: HttpRequest, response: HttpResponse
    ) -> None:
        stats = self.get_stats()
        if stats:
            # The toolbar puts the title between quotes as it stands.
            title = gettext("Signal receivers").replace('"', "")
            self.record_server_timing("receivers", title, in_ms(stats["receivers_ns"]))

    @property
    def nav_subtitle(self) -> str:
        stats = self.get_stats()
        if not stats:
            return ""
        calls, failures = stats["calls"], stats["failures"]
        subtitle = ngettext(
            "%(count)s call in %(time)s", "%(count)s calls in %(time)s", calls
        ) % {"count": calls, "time": shown(stats["receivers_ns"])}
        if failures:
            failed = ngettext("%(count)s failed", "%(count)s failed", failures)
            subtitle = f"{subtitle}, {failed % {'count': failures}}"
        if findings := stats["findings"]:
            found = ngettext("%(count)s finding", "%(count)s findings", findings)
            subtitle = f"{subtitle}, {found % {'count': findings}}"
        return subtitle

    @property
    def content(self) -> str:
        trace = self.trace
        shown = _shown(trace) if trace else {}
        formats, request_id = exports.FORMATS.values(), self.toolbar.request_id
        return render_to_string(
            self.template,
            {"trace": trace, "formats": formats, "request_id": request_id, **shown},
        )

    @property
    def trace(self) -> Trace | None:
        """The request's trace; None where it was not recorded."""
        stats: dict[str, Any] = self.get_stats()
        return unpack(Trace, stats["trace"]) if stats else None


@dataclass(frozen=True)
class Row:
    """A line of the tree: a send, a call, a receiver not called, or like sends."""

    kind: str
    indent: range
    node: Node | Run
    findings: Sequence[Finding]
    callbacks: Sequence[Event]


def _shown(trace: Trace) -> dict[str, Any]:
    """What the template shows of a trace, besides the trace itself."""
    others = other_senders(trace)
    missed = [one for _, of_signal in others for one in of_signal]
    return {
        "rows": list(_rows(trace)),
        "failures": failures(trace),
        "slowest": slowest(trace, MOST_SLOWEST),
        "unreceived": unreceived_by_signal(trace),
        "not_called": sum(one.send is not None for one in trace.not_called),
        "other_senders": missed,
        "near_misses": sum(one.near_miss is not None for one in missed),
    }


def _rows(trace: Trace) -> Iterator[Row]:
    found = evidence(trace)
    callbacks: dict[int | None, list[Event]] = defaultdict(list)
    for event in trace.events:
        if event.kind == ON_COMMIT:
            callbacks[event.call].append(event)
    for depth, node in walk_folded(trace):
        kind, indent = type(node).__name__, range(depth)
        if isinstance(node, Run):
            yield Row(kind, indent, node, node.findings, ())
        elif isinstance(node, NotCalled):
            yield Row(kind, indent, node, (), ())
        else:
            yield Row(kind, indent, node, found[node.id], callbacks[node.id])


@login_not_required
@require_show_toolbar
@render_with_toolbar_language
def export(request: HttpRequest, request_id: str, format_name: str) -> HttpResponse:
    """The trace of a request that the toolbar still has, as a file to download."""
    format = exports.FORMATS.get(format_name)
    if format is None:
        raise Http404(f"There is no format {format_name!r}.")
    toolbar = DebugToolbar.fetch(request_id, SignalTracePanel.panel_id)
    panel = toolbar and toolbar.get_panel_by_id(SignalTracePanel.panel_id)
    trace = cast(SignalTracePanel, panel).trace if panel else None
    if trace is None:
        gone = gettext(
            "The toolbar no longer has the trace of this request. Load the page again,"
            " and export the new one."
        )
        return HttpResponseNotFound(gone, content_type="text/plain; charset=utf-8")
    response = HttpResponse(format.write(trace), content_type=format.media_type)
    file_name = format.file_name(trace)
    response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response
