"""Work that starts before the commit, and may find nothing or be for nothing."""

from typing import Any

from django.core.mail import send_mail
from django.db import transaction
from django.dispatch import Signal, receiver

from .models import Voucher

# voucher
voucher_sold = Signal()


@receiver(voucher_sold, sender=Voucher, dispatch_uid="trouble.early.mail_voucher")
def mail_voucher(voucher: Voucher, **_: Any) -> None:
    """Should be left to `transaction.on_commit`."""
    send_mail(
        subject=f"Your voucher: {voucher}",
        message="Show this at the counter.",
        from_email="shop@quietkettle.example",
        recipient_list=["guest@quietkettle.example"],
    )


def sell_voucher() -> None:
    with transaction.atomic():
        voucher = Voucher.objects.create(name="one pot of tea")
        voucher_sold.send(sender=Voucher, voucher=voucher)
        voucher.delete()
