"""The pages that the panel's benchmark measures."""

from __future__ import annotations

import random
from typing import Any

from debug_toolbar.toolbar import debug_toolbar_urls
from django.db import connection
from django.db.models.signals import post_save, pre_save
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.urls import path

SENDERS = [type(name, (), {}) for name in ("Order", "Line", "Parcel", "Invoice")]
OWN = Signal()
SIGNALS = (pre_save, post_save, OWN)


def count_lines(**named: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute('SELECT COUNT(*) FROM "sqlite_master" WHERE "name" = %s', ["x"])


def reindex(**named: Any) -> None:
    pass


def announce(**named: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def notify(**named: Any) -> None:
    pass


def archive(**named: Any) -> None:
    pass


RECEIVERS = (count_lines, reindex, announce, notify, archive)


def send_many(calls: int, per_send: int) -> None:
    """Send by lot, so that few sends are like those before them."""
    chance = random.Random(1)
    connected = [
        (signal, sender, receiver)
        for signal in SIGNALS
        for number, sender in enumerate(SENDERS)
        for receiver in (RECEIVERS * 2)[number : number + per_send]
    ]
    for signal, sender, receiver in connected:
        signal.connect(receiver, sender=sender)
    try:
        for number in range(calls // per_send):
            signal, sender = chance.choice(SIGNALS), chance.choice(SENDERS)
            instance = f"shop.{sender.__name__}(pk={number // 2 + 12345})"
            signal.send(
                sender,
                instance=instance,
                created=number % 3 == 0,
                update_fields=None,
                raw=False,
                using="default",
            )
    finally:
        for signal, sender, receiver in connected:
            signal.disconnect(receiver, sender=sender)


def page(request: HttpRequest, calls: int, per_send: int) -> HttpResponse:
    send_many(calls, per_send)
    return HttpResponse("<html><head></head><body></body></html>")


urlpatterns = [path("<int:calls>/<int:per_send>/", page), *debug_toolbar_urls()]
