"""The django-debug-toolbar panel (version 7.0 and later)."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import ExitStack
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
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from signal_trace import conf, exports, watching
from signal_trace.durations import in_ms, shown
from signal_trace.entrance import Recording
from signal_trace.highlights import failures
from signal_trace.modules import script
from signal_trace.packing import pack, unpack
from signal_trace.parts import PROBLEM
from signal_trace.requests import note_response, record_request
from signal_trace.screen import Download, screen
from signal_trace.trace import Trace


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
            path("signal_trace/views.js", views_script, name="signal_trace_script"),
            path(
                "signal_trace/<str:request_id>/<str:format_name>/",
                export,
                name="signal_trace_export",
            ),
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
                "findings": len(trace.findings),
                "problems": sum(one.level == PROBLEM for one in trace.findings),
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
            mark = "⚠" if stats["problems"] else "•"
            subtitle = f"{subtitle} {mark} {found % {'count': findings}}"
        if problems := stats["problems"]:
            bad = ngettext("%(count)s problem", "%(count)s problems", problems)
            subtitle = f"{subtitle}, {bad % {'count': problems}}"
        return subtitle

    @property
    def scripts(self) -> list[str]:
        return [reverse("djdt:signal_trace_script")]

    @property
    def content(self) -> str:
        stats: dict[str, Any] = self.get_stats()
        context = self._screen(stats["trace"]) if stats else {}
        return render_to_string(self.template, context)

    def _screen(self, packed: Any) -> dict[str, Any]:
        urls = {
            name: reverse(
                "djdt:signal_trace_export", args=[self.toolbar.request_id, name]
            )
            for name in exports.FORMATS
        }
        return screen(
            packed,
            downloads=[
                Download(gettext(exports.FORMATS[name].label), url)
                for name, url in urls.items()
            ],
            text_url=urls["text"],
            in_toolbar=True,
        )

    @property
    def trace(self) -> Trace | None:
        """The request's trace; None where it was not recorded."""
        stats: dict[str, Any] = self.get_stats()
        return unpack(Trace, stats["trace"]) if stats else None


@login_not_required
@require_show_toolbar
def views_script(request: HttpRequest) -> HttpResponse:
    """The modules that draw the views, in one piece: a development server takes longer
    for each file than a browser for all of them."""
    return HttpResponse(script(), content_type="text/javascript; charset=utf-8")


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
