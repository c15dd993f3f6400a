"""One module for each thing that the shop does when something happens.

Django calls receivers in the order in which they were connected, and that is the order
of these imports.
"""

# isort: off
from . import customers, orders
from . import stock, suppliers, fraud
from . import mail, delivery, loyalty, search, webhooks, warehouse
from . import audit
# isort: on

__all__ = [
    "audit",
    "customers",
    "delivery",
    "fraud",
    "loyalty",
    "mail",
    "orders",
    "search",
    "stock",
    "suppliers",
    "warehouse",
    "webhooks",
]
