import secrets
from typing import Any

from django.db.models.signals import post_save, pre_save
from django.dispatch import receiver

from ..models import Order
from ..signals import order_placed


@receiver(pre_save, sender=Order, dispatch_uid="shop.orders.give_number")
def give_number(instance: Order, raw: bool, **_: Any) -> None:
    if not raw and not instance.number:
        instance.number = f"QK-{secrets.token_hex(4).upper()}"


@receiver(post_save, sender=Order, dispatch_uid="shop.orders.announce_placed")
def announce_placed(
    instance: Order, raw: bool, update_fields: frozenset[str] | None, **_: Any
) -> None:
    """Only a step from one status to the next is news; a save of the rest is not."""
    if raw or update_fields is None or "status" not in update_fields:
        return
    if instance.status == Order.Status.PLACED:
        order_placed.send(sender=Order, order=instance)
