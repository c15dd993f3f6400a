from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from ..models import Order, Product
from ..signals import order_placed, stock_low


class OutOfStock(Exception):
    """Somebody wants more of a product than there is."""


@receiver(order_placed, sender=Order, dispatch_uid="shop.stock.take_from_shelf")
def take_from_shelf(order: Order, **_: Any) -> None:
    for line in order.lines.all():
        # Read each product only now: the line before this one may have set off a
        # delivery that filled its shelf.
        product = Product.objects.get(pk=line.product_id)
        if product.stock < line.quantity:
            raise OutOfStock(f"only {product.stock} left of {product.name}")
        product.stock -= line.quantity
        product.save(update_fields=["stock"])


@receiver(post_save, sender=Product, dispatch_uid="shop.stock.watch_level")
def watch_level(instance: Product, raw: bool, **_: Any) -> None:
    if not raw and instance.stock <= instance.reorder_at:
        stock_low.send(sender=Product, product=instance)
