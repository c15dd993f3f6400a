from typing import Any

from django.db.models.signals import post_delete
from django.dispatch import receiver

from ..models import LoyaltyAccount, Order
from ..signals import order_paid, points_earned


@receiver(order_paid, sender=Order, dispatch_uid="shop.loyalty.award_points")
def award_points(order: Order, **_: Any) -> None:
    account = LoyaltyAccount.objects.get(customer=order.customer_id)
    account.points += order.points
    account.save(update_fields=["points"])
    points_earned.send(sender=LoyaltyAccount, account=account, points=order.points)


@receiver(post_delete, sender=Order, dispatch_uid="shop.loyalty.take_back_points")
def take_back_points(instance: Order, **_: Any) -> None:
    if instance.status != Order.Status.PAID:
        return
    # There is no account any more where the whole customer is being deleted.
    account = LoyaltyAccount.objects.filter(customer=instance.customer_id).first()
    if account is not None:
        account.points = max(0, account.points - instance.points)
        account.save(update_fields=["points"])
