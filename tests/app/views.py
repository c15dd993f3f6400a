"""Views that send, each call of one with a sender of its own."""

from __future__ import annotations

import asyncio
import time

from django.http import HttpRequest, HttpResponse, JsonResponse

from tests.app.signals import opened

BUSY_S = 0.002


def make_sender(name: str) -> type:
    return type(name, (), {"__module__": "tests.senders"})


def send(request: HttpRequest, name: str) -> HttpResponse:
    """Sends ``opened``, in whose receiver ``closed`` is sent."""
    sender = make_sender(name)
    opened.send(sender)
    time.sleep(BUSY_S)  # Lets the requests of other threads in between.
    opened.send(sender)
    return HttpResponse(f"<html><body>{name}</body></html>")


async def asend(request: HttpRequest, name: str) -> HttpResponse:
    sender = make_sender(name)
    await opened.asend(sender)
    await asyncio.sleep(BUSY_S)
    await opened.asend(sender)
    return HttpResponse(f"<html><body>{name}</body></html>")


def send_json(request: HttpRequest, name: str) -> JsonResponse:
    opened.send(make_sender(name))
    return JsonResponse({"name": name})


def fail(request: HttpRequest) -> HttpResponse:
    raise ValueError("the view failed")
