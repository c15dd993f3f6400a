from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db.models.signals import post_save
from django.dispatch import receiver

from ..models import Customer, LoyaltyAccount


@receiver(
    post_save,
    sender=settings.AUTH_USER_MODEL,
    dispatch_uid="shop.customers.open_account",
)
def open_account(instance: AbstractUser, created: bool, raw: bool, **_: Any) -> None:
    """Whoever can log in can also buy, and collects points from the first order on."""
    if created and not raw:
        account_of(instance)


def account_of(user: AbstractUser) -> LoyaltyAccount:
    name = user.get_full_name() or user.get_username()
    customer, _ = Customer.objects.get_or_create(user=user, defaults={"name": name})
    account, _ = LoyaltyAccount.objects.get_or_create(customer=customer)
    return account
