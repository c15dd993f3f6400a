"""Views that send, each call of one with a sender of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    JsonResponse,
    StreamingHttpResponse,
)

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


def stream(request: HttpRequest, name: str) -> StreamingHttpResponse:
    """Sends ``opened`` before the body, and once for each of its two parts."""

    def body() -> Iterator[str]:
        for part in ("one ", "two"):
            opened.send(sender)
            yield part

    sender = make_sender(name)
    opened.send(sender)
    return StreamingHttpResponse(body())


async def astream(request: HttpRequest, name: str) -> StreamingHttpResponse:
    async def body() -> AsyncIterator[str]:
        for part in ("one ", "two"):
            await opened.asend(sender)
            yield part

    sender = make_sender(name)
    await opened.asend(sender)
    return StreamingHttpResponse(body())


def send_file(request: HttpRequest, name: str) -> FileResponse:
    opened.send(make_sender(name))
    return FileResponse(Path(__file__).open("rb"))


def fail(request: HttpRequest) -> HttpResponse:
    raise ValueError("the view failed")
