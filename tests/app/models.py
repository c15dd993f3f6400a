from django.db import models


class Tag(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self) -> str:
        return self.name


class Book(models.Model):
    title = models.CharField(max_length=50)
    tags = models.ManyToManyField(Tag)

    def __str__(self) -> str:
        return self.title


class Novel(Book):
    """A child by multi-table inheritance."""
