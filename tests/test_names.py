from __future__ import annotations

import functools
import gc
import uuid
import weakref
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.db import models
from django.dispatch import Signal
from django.utils.functional import SimpleLazyObject

from signal_trace.names import (
    LONGEST_TEXT,
    Memory,
    receiver_name,
    sender_kind,
    sender_name,
    type_name,
)
from signal_trace.signal_names import signal_name
from tests.app.models import Book, Novel

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    Imported = Callable[..., ModuleType]

HERE = __name__


def receive(**kwargs: Any) -> None:
    pass


def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return decorated


@decorate
def receive_decorated(**kwargs: Any) -> None:
    pass


@decorate
def receive_decorated_too(**kwargs: Any) -> None:
    pass


class Receivers:
    def method(self, **kwargs: Any) -> None:
        pass

    @classmethod
    def class_method(cls, **kwargs: Any) -> None:
        pass

    @staticmethod
    def static_method(**kwargs: Any) -> None:
        pass

    @decorate
    def decorated_method(self, **kwargs: Any) -> None:
        pass

    def __call__(self, **kwargs: Any) -> None:
        pass


class MoreReceivers(Receivers):
    pass


class Slotted:
    __slots__ = ()

    def __call__(self, **kwargs: Any) -> None:
        pass


class Hostile:
    """Raises whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __call__(self, **kwargs: Any) -> None:
        pass


class Untouchable:
    """Fails where anything is asked that could run an application's queries."""

    def _fail(self, *args: object) -> Any:
        pytest.fail("the application's code was run")

    __repr__ = __str__ = __eq__ = __hash__ = __bool__ = __len__ = _fail
    __format__ = __call__ = _fail


def with_pk(pk: Any) -> Book:
    return Book(pk=pk)


def line_of(function: Any) -> int:
    line: int = function.__code__.co_firstlineno
    return line


@pytest.mark.parametrize(
    ("receiver", "name"),
    [
        (receive, "receive"),
        (Receivers().method, "Receivers.method"),
        (Receivers.method, "Receivers.method"),
        (MoreReceivers().method, "Receivers.method"),
        (Receivers.class_method, "Receivers.class_method"),
        (Receivers.static_method, "Receivers.static_method"),
        (Receivers().decorated_method, "Receivers.decorated_method"),
        (receive_decorated, "receive_decorated"),
        (functools.partial(receive, extra=1), "receive"),
        (functools.partial(functools.partial(receive), extra=1), "receive"),
        (functools.partial(Receivers().method, extra=1), "Receivers.method"),
        (functools.partial(receive_decorated, extra=1), "receive_decorated"),
        (functools.partial(Receivers(), extra=1), "Receivers"),
        (functools.lru_cache(receive), "receive"),
        (functools.lru_cache(receive_decorated), "receive_decorated"),
        (Receivers(), "Receivers"),
        (MoreReceivers(), "MoreReceivers"),
        (Receivers, "Receivers"),
        (Slotted(), "Slotted"),
        (Untouchable(), "Untouchable"),
    ],
)
def test_receiver_has_the_name_that_its_author_gave_it(
    receiver: Any, name: str
) -> None:
    assert receiver_name(receiver).name == f"{HERE}.{name}"


def test_receiver_whose_attributes_raise_is_named_and_found() -> None:
    found = receiver_name(Hostile())
    assert found.name == f"{HERE}.Hostile"
    assert (found.file, found.line) == (__file__, line_of(Hostile.__call__))


@pytest.mark.parametrize(
    ("receiver", "name"),
    [
        (print, "builtins.print"),
        ([].append, "list.append"),
        (dict, "dict"),
        (mock.Mock(), "unittest.mock.Mock"),
        (mock.MagicMock(), "unittest.mock.MagicMock"),
        (mock.AsyncMock(), "unittest.mock.AsyncMock"),
        (mock.Mock(spec=receive), "unittest.mock.Mock"),
        (mock.Mock(wraps=receive), "unittest.mock.Mock"),
        (functools.partial(mock.Mock(), extra=1), "unittest.mock.Mock"),
        (mock.call, "unittest.mock._Call"),
    ],
)
def test_receiver_of_someone_else_has_its_name(receiver: Any, name: str) -> None:
    assert receiver_name(receiver).name == name


