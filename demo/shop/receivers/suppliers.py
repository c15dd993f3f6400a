from typing import Any

from django.db.models import F
from django.dispatch import receiver
from django.utils import timezone

from ..models import Product, Restock
from ..signals import restock_ordered, stock_low


@receiver(stock_low, sender=Product, dispatch_uid="shop.suppliers.reorder")
def reorder(product: Product, **_: Any) -> None:
    restock = Restock.objects.create(
        product=product, quantity=product.shelf_size - product.stock
    )
    restock_ordered.send(sender=Restock, restock=restock)


@receiver(restock_ordered, sender=Restock, dispatch_uid="shop.suppliers.deliver")
def deliver(restock: Restock, **_: Any) -> None:
    """The supplier lives next door, comes at once, and fills every shelf with a gap.

    So the shop is the same after each order, and each order sets off the same signals.
    """
    for product in Product.objects.filter(stock__lt=F("shelf_size")):
        product.stock = product.shelf_size
        product.save(update_fields=["stock"])
    restock.delivered_at = timezone.now()
    restock.save(update_fields=["delivered_at"])
