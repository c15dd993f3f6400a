"""The shop's pages.

Those that answer a POST don't redirect: the toolbar, which shows what its own page has
done, is then on the page that has done something.
"""

from asgiref.sync import sync_to_async
from django.contrib.auth import authenticate, login
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.text import slugify
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from trouble.catalogue import TROUBLES

from .catalogue import DEMO_PASSWORD, DEMO_USERNAME, TEA_OF_THE_DAY
from .checkout import acheckout, checkout
from .forms import BasketForm
from .models import Customer, Order, Product, Tag
from .receivers.stock import OutOfStock

require_form_methods = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    products = Product.objects.prefetch_related("tags")
    context = {"products": products, "troubles": TROUBLES}
    return render(request, "shop/home.html", context)


@require_form_methods
def checkout_view(request: HttpRequest) -> HttpResponse:
    customer = _buyer(request.user).first()
    form = BasketForm(Product.objects.all(), _posted(request))
    if customer is not None and form.is_valid():
        try:
            return _receipt(request, checkout(customer, form.lines))
        except OutOfStock as problem:
            form.add_error(None, f"Nothing was ordered: {problem}.")
    return _basket(request, customer, form)


@require_form_methods
async def async_checkout_view(request: HttpRequest) -> HttpResponse:
    customer = await _buyer(await request.auser()).afirst()
    products = [product async for product in Product.objects.all()]
    form = BasketForm(products, _posted(request))
    # Templates know nothing of async, and read the session and the database.
    if customer is not None and form.is_valid():
        try:
            order = await acheckout(customer, form.lines)
            return await sync_to_async(_receipt)(request, order)
        except OutOfStock as problem:
            form.add_error(None, f"Nothing was ordered: {problem}.")
    return await sync_to_async(_basket)(request, customer, form)


@require_POST
def cancel(request: HttpRequest, number: str) -> HttpResponse:
    order = get_object_or_404(Order, number=number, customer__in=_buyer(request.user))
    order.delete()
    return render(request, "shop/cancelled.html", {"order": order})


@require_POST
def tag(request: HttpRequest) -> HttpResponse:
    """Hand the tag "tea of the day" on to the next product."""
    tea_of_the_day, _ = Tag.objects.get_or_create(
        slug=slugify(TEA_OF_THE_DAY), defaults={"name": TEA_OF_THE_DAY}
    )
    before = tea_of_the_day.products.first()
    products = Product.objects.all()
    after = (before and products.filter(pk__gt=before.pk).first()) or products.first()
    tea_of_the_day.products.set([after] if after else [])
    return render(request, "shop/tagged.html", {"before": before, "after": after})


@require_safe
def healthy(request: HttpRequest) -> HttpResponse:
    orders = (
        Order.objects.select_related("customer")
        .annotate(packets=Sum("lines__quantity"))
        .order_by(*Order._meta.ordering)  # which a query that sums leaves out
    )
    return render(request, "shop/healthy.html", {"orders": orders[:12]})


@require_safe
def stock(request: HttpRequest) -> JsonResponse:
    products = Product.objects.values("slug", "name", "price", "stock")
    return JsonResponse({"products": list(products)})


@require_POST
def demo_login(request: HttpRequest) -> HttpResponse:
    user = authenticate(request, username=DEMO_USERNAME, password=DEMO_PASSWORD)
    if user is not None:
        login(request, user)
    return render(request, "shop/welcome.html")


def _posted(request: HttpRequest) -> dict[str, str] | None:
    return request.POST.dict() if request.method == "POST" else None


def _buyer(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Customer]:
    """Whoever isn't logged in buys in the name of the demo's customer."""
    return Customer.objects.select_related("user").filter(
        user__username=user.get_username() or DEMO_USERNAME
    )


def _basket(
    request: HttpRequest, customer: Customer | None, form: BasketForm
) -> HttpResponse:
    return render(request, "shop/checkout.html", {"customer": customer, "form": form})


def _receipt(request: HttpRequest, order: Order) -> HttpResponse:
    lines = order.lines.select_related("product")
    return render(request, "shop/receipt.html", {"order": order, "lines": lines})
