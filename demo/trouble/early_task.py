"""The same with a task. Django has tasks since 6.0, and this is imported only there."""

from typing import Any

from django.db import transaction
from django.dispatch import Signal, receiver
from django.tasks import task

from .models import Voucher

# voucher
voucher_ordered = Signal()


@task
def print_voucher(pk: int) -> str:
    """Another process may run it before the voucher is there for it to see."""
    return f"Voucher {pk}"


@receiver(
    voucher_ordered, sender=Voucher, dispatch_uid="trouble.early_task.queue_voucher"
)
def queue_voucher(voucher: Voucher, **_: Any) -> None:
    """Should be left to `transaction.on_commit`."""
    print_voucher.enqueue(pk=voucher.pk)


def order_voucher() -> None:
    with transaction.atomic():
        voucher = Voucher.objects.create(name="one pot of tea")
        voucher_ordered.send(sender=Voucher, voucher=voucher)
        voucher.delete()
