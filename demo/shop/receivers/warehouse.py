import asyncio
from typing import Any

from django.dispatch import receiver

from ..models import Order, Parcel
from ..signals import order_paid, parcel_booked


@receiver(order_paid, sender=Order, dispatch_uid="shop.warehouse.book_parcel")
async def book_parcel(order: Order, **_: Any) -> None:
    """The sleep stands for the answer of the warehouse's web service."""
    await asyncio.sleep(0.02)
    parcel = await Parcel.objects.acreate(order=order)
    await parcel_booked.asend(sender=Parcel, parcel=parcel)
