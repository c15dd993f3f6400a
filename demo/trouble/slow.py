"""Receivers that take long, or are called more often than anybody meant."""

import time
from typing import Any

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import Signal, receiver

from .models import Crate, Leaf, Packet
from .tea_room import TeaRoom

# crate
crate_opened = Signal()

# name: of what is sold
tea_sold = Signal()

PACKETS = 12
LEAVES = 30


@receiver(tea_sold, dispatch_uid="trouble.slow.ask_tax_office")
def ask_tax_office(**_: Any) -> None:
    """Stands for another company's slow service: it sleeps."""
    time.sleep(0.15)


def sell_tea() -> None:
    tea_sold.send(sender=TeaRoom, name="Assam")


@receiver(post_save, sender=Leaf, dispatch_uid="trouble.slow.weigh_harvest")
def weigh_harvest(**_: Any) -> int:
    """Once would do, after the last of them."""
    return Leaf.objects.count()


def pick_leaves() -> None:
    with transaction.atomic():
        for number in range(LEAVES):
            Leaf(name=f"leaf {number}").save()
        Leaf.objects.all().delete()


@receiver(crate_opened, sender=Crate, dispatch_uid="trouble.slow.print_labels")
def print_labels(crate: Crate, **_: Any) -> list[str]:
    """Reads the crate anew for each packet: `select_related` is missing."""
    packets = Packet.objects.filter(crate_id=crate.pk)
    return [f"{packet.name} of {packet.crate.name}" for packet in packets]


def open_crate() -> None:
    with transaction.atomic():
        crate = Crate.objects.create(name="Darjeeling")
        Packet.objects.bulk_create(
            Packet(name=f"packet {number}", crate=crate) for number in range(PACKETS)
        )
    crate_opened.send(sender=Crate, crate=crate)
    crate.delete()
