from typing import Any

from django.core.mail import send_mail
from django.dispatch import receiver
from django.template.loader import render_to_string

from ..models import Order
from ..signals import order_paid


@receiver(order_paid, sender=Order, dispatch_uid="shop.mail.send_confirmation")
def send_confirmation(order: Order, **_: Any) -> None:
    send_mail(
        subject=f"Your order {order.number}",
        message=render_to_string("shop/confirmation.txt", {"order": order}),
        from_email="shop@quietkettle.example",
        recipient_list=[order.customer.user.email],
    )
