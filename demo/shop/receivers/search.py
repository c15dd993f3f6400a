from typing import Any

from django.db.models.signals import m2m_changed, post_save
from django.dispatch import receiver

from ..models import Product, SearchEntry, Tag

INDEXED = {"name", "blurb"}


def index(product: Product) -> None:
    words = [product.name, product.blurb, *(tag.name for tag in product.tags.all())]
    SearchEntry.objects.update_or_create(
        product=product, defaults={"text": " ".join(filter(None, words))}
    )


@receiver(post_save, sender=Product, dispatch_uid="shop.search.index_saved")
def index_saved(
    instance: Product, raw: bool, update_fields: frozenset[str] | None, **_: Any
) -> None:
    if not raw and (update_fields is None or INDEXED & update_fields):
        index(instance)


@receiver(
    m2m_changed, sender=Product.tags.through, dispatch_uid="shop.search.index_tagged"
)
def index_tagged(
    instance: Product | Tag, action: str, pk_set: set[int] | None, **_: Any
) -> None:
    """Tags change from either end: `product.tags.add(...)`, `tag.products.set(...)`."""
    if action not in {"post_add", "post_remove", "post_clear"}:
        return
    changed = Product.objects.prefetch_related("tags")
    if isinstance(instance, Product):
        changed = changed.filter(pk=instance.pk)
    elif pk_set is not None:
        changed = changed.filter(pk__in=pk_set)
    # What is left is a tag that was cleared, and doesn't tell of which products.
    for product in changed:
        index(product)
