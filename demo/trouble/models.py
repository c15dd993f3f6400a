"""Things that trouble can be had with, each with its own.

No row outlives the page that made it, so that every visit sets off the same signals.
"""

from __future__ import annotations

from django.db import models


class Thing(models.Model):
    name = models.CharField(max_length=40)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class Leaf(Thing):
    class Meta:
        verbose_name_plural = "leaves"


class Crate(Thing):
    pass


class Packet(Thing):
    crate = models.ForeignKey(Crate, on_delete=models.CASCADE, related_name="packets")


class Cup(Thing):
    pass


class Pot(Thing):
    level = models.PositiveIntegerField(default=0)


class Domino(models.Model):
    place = models.PositiveIntegerField()

    class Meta:
        verbose_name_plural = "dominoes"

    def __str__(self) -> str:
        return f"Domino {self.place}"


class Booking(Thing):
    pass


class Voucher(Thing):
    pass


class Recipe(Thing):
    pass


class RecipeChange(models.Model):
    """What a receiver notes of each recipe that is saved."""

    recipe = models.ForeignKey(Recipe, on_delete=models.CASCADE, related_name="changes")

    def __str__(self) -> str:
        return f"Change of {self.recipe}"


class Price(Thing):
    cents = models.PositiveIntegerField()


class Tea(Thing):
    pass


class GreenTea(Tea):
    """A proxy, with the table of its parent."""

    class Meta:
        proxy = True


class Ware(Thing):
    pass


class Teapot(Ware):
    """A child, with a table of its own."""

    holds = models.PositiveIntegerField()
