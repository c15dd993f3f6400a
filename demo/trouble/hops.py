"""Receivers of the other kind: each such send changes thread or starts a loop."""

import asyncio
from typing import Any

from django.dispatch import Signal, receiver

from .tea_room import TeaRoom

# name: of what is on the table
table_laid = Signal()

# name: of what has closed
shop_closed = Signal()


@receiver(table_laid, dispatch_uid="trouble.hops.fold_napkins")
def fold_napkins(**_: Any) -> None:
    """Synchronous, and so has to be called in a thread."""


async def lay_table() -> None:
    await table_laid.asend(sender=TeaRoom, name="scones")


@receiver(shop_closed, dispatch_uid="trouble.hops.turn_off_lights")
async def turn_off_lights(**_: Any) -> None:
    """Asynchronous, and so needs an event loop for each send."""
    await asyncio.sleep(0)


def close_shop() -> None:
    shop_closed.send(sender=TeaRoom, name="the tea room")
