"""Receivers that fail, and what becomes of the others."""

from contextlib import suppress
from typing import Any

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import Signal, receiver

from .models import Booking
from .tea_room import TeaRoom

# name: of whom the bill is for
bill_paid = Signal()

# name: of what was delivered
goods_arrived = Signal()


class OutOfPaper(Exception):
    """The printer needs somebody."""


class WrongGoods(Exception):
    """Nobody has ordered this."""


class NoTableLeft(Exception):
    """Too many have come."""


@receiver(bill_paid, dispatch_uid="trouble.failing.print_receipt")
def print_receipt(**_: Any) -> None:
    raise OutOfPaper("the receipt was not printed")


def pay_bill() -> None:
    bill_paid.send_robust(sender=TeaRoom, name="table 4")


@receiver(goods_arrived, dispatch_uid="trouble.failing.check_goods")
def check_goods(**_: Any) -> None:
    raise WrongGoods("coffee")


@receiver(goods_arrived, dispatch_uid="trouble.failing.fill_shelves")
def fill_shelves(**_: Any) -> None:
    """Would run, were it connected before `check_goods`."""


@receiver(goods_arrived, dispatch_uid="trouble.failing.pay_supplier")
def pay_supplier(**_: Any) -> None:
    """The same."""


def take_delivery() -> None:
    with suppress(WrongGoods):
        goods_arrived.send(sender=TeaRoom, name="coffee")


@receiver(post_save, sender=Booking, dispatch_uid="trouble.failing.confirm_booking")
def confirm_booking(**_: Any) -> None:
    """Stands for a message to the guest, which nothing takes back."""


def book_table() -> None:
    with suppress(NoTableLeft), transaction.atomic():
        Booking(name="a table for two").save()
        raise NoTableLeft
