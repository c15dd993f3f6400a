"""Mail that is sent and tasks that are enqueued, in receivers and outside."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any

import django
import pytest
from django.core import mail
from django.core.mail.backends import locmem
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.dispatch import Signal

import signal_trace
from signal_trace import Trace
from signal_trace.parts import MAIL, TASK, Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django import Settings

try:
    from django.tasks import task
    from django.tasks.base import Task
except ImportError:  # Before Django 6.0.
    task = None

    class Task:  # type: ignore[no-redef]
        pass


class Sender:
    pass


LOCMEM = "django.core.mail.backends.locmem.EmailBackend"


class Forwarding(BaseEmailBackend):
    """Hands everything on to another backend."""

    def send_messages(self, email_messages: Any) -> int:
        return locmem.EmailBackend().send_messages(email_messages)


class Inheriting(Forwarding):
    """Has no method of its own."""


class Extending(Forwarding):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stamp = "x"

    def send_messages(self, email_messages: Any) -> int:
        return super().send_messages(email_messages)


class Failing(BaseEmailBackend):
    def send_messages(self, email_messages: Any) -> int:
        raise ConnectionRefusedError("nobody there")


class Empty(BaseEmailBackend):
    pass


def use(settings: Settings, backend: type | str) -> None:
    name = backend if type(backend) is str else f"{__name__}.{backend.__name__}"  # type: ignore[union-attr]
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": name}}
    else:
        settings.EMAIL_BACKEND = name


@pytest.fixture(autouse=True)
def mailer(settings: Settings) -> None:
    use(settings, LOCMEM)


def send_mail() -> None:
    assert mail.send_mail("Hello", "Text", "a@example.com", ["b@example.com"]) == 1


def send_alternatives() -> None:
    message = mail.EmailMultiAlternatives("Hello", "Text", "a@x.com", ["b@x.com"])
    message.attach_alternative("<p>Text</p>", "text/html")
    assert message.send() == 1


def send_mass_mail() -> None:
    messages = [("Hello", "Text", "a@example.com", [f"{n}@x.com"]) for n in range(3)]
    assert mail.send_mass_mail(messages) == 3


def send_to_nobody() -> None:
    assert mail.send_mail("Hello", "Text", "a@example.com", []) == 0


def received(work: Callable[[], Any]) -> Trace:
    """What is recorded of a receiver that does this."""

    def receive(**kwargs: Any) -> None:
        work()

    signal = Signal()
    signal.connect(receive)
    with signal_trace.record() as recorded:
        signal.send(Sender)
    return recorded.trace


def of_kind(trace: Trace, kind: str) -> list[Event]:
    return [event for event in trace.events if event.kind == kind]


@pytest.mark.parametrize(
    ("send", "count"), [(send_mail, 1), (send_alternatives, 1), (send_mass_mail, 3)]
)
def test_every_message_counts(send: Callable[[], None], count: int) -> None:
    trace = received(send)
    assert len(mail.outbox) == count
    (event,) = of_kind(trace, MAIL)
    assert (event.subject, event.count) == (LOCMEM, count)
    assert event.call == trace.sends[0].calls[0].id
    assert event.call_site is not None
    assert (event.call_site.file, event.call_site.function) == (__file__, send.__name__)
    assert (event.in_transaction, event.in_callback) == (False, False)


def test_mail_outside_of_receivers() -> None:
    with signal_trace.record() as recorded:
        send_mail()
        send_mail()
        send_to_nobody()
    assert [(event.count, event.call) for event in recorded.trace.events] == [(2, None)]
    assert len(mail.outbox) == 2


def test_mail_outside_of_a_recording_is_no_event() -> None:
    send_mail()
    with signal_trace.record() as recorded:
        pass
    assert recorded.trace.events == ()


@pytest.mark.parametrize("backend", [Forwarding, Inheriting, Extending])
def test_a_backend_that_hands_on_counts_once(settings: Settings, backend: type) -> None:
    use(settings, backend)
    trace = received(send_mass_mail)
    (event,) = of_kind(trace, MAIL)
    assert (event.subject, event.count) == (f"{__name__}.{backend.__name__}", 3)
    assert len(mail.outbox) == 3


def test_a_backend_that_fails_raises_what_it_raises_and_sent_nothing(
    settings: Settings,
) -> None:
    use(settings, Failing)
    with signal_trace.record() as recorded:
        with pytest.raises(ConnectionRefusedError, match="nobody there"):
            send_mail()
        use(settings, LOCMEM)
        send_mail()
    assert [event.subject for event in recorded.trace.events] == [LOCMEM]


def test_no_messages_are_no_mail() -> None:
    with signal_trace.record() as recorded:
        assert mail.send_mass_mail([]) == 0
        send_mail()
    assert [event.count for event in recorded.trace.events] == [1]


@pytest.mark.usefixtures("unpatched")
def test_a_backend_without_the_method_is_refused_as_by_django(
    settings: Settings,
) -> None:
    use(settings, Empty)
    with pytest.raises(NotImplementedError) as without:
        send_mail()
    with signal_trace.record(), pytest.raises(NotImplementedError) as within:
        send_mail()
    assert str(within.value) == str(without.value)


def test_an_iterator_of_messages_is_handed_on_unread() -> None:
    def messages() -> Iterator[mail.EmailMessage]:
        for n in range(3):
            yield mail.EmailMessage("Hello", "Text", "a@x.com", [f"{n}@x.com"])

    with signal_trace.record() as recorded:
        assert locmem.EmailBackend().send_messages(messages()) == 3
    assert [event.count for event in recorded.trace.events] == [1]


def test_backends_are_given_their_messages_by_any_name() -> None:
    message = mail.EmailMessage("Hello", "Text", "a@x.com", ["b@x.com"])
    with signal_trace.record() as recorded:
        assert locmem.EmailBackend().send_messages(messages=[message, message]) == 2
        assert Forwarding().send_messages(email_messages=[message]) == 1
    assert [event.count for event in recorded.trace.events] == [2, 1]


@pytest.mark.usefixtures("unpatched")
def test_wrong_arguments_are_refused_as_by_django() -> None:
    def refused() -> Iterator[str]:
        for call in (
            lambda: locmem.EmailBackend().send_messages(),  # type: ignore[call-arg]
            lambda: mail.send_mail(),  # type: ignore[call-arg]
        ):
            with pytest.raises(TypeError) as caught:
                call()  # type: ignore[no-untyped-call]
            yield str(caught.value)

    without = list(refused())
    with signal_trace.record() as recorded:
        assert list(refused()) == without
    assert recorded.trace.events == ()


@pytest.mark.usefixtures("unpatched")
@pytest.mark.parametrize("old_settings", [False, True])
def test_warnings_of_django_are_as_without_a_recording(
    settings: Settings, old_settings: bool
) -> None:
    if old_settings and hasattr(settings, "MAILERS"):
        del settings.MAILERS

    def warned() -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            mail.send_mail("Hello", "", "a@x.com", ["b@x.com"])
            mail.send_mail("Hello", "", "a@x.com", ["b@x.com"], fail_silently=True)
            locmem.EmailBackend(fail_silently=True)
        return [f"{one.filename}:{one.lineno} {one.message}" for one in caught]

    without = warned()
    with signal_trace.record():
        assert warned() == without


def test_mail_in_a_transaction_and_in_a_callback(database: str) -> None:
    with signal_trace.record() as recorded:
        with transaction.atomic(using=database):
            send_mail()
            transaction.on_commit(send_mass_mail, using=database)
        send_alternatives()
    assert [
        (event.count, event.in_transaction, event.in_callback)
        for event in of_kind(recorded.trace, MAIL)
    ] == [(1, True, False), (3, False, True), (1, False, False)]


@pytest.mark.usefixtures("unpatched")
@pytest.mark.parametrize("backend", [LOCMEM, Forwarding, Inheriting, Extending])
def test_patches_come_out_again(settings: Settings, backend: type | str) -> None:
    def standing() -> list[Any]:
        return [
            *(BaseEmailBackend.__dict__["__init__"], Task.__dict__.get("enqueue")),
            *(cls.__dict__.get("send_messages") for cls in (locmem.EmailBackend,)),
            *(cls.__dict__.get("send_messages") for cls in (Forwarding, Extending)),
            *(cls.__dict__.get("send_messages") for cls in (Inheriting, Empty)),
        ]

    use(settings, backend)
    before = standing()
    for _ in range(3):
        with signal_trace.record() as recorded:
            send_mail()
            assert standing() != before
        assert [event.count for event in recorded.trace.events] == [1]
        assert standing() == before
    send_mail()


@pytest.mark.usefixtures("unpatched")
def test_without_queries_mail_is_not_watched(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"QUERIES": False}
    before = BaseEmailBackend.__dict__["__init__"]
    with signal_trace.record() as recorded:
        assert BaseEmailBackend.__dict__["__init__"] is before
        send_mail()
    assert recorded.trace.events == ()


# -- Tasks ---------------------------------------------------------------------------


greeted = Signal()


def greet(name: str) -> str:
    greeted.send(Sender)
    return f"Hello {name}"


if task is not None:
    greet = task(greet)

tasks = pytest.mark.skipif(task is None, reason="Django has tasks since 6.0")


@pytest.fixture
def greeting(settings: Settings) -> Any:
    settings.TASKS = {
        "default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"},
        "dummy": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"},
    }
    return greet


@tasks
@pytest.mark.parametrize("backend", ["default", "dummy"])
def test_tasks_are_counted_and_named(greeting: Any, backend: str) -> None:
    results = []

    def enqueue() -> None:
        for name in ("you", "all"):
            results.append(greeting.using(backend=backend).enqueue(name))  # noqa: PERF401

    trace = received(enqueue)
    (event,) = of_kind(trace, TASK)
    assert (event.subject, event.count) == (f"{__name__}.greet", 2)
    assert event.call == trace.sends[0].calls[0].id
    assert event.call_site is not None
    assert event.call_site.function.endswith("enqueue")
    if backend == "default":
        assert [result.return_value for result in results] == ["Hello you", "Hello all"]


@tasks
def test_tasks_enqueued_by_async_code(greeting: Any) -> None:
    async def receive(**kwargs: Any) -> None:
        result = await greeting.aenqueue("you")
        assert result.return_value == "Hello you"

    signal = Signal()
    signal.connect(receive)
    with signal_trace.record() as recorded:
        asyncio.run(signal.asend(Sender))  # type: ignore[arg-type]
    (event,) = recorded.trace.events
    assert (event.kind, event.count) == (TASK, 1)
    assert event.call == recorded.trace.sends[0].calls[0].id
    assert event.call_site is not None
    assert event.call_site.function.endswith("receive")


@tasks
def test_what_a_task_sends_that_runs_at_once_is_sent_from_the_call(
    greeting: Any,
) -> None:
    def hear(**kwargs: Any) -> None:
        pass

    greeted.connect(hear)
    trace = received(lambda: greeting.enqueue("you"))
    outer, inner = (send for send in trace.sends if send.sender.endswith("Sender"))
    assert inner.parent == outer.calls[0].id


@tasks
def test_tasks_in_a_transaction_and_in_a_callback(greeting: Any, database: str) -> None:
    with signal_trace.record() as recorded:
        with transaction.atomic(using=database):
            greeting.enqueue("you")
            transaction.on_commit(lambda: greeting.enqueue("all"), using=database)
    assert [
        (event.in_transaction, event.in_callback)
        for event in of_kind(recorded.trace, TASK)
    ] == [(True, False), (False, True)]


@tasks
@pytest.mark.usefixtures("unpatched")
def test_patches_of_tasks_come_out_again() -> None:
    before = Task.__dict__["enqueue"], Task.__dict__["aenqueue"]
    with signal_trace.record():
        assert Task.__dict__["enqueue"] is not before[0]
        assert Task.__dict__["aenqueue"] is not before[1]
    assert (Task.__dict__["enqueue"], Task.__dict__["aenqueue"]) == before


@tasks
def test_a_task_that_is_refused_raises_as_by_django(
    greeting: Any, settings: Settings
) -> None:
    settings.TASKS = {}
    with pytest.raises(Exception) as without:  # noqa: PT011  # Of any type.
        greeting.enqueue("you")
    with signal_trace.record() as recorded:
        with pytest.raises(type(without.value)) as within:
            greeting.enqueue("you")
    assert str(within.value) == str(without.value)
    assert recorded.trace.events == ()
