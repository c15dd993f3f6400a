"""Traces of a shop, for the documentation's examples: the same every time."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

from signal_trace.conf import Settings
from signal_trace.findings import find
from signal_trace.parts import (
    COMMITTED,
    NO_QUERIES,
    RETURNED,
    SWALLOWED,
    Call,
    Error,
    Frame,
    Queries,
    Send,
    Statement,
)
from signal_trace.trace import Trace
from tests.traces import EMPTY, MS, POST_SAVE

NO_POSTCODE = Error(
    "ValueError",
    "a parcel label needs a postcode",
    (Frame("/srv/shop/receivers/delivery.py", 16, "print_label"),),
)
COUNT_LINES = 'SELECT COUNT(*) FROM "shop_line" WHERE "order_id" = %s'


def checkouts(
    count: int, *, fraud_ms: float = 40, fails_every: int = 0, first: int = 0
) -> list[Trace]:
    """So many checkouts, one each minute."""
    chance = random.Random(count + first)
    return [
        _checkout(
            number,
            fraud_ms * chance.uniform(0.9, 1.2),
            chance,
            fails=bool(fails_every) and number % fails_every == 0,
        )
        for number in range(first + 1, first + count + 1)
    ]


def _checkout(
    number: int, fraud_ms: float, chance: random.Random, *, fails: bool
) -> Trace:
    shelf_ms, mail_ms = chance.uniform(1.5, 2.5), chance.uniform(12, 15)
    lines = Queries(3, MS // 2, 0, 0, 1, Statement(COUNT_LINES, 2))
    announce_ms = fraud_ms + 0.4
    stock_from, order_from, paid_from = 1.0, 1.3 + shelf_ms, 3 + shelf_ms + announce_ms
    sends = (
        _send(
            1,
            POST_SAVE,
            stock_from,
            shelf_ms + announce_ms + 0.6,
            _call(2, "stock.take_from_shelf", stock_from + 0.1, shelf_ms, lines),
            _call(3, "orders.announce_placed", order_from, announce_ms, own_ms=0.2),
            arguments={"instance": f"shop.Order(pk={number})", "created": True},
        ),
        _send(
            4,
            "shop.signals.order_placed",
            order_from + 0.1,
            fraud_ms + 0.2,
            _call(5, "fraud.check_order", order_from + 0.2, fraud_ms),
            parent=3,
        ),
        _send(
            6,
            "shop.signals.order_paid",
            paid_from,
            mail_ms + 0.4,
            _call(
                7, "mail.send_confirmation", paid_from + 0.1, mail_ms, Queries(3, MS)
            ),
            _call(
                8, "delivery.print_label", paid_from + mail_ms + 0.2, 0.1, fails=fails
            ),
            method="send_robust",
        ),
    )
    trace = replace(
        EMPTY,
        id=f"{random.Random(number).getrandbits(128):032x}",
        kind="request",
        name="POST /checkout/",
        started_at=EMPTY.started_at + timedelta(minutes=number),
        duration_ns=_ns(paid_from + mail_ms + 3),
        attributes={"method": "POST", "path": "/checkout/", "status_code": 302},
        sends=sends,
        queries=Queries(8, 2 * MS, 6, MS + MS // 2, 4),
    )
    return replace(trace, findings=find(trace, Settings()))


def _send(
    id: int,
    signal: str,
    start_ms: float,
    duration_ms: float,
    *calls: Call,
    parent: int | None = None,
    method: str = "send",
    arguments: dict[str, object] | None = None,
) -> Send:
    return Send(
        id=id,
        signal=signal,
        sender="shop.Order",
        method=method,
        parent=parent,
        start_ns=_ns(start_ms),
        duration_ns=_ns(duration_ms),
        calls=calls,
        error=None,
        call_site=Frame("/srv/shop/checkout.py", 30 + id, "checkout"),
        arguments=arguments or {},
        transaction=COMMITTED,
    )


def _call(
    id: int,
    name: str,
    start_ms: float,
    duration_ms: float,
    queries: Queries = NO_QUERIES,
    *,
    own_ms: float | None = None,
    fails: bool = False,
) -> Call:
    return Call(
        id=id,
        receiver=f"shop.receivers.{name}",
        file=f"/srv/shop/receivers/{name.partition('.')[0]}.py",
        line=10,
        start_ns=_ns(start_ms),
        duration_ns=_ns(duration_ms),
        self_ns=_ns(duration_ms if own_ms is None else own_ms),
        is_async=False,
        error=NO_POSTCODE if fails else None,
        outcome=SWALLOWED if fails else RETURNED,
        queries=queries,
        app="shop",
    )


def _ns(ms: float) -> int:
    return int(ms * MS)
