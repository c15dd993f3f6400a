from typing import Any

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.signals import (
    user_logged_in,
    user_logged_out,
    user_login_failed,
)
from django.db.models.signals import post_delete
from django.dispatch import receiver

from ..models import AuditEntry, Order, Parcel, Product
from ..signals import order_paid, order_placed, parcel_booked, stock_low


@receiver(
    [order_placed, order_paid], sender=Order, dispatch_uid="shop.audit.note_order"
)
def note_order(order: Order, **_: Any) -> None:
    AuditEntry.objects.create(event=f"order {order.status}", subject=order.number)


@receiver(post_delete, sender=Order, dispatch_uid="shop.audit.note_cancelled_order")
def note_cancelled_order(instance: Order, **_: Any) -> None:
    AuditEntry.objects.create(event="order cancelled", subject=instance.number)


@receiver(stock_low, sender=Product, dispatch_uid="shop.audit.note_low_stock")
def note_low_stock(product: Product, **_: Any) -> None:
    AuditEntry.objects.create(event="stock low", subject=product.slug)


@receiver(parcel_booked, sender=Parcel, dispatch_uid="shop.audit.note_parcel")
def note_parcel(parcel: Parcel, **_: Any) -> None:
    AuditEntry.objects.create(event="parcel booked", subject=parcel.order.number)


@receiver(user_logged_in, dispatch_uid="shop.audit.note_login")
def note_login(user: AbstractUser, **_: Any) -> None:
    AuditEntry.objects.create(event="login", subject=user.get_username())


@receiver(user_logged_out, dispatch_uid="shop.audit.note_logout")
def note_logout(user: AbstractUser | None, **_: Any) -> None:
    if user is not None:
        AuditEntry.objects.create(event="logout", subject=user.get_username())


@receiver(user_login_failed, dispatch_uid="shop.audit.note_failed_login")
def note_failed_login(**_: Any) -> None:
    # Under which name isn't noted: people type passwords into the wrong field.
    AuditEntry.objects.create(event="login failed", subject="somebody")
