"""What is shown of a send's arguments, and what never is."""

from __future__ import annotations

import contextlib
import gc
import json
import weakref
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from unittest import mock
from uuid import UUID

import pytest
from django.apps import apps
from django.contrib import auth
from django.contrib.auth.signals import user_login_failed
from django.core.management import call_command
from django.db import connection, models
from django.db.models.signals import (
    ModelSignal,
    m2m_changed,
    post_delete,
    post_init,
    post_migrate,
    post_save,
    pre_delete,
    pre_init,
    pre_migrate,
    pre_save,
)
from django.dispatch import Signal
from django.test.signals import setting_changed
from django.test.utils import CaptureQueriesContext

import signal_trace
from signal_trace import Trace
from signal_trace import recording as recording_module
from signal_trace.names import LONGEST_TEXT
from signal_trace.parts import NOT_TOLD
from tests.app.models import Book, Novel, Paperback, Parcel, Place, Tag

if TYPE_CHECKING:
    from pytest_django import Settings

custom = Signal()
of_models = ModelSignal()

SECRET = "swordfish"


class Sender:
    pass


class Plain:
    pass


class Str(str):
    pass


def note(**kwargs: Any) -> None:
    pass


Connect = Callable[..., None]


@pytest.fixture(autouse=True)
def no_bugs(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> Iterator[None]:
    """A bug of ours would be logged, and the send go on without its arguments."""
    monkeypatch.setattr(recording_module, "_reported", set())
    yield
    assert [one.name for one in caplog.records if one.name.startswith("signal_")] == []


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connects a receiver, for as long as the test lasts."""
    with contextlib.ExitStack() as stack:

        def connect(*signals: Signal, sender: Any = None) -> None:
            for signal in signals:
                signal.connect(note, sender)
                stack.callback(signal.disconnect, note, sender)

        yield connect


@pytest.fixture(autouse=True)
def hear_custom(connect: Connect) -> None:
    connect(custom, of_models)


def arguments(trace: Trace) -> list[tuple[str, dict[str, Any]]]:
    """Each send's signal, by its last name, and arguments."""
    assert Trace.from_json(trace.to_json()) == trace
    return [(one.signal.rpartition(".")[2], one.arguments) for one in trace.sends]


def shown(signal: Signal = custom, **named: Any) -> dict[str, Any]:
    """The arguments of a send, as its trace shows them."""
    with signal_trace.record() as recording:
        signal.send(Sender, **named)
    ((_, arguments_),) = arguments(recording.trace)
    return arguments_


# Django's own signals.


@pytest.mark.django_db
def test_saving(connect: Connect) -> None:
    connect(pre_save, post_save, sender=Tag)
    tag = Tag(name=SECRET)
    with signal_trace.record() as recording:
        tag.save()
        tag.save(update_fields=["name"])
    pk = tag.pk
    same = {"raw": False, "using": "default"}
    assert arguments(recording.trace) == [
        ("pre_save", {"instance": "app.Tag(pk=None)", **same, "update_fields": None}),
        (
            "post_save",
            {
                "instance": f"app.Tag(pk={pk})",
                "created": True,
                "update_fields": None,
                **same,
            },
        ),
        (
            "pre_save",
            {"instance": f"app.Tag(pk={pk})", **same, "update_fields": ["name"]},
        ),
        (
            "post_save",
            {
                "instance": f"app.Tag(pk={pk})",
                "created": False,
                "update_fields": ["name"],
                **same,
            },
        ),
    ]
    assert SECRET not in recording.trace.to_json()


@pytest.mark.django_db
def test_deleting(connect: Connect) -> None:
    connect(pre_delete, post_delete, sender=Tag)
    tag = Tag.objects.create(name=SECRET)
    pk = tag.pk
    with signal_trace.record() as recording:
        tag.delete()
        Tag.objects.create(pk=7)
        Tag.objects.all().delete()
    one = {
        "instance": f"app.Tag(pk={pk})",
        "using": "default",
        "origin": f"app.Tag(pk={pk})",
    }
    two = {
        "instance": "app.Tag(pk=7)",
        "using": "default",
        "origin": "django.db.models.query.QuerySet",
    }
    assert arguments(recording.trace) == [
        ("pre_delete", one),
        ("post_delete", one),
        ("pre_delete", two),
        ("post_delete", two),
    ]


def test_making_an_instance(connect: Connect) -> None:
    connect(pre_init, post_init, sender=Tag)
    with signal_trace.record() as recording:
        Tag(name=SECRET)
        Tag(3, SECRET)
    assert arguments(recording.trace) == [
        ("pre_init", {"args": "tuple", "kwargs": "dict"}),
        ("post_init", {"instance": "app.Tag(pk=None)"}),
        ("pre_init", {"args": "tuple", "kwargs": "dict"}),
        ("post_init", {"instance": "app.Tag(pk=3)"}),
    ]
    assert SECRET not in recording.trace.to_json()


@pytest.mark.django_db
def test_many_to_many_relations(connect: Connect) -> None:
    book, tag = Book.objects.create(pk=1), Tag.objects.create(pk=2)
    connect(m2m_changed, sender=Book.tags.through)
    with signal_trace.record() as recording:
        book.tags.add(tag, Tag.objects.create(pk=3))
        book.tags.remove(tag)
        book.tags.clear()
        tag.book_set.add(book)
    changes = [named for _, named in arguments(recording.trace)]
    for change in changes:
        assert change.pop("using") == "default"
        assert not change.pop("raw", False)  # Since Django 6.1.
    mine = {"instance": "app.Book(pk=1)", "model": "app.Tag", "reverse": False}
    theirs = {"instance": "app.Tag(pk=2)", "model": "app.Book", "reverse": True}
    assert changes == [
        {"action": "pre_add", "pk_set": 2, **mine},
        {"action": "post_add", "pk_set": 2, **mine},
        {"action": "pre_remove", "pk_set": 1, **mine},
        {"action": "post_remove", "pk_set": 1, **mine},
        {"action": "pre_clear", "pk_set": None, **mine},
        {"action": "post_clear", "pk_set": None, **mine},
        {"action": "pre_add", "pk_set": 1, **theirs},
        {"action": "post_add", "pk_set": 1, **theirs},
    ]


@pytest.mark.django_db
def test_migrating(connect: Connect) -> None:
    connect(pre_migrate, post_migrate, sender=apps.get_app_config("app"))
    with signal_trace.record() as recording:
        call_command("migrate", verbosity=0)
    before, after = (
        one
        for one in recording.trace.sends
        if any(call.receiver == f"{__name__}.note" for call in one.calls)
    )
    for one in (before, after):
        assert one.arguments["app_config"] == "tests.app.apps.TestAppConfig"
        assert one.arguments["verbosity"] == "int"
        assert one.arguments["interactive"] is True
        assert one.arguments["using"] == "default"
        assert one.arguments["plan"] == "list"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["b", "a"], ["b", "a"]),
        (("b", "a"), ["b", "a"]),
        ({"c", "a", "d", "b"}, ["a", "b", "c", "d"]),
        (frozenset(), []),
        ({"a": SECRET}, "dict"),
        (iter([SECRET]), "list_iterator"),
        (SECRET, "str"),
        ([Str("a"), 5, "\udc80"], ["Str", "int", "\\udc80"]),
        (["x" * 1000], ["x" * LONGEST_TEXT]),
    ],
)
def test_update_fields_may_be_any_collection(
    connect: Connect, given: Any, expected: Any
) -> None:
    connect(pre_save, sender=Sender)
    assert shown(pre_save, update_fields=given) == {"update_fields": expected}