def test_autospec_of_a_receiver_has_its_name() -> None:
    assert receiver_name(mock.create_autospec(receive)).name.endswith("receive")


def test_local_function_is_named_with_the_function_around_it() -> None:
    def local(**kwargs: Any) -> None:
        pass

    around = "test_local_function_is_named_with_the_function_around_it"
    assert receiver_name(local).name == f"{HERE}.{around}.<locals>.local"
    assert receiver_name(lambda **kwargs: None).name == (
        f"{HERE}.{around}.<locals>.<lambda>"
    )


@pytest.mark.parametrize(
    ("receiver", "function"),
    [
        (receive, receive),
        (Receivers().method, Receivers.method),
        (Receivers.class_method, Receivers.class_method.__func__),  # type: ignore[attr-defined]
        (receive_decorated, receive_decorated.__wrapped__),  # type: ignore[attr-defined]
        (Receivers().decorated_method, Receivers.decorated_method.__wrapped__),  # type: ignore[attr-defined]
        (functools.partial(receive), receive),
        (functools.lru_cache(receive), receive),
        (Receivers(), Receivers.__call__),
        (functools.partial(Receivers()), Receivers.__call__),
        (Slotted(), Slotted.__call__),
    ],
)
def test_receiver_is_found_where_its_author_wrote_it(
    receiver: Any, function: Any
) -> None:
    found = receiver_name(receiver)
    assert (found.file, found.line) == (__file__, line_of(function))


def test_class_as_receiver_is_found_at_its_init() -> None:
    class Reaction:
        def __init__(self, **kwargs: Any) -> None:
            pass

    found = receiver_name(Reaction)
    assert (found.file, found.line) == (__file__, line_of(Reaction.__init__))


@pytest.mark.parametrize("receiver", [print, [].append, dict, object()])
def test_what_is_not_written_in_python_has_no_place(receiver: Any) -> None:
    found = receiver_name(receiver)
    assert (found.file, found.line) == (None, None)


def test_decorated_receivers_that_share_their_code_have_names_of_their_own() -> None:
    assert receive_decorated.__code__ is receive_decorated_too.__code__
    assert receiver_name(receive_decorated).name == f"{HERE}.receive_decorated"
    assert receiver_name(receive_decorated_too).name == f"{HERE}.receive_decorated_too"


def test_decorator_that_wraps_itself_is_named() -> None:
    def circular(**kwargs: Any) -> None:
        pass

    circular.__wrapped__ = circular  # type: ignore[attr-defined]
    assert receiver_name(circular).name.endswith(".circular")


def test_receiver_without_module_is_named() -> None:
    def stray(**kwargs: Any) -> None:
        pass

    stray.__module__ = None  # type: ignore[assignment]
    stray.__qualname__ = "stray"
    assert receiver_name(stray).name == "stray"


def test_receiver_is_described_once() -> None:
    receivers = Receivers()
    assert receiver_name(receive) is receiver_name(receive)
    assert receiver_name(receivers.method) is receiver_name(receivers.method)


def test_naming_keeps_nothing_alive() -> None:
    class Model:
        def method(self) -> None:
            pass

    def local(**kwargs: Any) -> None:
        pass

    instance, signal = Model(), Signal()
    subjects = [Model, local, instance, signal]
    receiver_name(local)
    receiver_name(instance.method)
    receiver_name(functools.partial(instance.method))
    receiver_name(Model)
    sender_name(Model)
    sender_name(instance)
    name = signal_name(signal)
    assert name.name.startswith("unnamed")
    alive = [weakref.ref(subject) for subject in subjects]
    del Model, local, instance, signal, subjects
    gc.collect()
    assert [reference() for reference in alive] == [None] * 4


def test_memory_forgets_what_dies() -> None:
    memory: Memory[str] = Memory()
    subject = Receivers()
    memory.keep(subject, "kept")
    assert memory.get(id(subject)) == "kept"
    assert len(memory) == 1
    del subject
    gc.collect()
    assert len(memory) == 0


def test_memory_gives_back_what_it_cannot_keep() -> None:
    memory: Memory[str] = Memory()
    assert memory.keep(Slotted(), "given") == "given"
    assert len(memory) == 0


