"""Receivers that run where they shouldn't, and others that don't where they should."""

from typing import Any

from django.core.management import call_command
from django.db import transaction
from django.db.models import F
from django.db.models.signals import post_save
from django.dispatch import receiver

from .models import GreenTea, Price, Recipe, RecipeChange, Tea, Teapot, Ware


@receiver(post_save, sender=Recipe, dispatch_uid="trouble.unheard.note_change")
def note_change(instance: Recipe, **_: Any) -> None:
    """Doesn't look at `raw`: fixtures bring their own rows, and this adds another."""
    RecipeChange.objects.create(recipe_id=instance.pk)


def load_recipes() -> None:
    with transaction.atomic():
        call_command("loaddata", "recipes", verbosity=0)
        Recipe.objects.all().delete()


@receiver(post_save, sender=Price, dispatch_uid="trouble.unheard.print_price_tag")
def print_price_tag(**_: Any) -> None:
    """Isn't told of an `update()`, nor of a `bulk_create()`."""


def raise_prices() -> None:
    with transaction.atomic():
        Price.objects.bulk_create([Price(name="Assam", cents=740)])
        Price.objects.update(cents=F("cents") + 20)
        Price.objects.all().delete()


@receiver(post_save, sender=Tea, dispatch_uid="trouble.unheard.taste_tea")
def taste_tea(**_: Any) -> None:
    """Is told of teas, and not of green ones, although they have the same table."""


def buy_green_tea() -> None:
    tea = GreenTea(name="Sencha")
    tea.save()
    tea.delete()


@receiver(post_save, sender=Ware, dispatch_uid="trouble.unheard.dust_ware")
def dust_ware(**_: Any) -> None:
    """Is told of wares, and not of teapots, although each is a ware too."""


def buy_teapot() -> None:
    teapot = Teapot(name="the blue one", holds=6)
    teapot.save()
    teapot.delete()
