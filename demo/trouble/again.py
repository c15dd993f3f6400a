"""Receivers that run once more than anybody meant, and those that set off others."""

from typing import Any

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import Signal, receiver

from .models import Cup, Domino, Pot
from .tea_room import TeaRoom

# cup
cup_ready = Signal()

# name: of who wants tea
bell_rung = Signal()

BRIM = 3
DOMINOES = 10


@receiver(cup_ready, sender=Cup, dispatch_uid="trouble.again.call_waiter")
def call_waiter(**_: Any) -> None:
    """Calls the waiter as often as it is told to."""


def pour_cup() -> None:
    cup = Cup.objects.create(name="Assam")
    cup_ready.send(sender=Cup, cup=cup)
    # Whoever adds the milk believes to be the last.
    cup_ready.send(sender=Cup, cup=cup)
    cup.delete()


def bring_tea(**_: Any) -> None:
    """Connected by two modules, each with a dispatch_uid of its own."""


bell_rung.connect(bring_tea, dispatch_uid="trouble.kitchen.bring_tea")
bell_rung.connect(bring_tea, dispatch_uid="trouble.garden.bring_tea")


def ring_bell() -> None:
    bell_rung.send(sender=TeaRoom, name="table 4")


@receiver(post_save, sender=Pot, dispatch_uid="trouble.again.top_up")
def top_up(instance: Pot, **_: Any) -> None:
    """Saves what is being saved; the brim alone keeps it from going on for ever."""
    if instance.level < BRIM:
        instance.level += 1
        instance.save()


def fill_pot() -> None:
    with transaction.atomic():
        pot = Pot(name="the blue one")
        pot.save()
        pot.delete()


@receiver(post_save, sender=Domino, dispatch_uid="trouble.again.knock_over_next")
def knock_over_next(instance: Domino, **_: Any) -> None:
    if instance.place < DOMINOES:
        Domino.objects.create(place=instance.place + 1)


def knock_over_first() -> None:
    with transaction.atomic():
        Domino.objects.create(place=1)
        Domino.objects.all().delete()
