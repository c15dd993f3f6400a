from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pytest
from django.core.checks import CheckMessage, run_checks

from signal_trace import django_tasks

if TYPE_CHECKING:
    from pytest_django import Settings

HERE = __name__
OURS = "signal_trace.middleware.SignalTraceMiddleware"
TOOLBAR = "debug_toolbar.middleware.DebugToolbarMiddleware"
OTHER = "django.middleware.gzip.GZipMiddleware"


@pytest.fixture(autouse=True)
def nothing_amiss(caplog: pytest.LogCaptureFixture) -> None:
    """The log is read."""
    caplog.set_level("INFO", "signal_trace")


def found(*, deploy: bool = False) -> list[CheckMessage]:
    messages = run_checks(include_deployment_checks=deploy)
    return [one for one in messages if (one.id or "").startswith("signal_trace.")]


def should_trace(request: Any) -> bool:
    return True


async def should_trace_later(request: Any) -> bool:
    return True


class Later:
    async def __call__(self, request: Any) -> bool:
        return True


CONSTANT = 5


@pytest.mark.parametrize(
    "given",
    [
        {"SHOULD_TRACE": f"{HERE}.should_trace"},
        {"SHOULD_TRACE": should_trace},
        {"SHOULD_TRACE": None},
        {"SAMPLE_RATE": 0.01, "KEEP": {"slower_than_ms": 500}},
        {"SAMPLE_RATE": 1, "KEEP": {}},
        {"SAMPLE_RATE": 0},
        {"COMMANDS": ["migrate", "open_things"]},
    ],
)
def test_right_choices_have_no_errors(
    settings: Settings, given: dict[str, Any]
) -> None:
    settings.SIGNAL_TRACE = given
    settings.MIDDLEWARE = [OURS, OTHER]
    assert found(deploy=True) == []


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("missing.rule", "'missing.rule' can't be imported: No module named 'missing'"),
        (f"{HERE}.CONSTANT", "5 is no function"),
        (should_trace_later, "is a coroutine function: it isn't awaited"),
        (Later(), "is a coroutine function: it isn't awaited"),
        (Later, "is a class and no function"),
        (lambda: True, "takes no request: too many positional arguments"),
    ],
)
def test_rule_that_cannot_be_used_is_an_error(
    settings: Settings, rule: Any, problem: str
) -> None:
    settings.SIGNAL_TRACE = {"SHOULD_TRACE": rule}
    [message] = found()
    assert message.id == "signal_trace.E006"
    assert message.is_serious()
    assert problem in message.msg


def test_tasks_of_what_is_not_there_are_errors(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(django_tasks, "IS_THERE", False)
    settings.SIGNAL_TRACE = {"TASKS": ["django", "celery"]}
    messages = found()
    assert [message.id for message in messages] == ["signal_trace.E007"] * 2
    assert [message.msg for message in messages] == [
        "SIGNAL_TRACE['TASKS'] has 'celery', and Celery isn't installed.",
        "SIGNAL_TRACE['TASKS'] has 'django', and Django has tasks since 6.0.",
    ]


def test_tasks_of_what_is_there_are_none(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(django_tasks, "IS_THERE", True)
    settings.SIGNAL_TRACE = {"TASKS": ["django", "celery"]}
    assert found() == []


def test_middleware_that_is_not_first_is_a_warning(settings: Settings) -> None:
    settings.MIDDLEWARE = [OTHER, TOOLBAR, OURS]
    [message] = found()
    assert message.id == "signal_trace.W005"
    assert not message.is_serious()
    assert message.msg == (
        f"What comes before SignalTraceMiddleware isn't traced: {OTHER}, {TOOLBAR}."
    )
    settings.SIGNAL_TRACE = {"ENABLED": False}
    assert found() == []


def test_middleware_that_is_there_twice_is_a_warning(settings: Settings) -> None:
    settings.MIDDLEWARE = [OURS, OTHER, OURS]
    [message] = found()
    assert message.id == "signal_trace.W005"
    assert "2 times" in message.msg


def test_toolbar_without_debug_is_a_warning_for_deployment(settings: Settings) -> None:
    settings.MIDDLEWARE = [OURS, TOOLBAR]
    assert found() == []
    [message] = found(deploy=True)
    assert message.id == "signal_trace.W006"
    settings.DEBUG = True
    assert found(deploy=True) == []


def test_rules_that_decide_nothing_are_a_warning(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"KEEP": {"failed": True}}
    [message] = found()
    assert message.id == "signal_trace.W007"


def test_command_that_there_is_not_is_a_warning(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"COMMANDS": ["migrate", "migrat"]}
    [message] = found()
    assert message.id == "signal_trace.W008"
    assert message.msg == (
        "SIGNAL_TRACE['COMMANDS'] has 'migrat', and there is no such command."
    )


def test_sinks_without_anything_to_send_are_a_warning(settings: Settings) -> None:
    sinks = [{"BACKEND": "signal_trace.sinks.LogSink"}]
    settings.SIGNAL_TRACE = {"SINKS": sinks}
    [message] = found()
    assert message.id == "signal_trace.W009"
    for more in ({"COMMANDS": ["migrate"]}, {"SINKS": []}, {"ENABLED": False}):
        settings.SIGNAL_TRACE = {"SINKS": sinks} | more
        assert found() == []
    settings.SIGNAL_TRACE = {"SINKS": sinks}
    settings.MIDDLEWARE = [OURS]
    assert found() == []
