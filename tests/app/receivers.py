"""Receivers of the test project's signals, connected by the app."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from django.dispatch import receiver

from tests.app.signals import closed, opened
from tests.app.views import BUSY_S


@receiver(opened)
def close(sender: Any, **kwargs: Any) -> None:
    time.sleep(BUSY_S)
    closed.send(sender)


@receiver(closed)
def note(sender: Any, **kwargs: Any) -> None:
    pass


@receiver(opened)
async def close_later(sender: Any, **kwargs: Any) -> None:
    await asyncio.sleep(BUSY_S)
    await closed.asend(sender)
