from django.contrib import admin
from simple_history.admin import SimpleHistoryAdmin

from .models import (
    AuditEntry,
    Customer,
    LoyaltyAccount,
    Order,
    OrderLine,
    Parcel,
    Product,
    Restock,
    SearchEntry,
    Tag,
)


class OrderLineInline(admin.TabularInline):
    model = OrderLine
    extra = 0


@admin.register(Order)
class OrderAdmin(SimpleHistoryAdmin):
    list_display = ("number", "customer", "status", "total", "created_at")
    list_filter = ("status",)
    list_select_related = ("customer",)
    inlines = (OrderLineInline,)


@admin.register(Product)
class ProductAdmin(SimpleHistoryAdmin):
    list_display = ("name", "price", "stock", "reorder_at", "shelf_size")
    filter_horizontal = ("tags",)


@admin.register(Tag)
class TagAdmin(admin.ModelAdmin):
    list_display = ("name", "slug")


@admin.register(Customer)
class CustomerAdmin(admin.ModelAdmin):
    list_display = ("name", "user", "postcode")
    list_select_related = ("user",)


@admin.register(LoyaltyAccount)
class LoyaltyAccountAdmin(admin.ModelAdmin):
    list_display = ("customer", "points")
    list_select_related = ("customer",)


@admin.register(Parcel)
class ParcelAdmin(admin.ModelAdmin):
    list_display = ("order", "booked_at")
    list_select_related = ("order",)


@admin.register(Restock)
class RestockAdmin(admin.ModelAdmin):
    list_display = ("product", "quantity", "ordered_at", "delivered_at")
    list_select_related = ("product",)


@admin.register(SearchEntry)
class SearchEntryAdmin(admin.ModelAdmin):
    list_display = ("product", "text")
    list_select_related = ("product",)


@admin.register(AuditEntry)
class AuditEntryAdmin(admin.ModelAdmin):
    list_display = ("noted_at", "event", "subject")
    list_filter = ("event",)
