from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from simple_history.models import HistoricalRecords


class Tag(models.Model):
    name = models.CharField(max_length=40, unique=True)
    slug = models.SlugField(max_length=40, unique=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    name = models.CharField(max_length=80, unique=True)
    slug = models.SlugField(max_length=80, unique=True)
    blurb = models.CharField(max_length=200, blank=True)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    stock = models.PositiveIntegerField(default=0)
    reorder_at = models.PositiveIntegerField(default=5)
    shelf_size = models.PositiveIntegerField(default=40)
    tags = models.ManyToManyField(Tag, related_name="products", blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ("pk",)
        constraints = (
            # A full shelf that still counts as low would be reordered for ever.
            models.CheckConstraint(
                condition=Q(reorder_at__lt=F("shelf_size")),
                name="shop_product_full_shelf_is_enough",
            ),
        )

    def __str__(self) -> str:
        return self.name


class SearchEntry(models.Model):
    """What the search knows of a product."""

    product = models.OneToOneField(
        Product, on_delete=models.CASCADE, related_name="search_entry"
    )
    text = models.TextField()

    class Meta:
        verbose_name_plural = "search entries"

    def __str__(self) -> str:
        return self.text


class Customer(models.Model):
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="customer"
    )
    name = models.CharField(max_length=160)
    postcode = models.CharField(max_length=16, blank=True)

    def __str__(self) -> str:
        return self.name


class LoyaltyAccount(models.Model):
    customer = models.OneToOneField(
        Customer, on_delete=models.CASCADE, related_name="loyalty"
    )
    points = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.points} points"


class Order(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft"
        PLACED = "placed"
        PAID = "paid"

    number = models.CharField(max_length=16, unique=True, editable=False)
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="orders"
    )
    status = models.CharField(
        max_length=8, choices=Status.choices, default=Status.DRAFT
    )
    total = models.DecimalField(max_digits=12, decimal_places=2, default=Decimal(0))
    created_at = models.DateTimeField(default=timezone.now)
    parcel_label = models.TextField(blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ("-created_at", "-pk")

    def __str__(self) -> str:
        return self.number

    @property
    def points(self) -> int:
        """One for every whole euro."""
        return int(self.total)

    def advance(self, status: Order.Status) -> None:
        self.status = status
        self.save(update_fields=["status"])


class OrderLine(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField()
    price = models.DecimalField(max_digits=8, decimal_places=2)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.quantity} of {self.product}"

    @property
    def total(self) -> Decimal:
        return self.price * self.quantity


class Parcel(models.Model):
    order = models.OneToOneField(Order, on_delete=models.CASCADE, related_name="parcel")
    booked_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"Parcel of {self.order}"


class Restock(models.Model):
    product = models.ForeignKey(
        Product, on_delete=models.CASCADE, related_name="restocks"
    )
    quantity = models.PositiveIntegerField()
    ordered_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-ordered_at", "-pk")

    def __str__(self) -> str:
        return f"{self.quantity} of {self.product}"


class AuditEntry(models.Model):
    event = models.CharField(max_length=40)
    subject = models.CharField(max_length=150)
    noted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-noted_at", "-pk")
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.event}: {self.subject}"
