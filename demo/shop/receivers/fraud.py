import time
from typing import Any

from django.dispatch import receiver

from ..models import Order
from ..signals import order_placed


@receiver(order_placed, sender=Order, dispatch_uid="shop.fraud.check_order")
def check_order(order: Order, **_: Any) -> None:
    """Stands for another company's slow service: it sleeps, and always agrees."""
    time.sleep(0.04)
