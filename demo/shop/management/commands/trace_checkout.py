from typing import Any

from django.core.management.base import BaseCommand, CommandError

import signal_trace

from ...catalogue import DEMO_USERNAME, USUAL_BASKET
from ...checkout import Line, checkout
from ...models import Customer, Product


class Command(BaseCommand):
    help = "Check the usual basket out, and print what the signals did."

    def handle(self, *args: Any, **options: Any) -> None:
        customer = (
            Customer.objects.select_related("user")
            .filter(user__username=DEMO_USERNAME)
            .first()
        )
        products = Product.objects.in_bulk(list(USUAL_BASKET), field_name="slug")
        if customer is None or len(products) < len(USUAL_BASKET):
            raise CommandError("The shop is empty. Fill it first: manage.py seed")
        lines = [Line(products[slug], count) for slug, count in USUAL_BASKET.items()]
        self.stdout.write(
            "Tracing a checkout. One receiver fails, on purpose: Django logs what"
            " send_robust swallows.\n"
        )
        self.stdout.flush()  # Before what is logged to the standard error.
        with signal_trace.record("checkout", kind="command") as recording:
            checkout(customer, lines)
        self.stdout.write("")
        self.stdout.write(recording.trace.export("text"))
