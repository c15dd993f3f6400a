from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import django
import pytest

from signal_trace import choosing, django_tasks

if django.VERSION < (6, 0):
    pytest.skip("tasks are new in Django 6.0", allow_module_level=True)

from django.tasks import task
from django.tasks.base import Task
from django.tasks.signals import task_started
from django.test import Client

from tests.app.signals import opened
from tests.app.views import make_sender

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from signal_trace import Trace

HERE = "tests.test_django_tasks"


@task
def open_one(name: str) -> str:
    opened.send(make_sender(name))
    return name


@task(takes_context=True)
def open_with_context(context: Any, name: str) -> str:
    opened.send(make_sender(name))
    return str(context.task_result.id)


@task
async def open_later(name: str) -> None:
    await opened.asend(make_sender(name))


@task
def fail() -> None:
    raise ValueError("it failed")


@pytest.fixture(autouse=True)
def watched(settings: Settings) -> Iterator[None]:
    settings.SIGNAL_TRACE = {"TASKS": ["django"]}
    there = Task.call, Task.acall
    django_tasks.watch()
    yield
    Task.call, Task.acall = there  # type: ignore[method-assign]
    task_started.disconnect(dispatch_uid="signal_trace.tasks")


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("name", ["open_one", "open_with_context", "open_later"])
def test_task_is_a_trace(sent: list[Trace], name: str, asynchronous: bool) -> None:
    one = globals()[name]
    result = asyncio.run(one.aenqueue("a")) if asynchronous else one.enqueue("a")
    assert result.errors == []
    (trace,) = sent
    assert (trace.kind, trace.name) == ("task", f"{one.func.__module__}.{name}")
    assert trace.attributes == {
        "task": trace.name,
        "queue": "default",
        "task_id": result.id,
    }
    assert {send.sender for send in trace.sends} == {"tests.senders.a"}
    assert len(trace.sends) == 3


def test_task_that_fails_is_a_trace_with_its_error(sent: list[Trace]) -> None:
    result = fail.enqueue()
    assert result.errors[0].exception_class is ValueError
    (trace,) = sent
    assert trace.error is not None
    assert trace.error.message == "it failed"


def test_task_that_is_called_otherwise_has_no_result(sent: list[Trace]) -> None:
    open_one.enqueue("a")
    assert open_one.call("b") == "b"
    asyncio.run(open_one.acall("c"))
    asyncio.run(open_later.acall("d"))
    assert ["task_id" in trace.attributes for trace in sent] == [
        *(True, False, False, False)
    ]
    senders = [{send.sender for send in trace.sends} for trace in sent]
    assert senders == [{f"tests.senders.{name}"} for name in "abcd"]


def test_sample_and_keep_are_for_tasks_too(
    settings: Settings, sent: list[Trace], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SIGNAL_TRACE = {
        "TASKS": ["django"],
        "SAMPLE_RATE": 0.5,
        "KEEP": {"failed": True},
    }
    monkeypatch.setattr(choosing, "draw", iter([0.9, 0.1, 0.9]).__next__)
    open_one.enqueue("a")
    open_one.enqueue("b")
    fail.enqueue()
    assert [trace.name.rpartition(".")[2] for trace in sent] == ["open_one", "fail"]


@pytest.mark.parametrize(
    "given", [{}, {"TASKS": ["celery"]}, {"TASKS": ["django"], "ENABLED": False}]
)
def test_without_the_setting_there_is_no_trace(
    settings: Settings, sent: list[Trace], given: dict[str, Any]
) -> None:
    settings.SIGNAL_TRACE = given
    open_one.enqueue("a")
    assert sent == []


def test_task_that_runs_within_a_request_has_its_own_trace(
    settings: Settings, sent: list[Trace], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.app import views

    settings.MIDDLEWARE = ["signal_trace.middleware.SignalTraceMiddleware"]
    monkeypatch.setattr(views.opened, "send", lambda sender: fail.enqueue())
    Client().get("/json/a/")
    inner, outer = sent
    assert (inner.kind, outer.kind) == ("task", "request")
    assert inner.attributes["outer"] == outer.id


def test_tasks_are_watched_once(sent: list[Trace]) -> None:
    django_tasks.watch()
    open_one.enqueue("a")
    assert len(sent) == 1
