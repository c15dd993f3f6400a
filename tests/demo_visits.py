"""Visits every page of the demo, in a process of its own with the demo's settings.

    python tests/demo_visits.py

The database in DEMO_DATABASE is made anew. Time passes only where the demo sleeps, so
that nothing else is ever slow. Prints as JSON what was seen on each page.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command

ROOT = Path(__file__).parent.parent
sys.path[:1] = [str(ROOT / "demo"), str(ROOT)]

import signal_trace  # noqa: E402
from signal_trace import Trace, recording  # noqa: E402
from tests.fake_clock import FakeClock  # noqa: E402

THREADS = 16

Fields = dict[str, list[str]]


class Form(HTMLParser):
    """What a browser would post of a page's forms, its buttons left out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: Fields = {}
        self.select = self.textarea = ""
        self.is_multiple = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        name, value = has.get("name") or "", has.get("value") or ""
        if tag == "input" and name:
            kind = has.get("type")
            ticked = kind not in {"checkbox", "radio"} or "checked" in has
            if ticked and kind not in {"submit", "file"}:
                self.fields.setdefault(name, []).append(value or "on" * (not kind))
        elif tag == "select":
            self.select, self.is_multiple = name, "multiple" in has
        elif tag == "option" and self.select:
            if "selected" in has:
                self.fields.setdefault(self.select, []).append(value)
            elif not self.is_multiple:
                self.fields.setdefault(self.select, [])
        elif tag == "textarea":
            self.textarea = name
            self.fields[name] = [""]

    def handle_data(self, data: str) -> None:
        if self.textarea:
            self.fields[self.textarea][0] += data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self.select = ""
        elif tag == "textarea":
            self.textarea = ""


def plain(findings: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": one.id,
            "level": one.level,
            "message": one.message,
            "receivers": list(one.receivers),
            "file": one.location and one.location.file,
        }
        for one in findings
    ]


def shape(trace: Trace) -> list[list[Any]]:
    """What was sent and called, in the order of both."""
    return [
        [send.signal, send.sender, [call.receiver for call in send.calls]]
        for send in trace.sends
    ]


class Visits:
    """Visits pages, and keeps what each was like."""

    def __init__(self) -> None:
        from django.test import AsyncClient, Client

        self.client = Client()
        self.async_client = AsyncClient()
        self.seen: list[dict[str, Any]] = []

    def get(self, path: str, group: str) -> str:
        return self.visit("GET", path, group)

    def post(
        self,
        path: str,
        group: str,
        data: dict[str, Any] | None = None,
        way: str = "wsgi",
    ) -> str:
        return self.visit("POST", path, group, data or {}, way)

    def visit(
        self,
        method: str,
        path: str,
        group: str,
        data: dict[str, Any] | None = None,
        way: str = "wsgi",
    ) -> str:
        with signal_trace.record(path) as whole:
            response = self.answer(method, path, data, way)
        request_id = response["djdt-request-id"]
        trace = self.trace_of(request_id)
        self.seen.append(
            {
                "page": f"{method} {path}",
                "group": group,
                "way": way,
                "status": response.status_code,
                "queries": trace.queries.count + trace.queries.nested_count,
                "queries_of_sql_panel": self.queries_of_sql_panel(request_id),
                "findings": plain(trace.findings),
                "findings_of_all": plain(whole.trace.findings),
                "shape": shape(trace),
            }
        )
        text: str = response.content.decode()
        return text

    def answer(self, method: str, path: str, data: Any, way: str) -> Any:
        client = self.async_client if way == "asgi" else self.client
        answer = getattr(client, method.lower())(path, data)
        return asyncio.run(answer) if way == "asgi" else answer

    def trace_of(self, request_id: str) -> Trace:
        from django.test import Client

        path = f"/__debug__/signal_trace/{request_id}/json/"
        return Trace.from_json(Client().get(path).text)

    def queries_of_sql_panel(self, request_id: str) -> int:
        from debug_toolbar.store import get_store

        return len(get_store().panel(request_id, "SQLPanel").get("queries", []))


def visit_shop(visits: Visits) -> None:
    for path in ("/healthy/", "/login/", "/checkout/", "/api/stock/"):
        visits.get(path, "calm")
    visits.post("/tag/", "calm")
    visits.post("/login/demo/", "calm")
    for way in ("wsgi", "asgi"):
        visits.post("/checkout/", "checkout", way=way)
        visits.post("/checkout/async/", "checkout", way=way)
        visits.post("/checkout/", "too much", {"sencha": "1000"}, way)