def test_new_receiver_at_an_old_ones_id_has_its_own_name() -> None:
    ids = set()
    for number in range(100):

        def local(**kwargs: Any) -> None:
            pass

        local.__qualname__ = f"local_{number}"
        assert receiver_name(local).name == f"{HERE}.local_{number}"
        ids.add(id(local))
        del local
    assert len(ids) < 100, "no id came twice, so that this proves nothing"


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        (Book, "app.Book"),
        (Novel, "app.Novel"),
        (Book(), "app.Book(pk=None)"),
        (Book(pk=1), "app.Book(pk=1)"),
        (Novel(pk=2), "app.Novel(pk=2)"),
        (Book(pk="a slug"), "app.Book(pk=a slug)"),
        (with_pk(uuid.UUID(int=7)), f"app.Book(pk={uuid.UUID(int=7)})"),
        (with_pk(Untouchable()), "app.Book(pk=Untouchable)"),
        (User, "auth.User"),
        (None, "None"),
        ("checkout", "checkout"),
        (dict, "dict"),
        (5, "int instance"),
        (Receivers, f"{HERE}.Receivers"),
        (Receivers(), f"{HERE}.Receivers instance"),
        (Slotted(), f"{HERE}.Slotted instance"),
        (Untouchable, f"{HERE}.Untouchable"),
        (Untouchable(), f"{HERE}.Untouchable instance"),
        (mock.MagicMock(), "unittest.mock.MagicMock instance"),
    ],
)
def test_sender_has_the_name_of_its_kind(sender: Any, name: str) -> None:
    assert sender_name(sender).name == name


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        (Book, "app.Book"),
        (Book(pk=1), "app.Book instance"),
        ("checkout", "str instance"),
        (None, "None"),
        (Untouchable(), f"{HERE}.Untouchable instance"),
    ],
)
def test_kind_of_a_sender_is_the_same_for_each_instance(sender: Any, name: str) -> None:
    assert sender_kind(sender).name == name


def test_instance_as_sender_knows_its_models_label() -> None:
    names = ("app.Book", "tests.app.models.Book")
    assert sender_kind(Book(pk=1)).class_names == names
    assert sender_name(Book(pk=1)).class_names == names


def test_model_with_a_composite_key_is_named_by_all_of_it() -> None:
    class Line(models.Model):  # noqa: DJ008
        pk = models.CompositePrimaryKey("order", "number")
        order = models.IntegerField()
        number = models.IntegerField()

        class Meta:
            app_label = "names"

    try:
        assert sender_name(Line(order=3, number=4)).name == "names.Line(pk=3, 4)"
        assert sender_name(Line()).name == "names.Line(pk=None, None)"
    finally:
        del Line._meta.apps.all_models["names"]
        Line._meta.apps.clear_cache()


def test_long_text_as_sender_is_cut() -> None:
    assert sender_name("x" * 10_000).name == "x" * LONGEST_TEXT
    assert len(sender_name(Book(pk="x" * 10_000)).name) == LONGEST_TEXT


def test_lazy_sender_is_not_evaluated() -> None:
    def evaluate() -> Any:
        pytest.fail("evaluated")

    lazy = SimpleLazyObject(evaluate)
    assert sender_name(lazy).name == "django.utils.functional.SimpleLazyObject instance"


def test_deferred_fields_of_a_sender_are_not_loaded() -> None:
    book = Book.from_db("default", ["id"], [5])
    assert book.get_deferred_fields() == {"title"}
    assert sender_name(book).name == "app.Book(pk=5)"
    assert book.get_deferred_fields() == {"title"}


def test_sender_whose_attributes_raise_is_named() -> None:
    assert sender_name(Hostile()).name == f"{HERE}.Hostile instance"


def test_class_of_a_metaclass_that_raises_is_named() -> None:
    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            raise RuntimeError(name)

    class Strange(metaclass=Meta):
        pass

    assert sender_name(Strange).name == "object"
    assert sender_name(Strange()).name == "object instance"


@pytest.mark.parametrize(
    ("cls", "name"),
    [(ValueError, "ValueError"), (Receivers, f"{HERE}.Receivers")],
)
def test_builtin_types_are_named_without_their_module(cls: type, name: str) -> None:
    assert type_name(cls) == name