# Instances.


class Unsaved(models.Model):  # noqa: DJ008
    """Its primary key is of an odd type."""

    id = models.JSONField(primary_key=True)

    class Meta:
        app_label = "odd"


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        (Tag(), "app.Tag(pk=None)"),
        (Tag(pk=5), "app.Tag(pk=5)"),
        (Novel(pk=5), "app.Novel(pk=5)"),
        (Novel(), "app.Novel(pk=None)"),
        (Paperback(pk=5), "app.Paperback(pk=5)"),
        (
            Parcel(pk=UUID("12345678123456781234567812345678")),
            "app.Parcel(pk=12345678-1234-5678-1234-567812345678)",
        ),
        (Parcel(pk=SECRET), f"app.Parcel(pk={SECRET})"),
        (Place(shelf="A", number=3), "app.Place(pk=A, 3)"),
        (Place(), "app.Place(pk=, None)"),
        (Unsaved(pk={SECRET: 1}), "odd.Unsaved(pk=dict)"),
    ],
)
@pytest.mark.parametrize("signal", [custom, of_models])
def test_a_model_instance_is_its_label_and_primary_key(
    signal: Signal, instance: models.Model, expected: str
) -> None:
    assert shown(signal, one=instance) == {"one": expected}


@pytest.mark.django_db
def test_deferred_fields_stay_deferred() -> None:
    Book.objects.create(pk=1, title=SECRET)
    Novel.objects.create(pk=2)
    books = [Book.objects.defer("title").get(pk=1), Novel.objects.only("title").get()]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert shown(one=books[0], other=books[1]) == {
            "one": "app.Book(pk=1)",
            "other": "app.Novel(pk=2)",
        }
    assert len(queries) == 0
    assert books[0].get_deferred_fields() == {"title"}


