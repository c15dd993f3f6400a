from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils.text import slugify

from ...catalogue import (
    DEMO_PASSWORD,
    DEMO_USERNAME,
    ITEMS,
    TEA_OF_THE_DAY,
    USUAL_BASKET,
    Item,
)
from ...models import Customer, Order, Product, Tag
from ...receivers.customers import account_of


class Command(BaseCommand):
    help = "Fill the shelves and let the demo's customer in, as often as you like."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        customer = _let_customer_in()
        for item in ITEMS:
            _fill_shelf(item)
        tea_of_the_day = _tag(TEA_OF_THE_DAY)
        if not tea_of_the_day.products.exists():
            tea_of_the_day.products.add(Product.objects.get(slug=ITEMS[0].slug))
        if not Order.objects.exists():
            _first_order(customer)
        self.stdout.write(
            f"{len(ITEMS)} products are on the shelves. "
            f"Log in as {DEMO_USERNAME}, with the password {DEMO_PASSWORD}."
        )


def _let_customer_in() -> Customer:
    users = get_user_model().objects
    user = users.filter(username=DEMO_USERNAME).first()
    if user is None:
        user = users.create_superuser(
            DEMO_USERNAME,
            "demo@quietkettle.example",
            DEMO_PASSWORD,
            first_name="Demo",
            last_name="Customer",
        )
    elif not user.check_password(DEMO_PASSWORD):
        user.set_password(DEMO_PASSWORD)
        user.save(update_fields=["password"])
    return account_of(user).customer


def _fill_shelf(item: Item) -> None:
    """Saves only what differs, and so leaves no history of changes that are none."""
    wanted = {
        "name": item.name,
        "blurb": item.blurb,
        "price": item.price,
        "stock": item.shelf_size,
        "reorder_at": item.reorder_at,
        "shelf_size": item.shelf_size,
    }
    product, _ = Product.objects.get_or_create(slug=item.slug, defaults=wanted)
    changed = {
        name: value for name, value in wanted.items() if getattr(product, name) != value
    }
    if changed:
        vars(product).update(changed)
        product.save(update_fields=changed)
    product.tags.add(*map(_tag, item.tags))


def _first_order(customer: Customer) -> None:
    """Something to look at before anybody has bought anything."""
    products = Product.objects.in_bulk(list(USUAL_BASKET), field_name="slug")
    order = Order.objects.create(
        customer=customer,
        status=Order.Status.PAID,
        total=sum(products[slug].price * count for slug, count in USUAL_BASKET.items()),
    )
    for slug, count in USUAL_BASKET.items():
        order.lines.create(
            product=products[slug], quantity=count, price=products[slug].price
        )


def _tag(name: str) -> Tag:
    tag, _ = Tag.objects.get_or_create(slug=slugify(name), defaults={"name": name})
    return tag
