"""What receivers and senders are called.

Each name is worked out once and remembered for as long as its object lives, and
never keeps that object alive. Nothing here calls ``repr``, ``str``, ``==`` or
``hash`` of an application's object: any of them may run queries or fail.
"""

from __future__ import annotations

import functools
import types
import weakref
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.apps import apps

T = TypeVar("T")

# A chain of decorators or partials longer than this is an object that answers
# every attribute, such as a mock, and not a chain.
LONGEST_CHAIN = 50
LONGEST_TEXT = 200

# Primary keys of these types are shown: their text is Python's own work.
PLAIN_KEYS = (int, str, type(None), UUID)


class Memory(Generic[T]):
    """Values by the identity of an object, forgotten when the object dies.

    The weak reference's callback removes an entry before the object's id can be
    used again, so that an id found here is always that of the same object.
    """

    def __init__(self) -> None:
        #: By id; only to be read.
        self.values: dict[int, T] = {}
        self._references: dict[int, weakref.ref[Any]] = {}
        self.get = self.values.get

    def keep(self, subject: object, value: T) -> T:
        """Remember *value* for *subject* where it can be referred to weakly."""
        key = id(subject)
        this = weakref.ref(self)  # A memory may be short-lived, too.

        def forget(_: object) -> None:
            memory = this()
            if memory is not None:
                memory.values.pop(key, None)
                memory._references.pop(key, None)

        try:
            self._references[key] = weakref.ref(subject, forget)
        except TypeError:
            return value
        self.values[key] = value
        return value

    def reference(self, key: int) -> weakref.ref[Any] | None:
        """Leads to the object with that id, if it is remembered here."""
        return self._references.get(key)

    def __len__(self) -> int:
        return len(self.values)


class ReceiverName:
    """A receiver's dotted name, and the file and line where its code begins."""

    __slots__ = ("file", "line", "name")

    def __init__(self, name: str, file: str | None, line: int | None) -> None:
        self.name = name
        self.file = file
        self.line = line


