"""The model that the pages save."""

from __future__ import annotations

from django.db import models


class Row(models.Model):
    """A small row: what is dear in saving one is the database's part."""

    name = models.CharField(max_length=40)
    number = models.IntegerField(default=0)

    def __str__(self) -> str:
        return self.name


class Other(models.Model):
    """Another model's receivers hear nothing of a Row."""

    def __str__(self) -> str:
        return str(self.pk)