def visit_troubles(visits: Visits) -> None:
    from trouble.catalogue import TROUBLES

    for trouble in TROUBLES:
        path = f"/trouble/{trouble.slug}/"
        visits.get(path, "calm")
        for way in ("wsgi", "wsgi", "asgi"):
            visits.post(path, trouble.finding, way=way)


def visit_troubles_at_once() -> list[int]:
    """The statuses of three visits of each page, in many threads."""
    from django.db import connections
    from django.test import Client
    from trouble.catalogue import TROUBLES

    def visit(slug: str) -> int:
        try:
            return Client().post(f"/trouble/{slug}/").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(visit, [trouble.slug for trouble in TROUBLES] * 3))


def also_found() -> dict[str, tuple[str, ...]]:
    """By page, the ids of what is found besides the finding that it is for."""
    from trouble.catalogue import TROUBLES

    return {f"POST /trouble/{one.slug}/": one.also for one in TROUBLES}


def left_behind() -> dict[str, int]:
    """How many rows are left of each model of the trouble app."""
    from django.apps import apps

    models = apps.get_app_config("trouble").get_models()
    return {one.__name__: one._default_manager.count() for one in models}


def visit_admin(visits: Visits) -> None:
    from django.contrib import admin
    from django.contrib.auth.models import Group, User
    from shop.models import AuditEntry, Tag

    visits.client.force_login(User.objects.get(username="demo"))
    Group.objects.create(name="waiters")
    User.objects.create_user("guest", password="guest")
    visits.get("/admin/", "admin")
    visits.get("/admin/shop/", "admin")
    visits.get("/admin/password_change/", "admin")
    visits.post("/admin/shop/tag/add/", "admin", {"name": "bitter", "slug": "bitter"})
    assert Tag.objects.filter(slug="bitter").exists()
    for model in list(admin.site._registry):
        visit_admin_of(visits, model)
    entries = AuditEntry.objects.values_list("pk", flat=True)[:3]
    action = {"action": "delete_selected", "_selected_action": list(entries)}
    visits.post("/admin/shop/auditentry/", "admin", action)
    visits.post("/admin/shop/auditentry/", "admin", action | {"post": "yes"})
    # The other way about, so that nothing is gone with what it hung on.
    for model in reversed(list(admin.site._registry)):
        row = list(rows(model))[-1]
        path = f"{admin_path(model)}{row.pk}/delete/"
        visits.get(path, "admin")
        visits.post(path, "admin", {"post": "yes"})
    visits.post("/admin/logout/", "admin")


def visit_admin_of(visits: Visits, model: Any) -> None:
    path = admin_path(model)
    visits.get(path, "admin")
    visits.get(f"{path}add/", "admin")
    row = next(rows(model))
    page = visits.get(f"{path}{row.pk}/change/", "admin")
    visits.post(f"{path}{row.pk}/change/", "admin", dict(Form(page).fields))
    # What can't be saved is shown again.
    assert visits.seen[-1]["status"] == 302, (path, Form(page).fields)
    visits.get(f"{path}{row.pk}/history/", "admin")


def rows(model: Any) -> Iterator[Any]:
    """The model's rows, but not the user who looks at them."""
    found = model._default_manager.order_by("pk")
    yield from found.exclude(username="demo") if model.__name__ == "User" else found


def admin_path(model: Any) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    settings.ALLOWED_HOSTS.append("testserver")  # as which Django's test clients ask
    call_command("migrate", verbosity=0)
    call_command("seed", stdout=sys.stderr)
    recording.clock = clock = FakeClock()  # type: ignore[assignment]
    time.sleep = lambda seconds: clock.pass_ms(round(seconds * 1000))
    # What send_robust swallows is no news here.
    logging.getLogger("django.dispatch").setLevel(logging.CRITICAL)
    visits = Visits()
    links = re.findall(r'href="(/trouble/[^"]*)"', visits.get("/", "calm"))
    visit_shop(visits)
    visit_troubles(visits)
    statuses = visit_troubles_at_once()
    visit_admin(visits)
    seen = {
        "visits": visits.seen,
        "links": links,
        "also": also_found(),
        "at_once": statuses,
        "left_behind": left_behind(),
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