@pytest.mark.django_db
def test_the_primary_key_is_that_of_when_the_send_was_made(connect: Connect) -> None:
    tag = Tag(name="a")
    with signal_trace.record() as recording:
        custom.send(Sender, one=tag)
        tag.save()
        custom.send(Sender, one=tag)
    (_, before), (_, after) = arguments(recording.trace)
    assert before == {"one": "app.Tag(pk=None)"}
    assert after == {"one": f"app.Tag(pk={tag.pk})"}


# Everything else.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SECRET, "str"),
        (42, "int"),
        (4.5, "float"),
        (True, "bool"),
        (False, "bool"),
        (b"bytes", "bytes"),
        ([SECRET], "list"),
        ({SECRET: SECRET}, "dict"),
        (Decimal("4.5"), "decimal.Decimal"),
        (Str(SECRET), f"{__name__}.Str"),
        (Plain(), f"{__name__}.Plain"),
        (Plain, f"{__name__}.Plain"),
        (Tag, "app.Tag"),
        (note, "function"),
        (None, None),
    ],
)
def test_of_a_signal_that_is_not_djangos_values_are_never_shown(
    value: Any, expected: str | None
) -> None:
    names = ["value", "using", "action", "update_fields", "pk_set", "created", "raw"]
    named = dict.fromkeys(names, value)
    for signal in (custom, of_models, Signal()):
        signal.connect(note)
        found = shown(signal, **named)
        assert list(found) == names
        kinds = {one.rpartition(".")[2] for one in found.values() if one}
        assert kinds == ({expected.rpartition(".")[2]} if expected else set())
        assert found["value"] == expected


ran: list[Any] = []


def raises(*args: Any, **kwargs: Any) -> Any:
    ran.append(len(args))
    raise AssertionError("the application's code was run")


DUNDERS = [
    *("__repr__", "__str__", "__format__", "__eq__", "__ne__", "__hash__", "__len__"),
    *("__bool__", "__iter__", "__contains__", "__getitem__", "__call__", "__bytes__"),
    *("__getattr__", "__getattribute__", "__int__", "__index__", "__float__"),
    *("__reduce__", "__reduce_ex__", "__copy__", "__deepcopy__", "__dir__"),
    *("__instancecheck__", "__subclasscheck__", "__lt__", "__gt__", "__sizeof__"),
]
Hostile = type("Hostile", (), dict.fromkeys(DUNDERS, raises))
HostileText = type("HostileText", (str,), dict.fromkeys(DUNDERS, raises))
HostileList = type("HostileList", (list,), dict.fromkeys(DUNDERS, raises))
HostileSet = type("HostileSet", (frozenset,), dict.fromkeys(DUNDERS, raises))
Meta = type("Meta", (type,), dict.fromkeys(DUNDERS, raises))
HostileClass = type.__call__(Meta, "HostileClass", (), {"__module__": __name__})


class HostileTag(Tag):
    """A model whose every method of Python's fails."""

    class Meta:
        proxy = True
        app_label = "odd"


for _name in set(DUNDERS) - {"__getattribute__"}:
    setattr(HostileTag, _name, raises)


# Made in the test: pytest itself would call them.
HOSTILE: dict[str, Callable[[], Any]] = {
    "Hostile": Hostile,
    "HostileText": HostileText,
    "HostileList": HostileList,
    "HostileSet": HostileSet,
    # Not even its name is to be had.
    "object": lambda: HostileClass,
    "odd.HostileTag(pk=5)": lambda: HostileTag(pk=5),
    "unittest.mock.MagicMock": mock.MagicMock,
}


