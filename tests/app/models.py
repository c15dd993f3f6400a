from uuid import uuid4

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


class Paperback(Book):
    """A proxy."""

    class Meta:
        proxy = True


class Dated(models.Model):
    """An abstract parent."""

    on = models.DateField(null=True)

    class Meta:
        abstract = True


class Review(Dated):
    text = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.text


class Visit(Dated):  # noqa: DJ008
    pass


class Parcel(models.Model):  # noqa: DJ008
    id = models.UUIDField(primary_key=True, default=uuid4)


class Place(models.Model):  # noqa: DJ008
    """Where a book stands: its primary key is composite."""

    pk = models.CompositePrimaryKey("shelf", "number")
    shelf = models.CharField(max_length=10)
    number = models.IntegerField()


class Reader(models.Model):
    """Outlives its book."""

    book = models.ForeignKey(Book, models.SET_NULL, null=True)

    def __str__(self) -> str:
        return f"of {self.book}"
