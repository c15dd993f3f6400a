from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from asgiref.sync import sync_to_async
from django.db import transaction

from .models import Customer, Order, OrderLine, Product
from .signals import order_paid


class Line(NamedTuple):
    product: Product
    quantity: int


def checkout(customer: Customer, lines: Iterable[Line]) -> Order:
    """Place and pay an order; tell the rest of the shop once it is committed."""
    with transaction.atomic():
        order = _place_and_pay(customer, lines)
        transaction.on_commit(partial(_announce_paid, order))
    return order


async def acheckout(customer: Customer, lines: Iterable[Line]) -> Order:
    """The same. Transactions are synchronous in Django, so that part has a thread."""
    order = await sync_to_async(transaction.atomic(_place_and_pay))(customer, lines)
    await order_paid.asend_robust(sender=Order, order=order)
    return order


def _place_and_pay(customer: Customer, lines: Iterable[Line]) -> Order:
    lines = list(lines)
    total = sum(line.product.price * line.quantity for line in lines)
    order = Order.objects.create(customer=customer, total=total)
    # Nobody listens to order lines, so nobody misses what bulk_create doesn't send.
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            product=line.product,
            quantity=line.quantity,
            price=line.product.price,
        )
        for line in lines
    )
    order.advance(Order.Status.PLACED)
    order.advance(Order.Status.PAID)
    return order


def _announce_paid(order: Order) -> None:
    order_paid.send_robust(sender=Order, order=order)