@pytest.mark.parametrize("signal", [custom, of_models, pre_save, m2m_changed])
@pytest.mark.parametrize("expected", HOSTILE)
def test_nothing_of_a_value_is_called(
    connect: Connect, signal: Signal, expected: str
) -> None:
    value = HOSTILE[expected]()
    connect(signal, sender=Sender)
    ran.clear()
    names = ["value", "using", "action", "update_fields", "pk_set", "created", "raw"]
    found = shown(signal, **dict.fromkeys(names, value))
    ends = [one.removeprefix(f"{__name__}.") for one in found.values()]
    assert ends == [expected] * len(names)
    assert not ran or expected == "object"


def test_what_looks_like_a_model_and_is_none() -> None:
    class Options:
        label = "fake.Model"
        pk_fields = [mock.Mock(attname="id")]  # noqa: RUF012

    class Slotted:
        __slots__ = ()
        _meta = Options()

    class Fake:
        _meta = Options()

    assert shown(one=Slotted(), other=Fake()) == {
        "one": "fake.Model",
        "other": "fake.Model(pk=None)",
    }


# Secrets.


@pytest.mark.django_db
def test_credentials_are_shown_nowhere(connect: Connect) -> None:
    connect(user_login_failed)
    with signal_trace.record() as recording:
        auth.authenticate(username=SECRET, password=SECRET)
    ((name, named),) = arguments(recording.trace)
    assert name == "user_login_failed"
    assert named == {"credentials": "dict", "request": None}
    assert SECRET not in recording.trace.to_json()


def test_a_setting_is_shown_nowhere(connect: Connect, settings: Settings) -> None:
    connect(setting_changed)
    with signal_trace.record() as recording:
        settings.SECRET_KEY = SECRET
        settings.SECRET_KEY = [SECRET]
    assert SECRET not in recording.trace.to_json()
    assert [one["value"] for _, one in arguments(recording.trace)] == ["str", "list"]


# Settings.


@pytest.mark.django_db
def test_names_only(connect: Connect, settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"ARGUMENTS": "names"}
    connect(post_save, sender=Tag)
    with signal_trace.record() as recording:
        Tag.objects.create(pk=1)
        custom.send(Sender, one=Hostile(), other=SECRET)
    assert arguments(recording.trace) == [
        (
            "post_save",
            dict.fromkeys(
                ["instance", "created", "update_fields", "raw", "using"], NOT_TOLD
            ),
        ),
        ("custom", {"one": NOT_TOLD, "other": NOT_TOLD}),
    ]


@pytest.mark.django_db
def test_no_arguments(connect: Connect, settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"ARGUMENTS": "off"}
    connect(post_save, sender=Tag)
    with signal_trace.record() as recording:
        Tag.objects.create(pk=1)
        custom.send(Sender, one=Hostile(), other=SECRET)
    assert arguments(recording.trace) == [("post_save", {}), ("custom", {})]


# Names.


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", ""),
        ("a b", "a b"),
        ("\udc80", "\\udc80"),
        ("x" * 1000, "x" * LONGEST_TEXT),
        ("ключ", "ключ"),
        (Str("text"), "text"),
    ],
)
def test_odd_names(name: str, expected: str) -> None:
    assert shown(**{name: 1}) == {expected: "int"}
    assert all(type(one) is str for one in shown(**{name: 1}))


def test_arguments_stand_in_the_order_of_the_send() -> None:
    assert list(shown(c=1, a=2, b=3)) == ["c", "a", "b"]
    assert shown() == {}


@pytest.mark.parametrize("method", ["send", "send_robust"])
def test_every_method_and_what_it_is_called_with(method: str) -> None:
    with signal_trace.record() as recording:
        getattr(custom, method)(sender=Sender, instance=Tag(pk=1))
    assert arguments(recording.trace) == [("custom", {"instance": "app.Tag(pk=1)"})]


def test_no_argument_is_kept_alive() -> None:
    gc.disable()
    try:
        thing, tag, field = Plain(), Tag(pk=1), Plain()
        alive = [weakref.ref(thing), weakref.ref(tag), weakref.ref(field)]
        with signal_trace.record() as recording:
            custom.send(Sender, thing=thing, tag=tag, update_fields=[field])
            del thing, tag, field
            assert [one() for one in alive] == [None, None, None]
    finally:
        gc.enable()
    assert json.loads(recording.trace.to_json())["sends"][0]["arguments"] == {
        "thing": f"{__name__}.Plain",
        "tag": "app.Tag(pk=1)",
        "update_fields": "list",
    }
