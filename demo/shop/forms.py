from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm

from .catalogue import DEMO_PASSWORD, DEMO_USERNAME, USUAL_BASKET
from .checkout import Line
from .models import Product


class BasketForm(forms.Form):
    """One field for each product; posted without any, it is the usual basket."""

    def __init__(
        self, products: Iterable[Product], data: Mapping[str, Any] | None = None
    ) -> None:
        self.products = list(products)
        slugs = {product.slug for product in self.products}
        if data is not None and not slugs & data.keys():
            data = USUAL_BASKET
        super().__init__(data, label_suffix="")
        for product in self.products:
            self.fields[product.slug] = forms.IntegerField(
                label=product.name,
                initial=USUAL_BASKET.get(product.slug, 0),
                min_value=0,
                max_value=9_999,
                required=False,
            )

    def clean(self) -> dict[str, Any]:
        if not self.errors and not self.lines:
            raise forms.ValidationError("Your basket is empty.")
        return self.cleaned_data

    @property
    def lines(self) -> list[Line]:
        return [
            Line(product, quantity)
            for product in self.products
            if (quantity := self.cleaned_data.get(product.slug))
        ]


class DemoLoginForm(AuthenticationForm):
    """Django's, filled in already."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label_suffix="", **kwargs)
        self.fields["username"].initial = DEMO_USERNAME
        password = self.fields["password"]
        password.initial = DEMO_PASSWORD
        password.widget.render_value = True
