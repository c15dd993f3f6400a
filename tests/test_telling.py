from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from signal_trace import telling
from signal_trace.parts import NOT_TOLD, Frame, NotCalled
from tests.traces import CHECKOUT

SEND = CHECKOUT.sends[0]


@pytest.mark.parametrize(
    ("sender", "instance", "told"),
    [
        ("shop.Order", "shop.Order(pk=7)", "shop.Order(pk=7)"),
        ("shop.Order", "shop.GiftOrder(pk=7)", "shop.Order"),
        ("shop.Order", None, "shop.Order"),
        ("shop.Order(pk=7)", "shop.Order(pk=7)", "shop.Order(pk=7)"),
        ("shop.Order_tags", "shop.Order(pk=7)", "shop.Order_tags"),
    ],
)
def test_a_model_is_told_by_the_instance(
    sender: str, instance: str | None, told: str
) -> None:
    arguments = {} if instance is None else {"instance": instance}
    assert telling.sender(replace(SEND, sender=sender, arguments=arguments)) == told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, []),
        ({"created": True, "raw": False, "using": "default"}, ["created=True"]),
        ({"created": False, "update_fields": None}, ["created=False"]),
        ({"update_fields": ["status", "paid_at"]}, ["update_fields=[status, paid_at]"]),
        ({"update_fields": []}, ["update_fields=[]"]),
        ({"update_fields": list("abcdef")}, ["update_fields=[a, b, c, d, …]"]),
        ({"raw": True}, ["raw=True"]),
        (
            {"action": "post_add", "pk_set": 3, "reverse": False},
            ["action=post_add", "pk_set=3"],
        ),
        ({"reverse": True}, ["reverse=True"]),
        ({"instance": "shop.Order(pk=7)"}, []),
        ({"instance": "shop.GiftOrder(pk=7)"}, ["instance=shop.GiftOrder(pk=7)"]),
        ({"basket": "shop.Basket(pk=1)"}, []),
        ({"instance": NOT_TOLD, "created": NOT_TOLD}, ["instance", "created"]),
        ({"created": "bool", "raw": "bool"}, ["created: bool"]),
        ({"instance": "shop.carts.Cart"}, ["instance: shop.carts.Cart"]),
        ({"update_fields": "dict_keys"}, ["update_fields: dict_keys"]),
    ],
    ids=str,
)
def test_few_arguments_are_telling(arguments: dict[str, Any], told: list[str]) -> None:
    assert telling.arguments(replace(SEND, arguments=arguments)) == told


def test_of_ones_own_signal_types_are_told_as_types() -> None:
    arguments = {"created": "bool", "action": "str", "instance": "shop.Cart(pk=7)"}
    send = replace(SEND, signal="shop.signals.filled", arguments=arguments)
    assert telling.arguments(send) == [
        "created: bool",
        "action: str",
        "instance=shop.Cart(pk=7)",
    ]


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("/srv/shop/views.py", "shop/views.py:2000"),
        ("C:\\srv\\shop\\views.py", "shop/views.py:2000"),
        ("views.py", "views.py:2000"),
        ("<console>", "<console>:2000"),
    ],
)
def test_a_place_is_short(file: str, place: str) -> None:
    assert telling.place(Frame(file, 2000, "checkout")) == place


@pytest.mark.parametrize(
    ("receiver", "file", "expected"),
    [
        (
            "shop.receivers.mail.send",
            "/srv/shop/receivers/mail.py",
            "shop/receivers/mail.py:7",
        ),
        ("shop.models.Order.touch", "/srv/shop/models.py", "shop/models.py:7"),
        ("shop.apps.f.<locals>.g", "/srv/shop/shop/apps.py", "shop/apps.py:7"),
        ("run", "/srv/run.py", "run.py:7"),
        ("shopping.f", "/srv/shop.py", "srv/shop.py:7"),
        ("__main__.f", "/srv/mysite/manage.py", "mysite/manage.py:7"),
        ("shop.mail.send", "C:\\srv\\shop\\mail.py", "shop/mail.py:7"),
        ("shop.mail.send", "shop/mail.py", "shop/mail.py:7"),
        ("shop.f", "/srv/shop/__init__.py", "shop/__init__.py:7"),
        ("shop.api.f", "/srv/shop/api/__init__.py", "shop/api/__init__.py:7"),
        ("shop.f", "<string>", "<string>:7"),
        ("print", None, ""),
    ],
)
def test_the_place_of_a_receiver_begins_at_the_top_of_the_package(
    receiver: str, file: str | None, expected: str
) -> None:
    line = None if file is None else 7
    assert telling.place(NotCalled(1, "a.signal", receiver, file, line, "")) == expected


def test_the_place_of_a_line_begins_where_python_imports_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = Frame("/srv/mysite/shop/api/views.py", 7, "get")
    assert telling.place(frame) == "api/views.py:7"
    monkeypatch.setattr(sys, "path", ["", "/srv/my", "/srv", "/srv/mysite", "/opt"])
    assert telling.place(frame) == "shop/api/views.py:7"
    monkeypatch.setattr(sys, "path", ["/srv/mysite/"])
    assert telling.place(frame) == "shop/api/views.py:7"


def test_a_full_place_is_no_localised_number() -> None:
    called = NotCalled(1, "a.signal", "shop.pay", "/srv/shop.py", 2000, "")
    assert telling.full_place(called) == "/srv/shop.py:2000"