class SenderName:
    """A sender's name, and the names of its class.

    For a model instance also the attributes of its primary key (several where that
    is composite), of which a name of its own can be made.
    """

    __slots__ = ("class_names", "name", "pk_names")

    def __init__(
        self,
        name: str,
        class_names: tuple[str, ...] = (),
        pk_names: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.class_names = class_names
        self.pk_names = pk_names

    @property
    def class_name(self) -> str:
        """What its class is called: a model's label, or a dotted name."""
        return self.class_names[0] if self.class_names else self.name


NO_SENDER = SenderName("None")

_receivers: Memory[ReceiverName] = Memory()
# By their class, those that can't be referred to weakly: one name serves them all.
_unreferable: Memory[ReceiverName] = Memory()
_senders: Memory[SenderName] = Memory()
_instances: Memory[SenderName] = Memory()

#: The name of a receiver by its id, for who can't wait; None where `receiver_name` is
#: to be asked.
known_receiver = _receivers.get

#: The name of instances by their class's id, likewise; see `sender_kind`.
known_instance = _instances.get

#: Leads to a class by its id, if it has been named as a sender before.
known_class = _senders.reference


def receiver_name(receiver: Any) -> ReceiverName:
    """Name *receiver* as its author would.

    ``module.Class.method`` for a bound method, the wrapped function for a
    decorated one, the inner function for a partial, the class for any other
    callable object.
    """
    known = _receivers.get(id(receiver))
    if known is not None:
        return known
    # A bound method is made anew each time that it is looked up; what lasts is
    # its function.
    lasting = receiver.__func__ if type(receiver) is types.MethodType else receiver
    known = _receivers.get(id(lasting))
    if known is not None:
        return known
    # So may a wrapper be, where somebody else wraps receivers at each send.
    inner = _innermost(lasting)
    known = _receivers.get(id(inner))
    if known is None:
        known = _name_anew(inner)
    return known if inner is lasting else _receivers.keep(lasting, known)


def sender_kind(sender: Any) -> SenderName:
    """Name *sender* by its class: ``shop.Order`` for the model and, with the word
    "instance", for any instance of it."""
    if issubclass(type(sender), type):
        known = _senders.get(id(sender))
        if known is None:
            names = _class_names(sender)
            known = _senders.keep(sender, SenderName(names[0], names))
        return known
    if sender is None:
        return NO_SENDER
    cls = type(sender)
    known = _instances.get(id(cls))
    if known is None:
        known = _instances.keep(cls, _describe_instances(cls))
    return known


def sender_name(sender: Any) -> SenderName:
    """Name *sender*: as `sender_kind` does, and a model instance by its label and
    primary key, a string by itself."""
    kind = sender_kind(sender)
    if type(sender) is str:
        return SenderName(encodable(sender[:LONGEST_TEXT]))
    if kind.pk_names:
        return SenderName(
            instance_name(kind, instance_key(kind, sender)), kind.class_names
        )
    return kind


def instance_key(kind: SenderName, instance: Any) -> object:
    """The primary key of a model *instance* of that *kind*, as a plain value; of one
    that is composite a text."""
    names, values = kind.pk_names, instance.__dict__
    if len(names) == 1:  # Nearly always, and the send waits for this.
        value = values.get(names[0])
        cls = type(value)
        return value if cls is int or cls in PLAIN_KEYS else cls.__name__
    return ", ".join(
        [
            str(value) if type(value) in PLAIN_KEYS else type(value).__name__
            for value in map(values.get, names)
        ]
    )


def instance_name(kind: SenderName, key: object) -> str:
    """What a model instance is called: ``shop.Order(pk=42)``."""
    name = f"{kind.class_name}(pk={key})"
    return name if type(key) is int else encodable(name[:LONGEST_TEXT])


def app_label(name: str) -> str:
    """The label of the installed app that what is called *name* is defined in; else the
    first part of the name."""
    if not apps.apps_ready:
        return name.partition(".")[0]
    labels = _labels
    if labels.of is not apps.app_configs or len(labels.by_name) >= MOST_LABELS:
        labels = _Labels()
    label = labels.by_name.get(name)
    if label is None:
        app = apps.get_containing_app_config(name)
        label = app.label if app is not None else name.partition(".")[0]
        labels.by_name[name] = label
    return label


MOST_LABELS = 10_000


class _Labels:
    """The labels by name, as long as the same apps are installed."""

    def __init__(self) -> None:
        global _labels
        self.of: object = apps.app_configs
        self.by_name: dict[str, str] = {}
        _labels = self


_labels = _Labels()


def encodable(text: str) -> str:
    """*text* with lone surrogates escaped, which no file or response could hold."""
    return text.encode(errors="backslashreplace").decode()


def type_name(cls: type) -> str:
    """The dotted name of a class, builtins without their module."""
    module = attribute(cls, "__module__", str)
    qualname = attribute(cls, "__qualname__", str) or "object"
    return qualname if module in (None, "builtins") else f"{module}.{qualname}"


def attribute(subject: object, name: str, kind: type[T]) -> T | None:
    """The attribute where it exists and is of *kind*; whatever else, None."""
    try:
        value = getattr(subject, name, None)
    except Exception:
        return None
    return value if issubclass(type(value), kind) else None


def _class_names(cls: type) -> tuple[str, ...]:
    """A model's label and its dotted name; any other class's dotted name."""
    label = attribute(attribute(cls, "_meta", object), "label", str)
    return (label, type_name(cls)) if label else (type_name(cls),)


def _describe_instances(cls: type) -> SenderName:
    names = _class_names(cls)
    pk_fields = attribute(attribute(cls, "_meta", object), "pk_fields", list) or []
    if not attribute(cls, "__dictoffset__", int):
        pk_fields = []  # No model, whose values stand in a dictionary.
    pk_names = [attribute(field, "attname", str) for field in pk_fields]
    return SenderName(f"{names[0]} instance", names, tuple(filter(None, pk_names)))


def _innermost(receiver: Any) -> Any:
    """The function under decorators, partials and methods."""
    for _ in range(LONGEST_CHAIN):
        if issubclass(type(receiver), functools.partial):
            receiver = receiver.func
        elif type(receiver) is types.MethodType:
            receiver = receiver.__func__
        else:
            wrapped = attribute(receiver, "__wrapped__", object)
            if wrapped is None or not callable(wrapped):
                break
            receiver = wrapped
    return receiver


def _name_anew(inner: Any) -> ReceiverName:
    cls = type(inner)
    name = _unreferable.get(id(cls))
    if name is None:
        name = _receivers.keep(inner, _describe_receiver(inner))
        if _receivers.get(id(inner)) is None:
            _unreferable.keep(cls, name)
    return name


def _describe_receiver(inner: Any) -> ReceiverName:
    if issubclass(type(inner), type):
        name, source = type_name(inner), attribute(inner, "__init__", object)
    elif (qualname := attribute(inner, "__qualname__", str)) is not None:
        module = attribute(inner, "__module__", str)
        name, source = f"{module}.{qualname}" if module else qualname, inner
    else:
        name = type_name(type(inner))
        source = attribute(type(inner), "__call__", object)
    code = attribute(_innermost(source), "__code__", types.CodeType)
    if code is None:
        return ReceiverName(name, None, None)
    return ReceiverName(name, code.co_filename, code.co_firstlineno)
