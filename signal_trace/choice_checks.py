"""System checks of what is to be traced, and from where."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.management import get_commands

from signal_trace import celery_tasks, choosing, conf, django_tasks

MIDDLEWARE = "signal_trace.middleware.SignalTraceMiddleware"
TOOLBAR = "debug_toolbar.middleware.DebugToolbarMiddleware"


def check_should_trace(**_: Any) -> list[CheckMessage]:
    """``signal_trace.E006``: ``SHOULD_TRACE`` can't be used, so that nothing is traced
    but what is asked for."""
    found = choosing.rule()
    if not isinstance(found, choosing.RuleError):
        return []
    return [
        Error(
            f"{conf.NAME}['SHOULD_TRACE']: {found}. No request is traced.",
            hint="It is a function, or the dotted path of one, that takes a request and"
            " says True, False, or None where it can't say yet.",
            id="signal_trace.E006",
        )
    ]


def check_tasks(**_: Any) -> list[CheckMessage]:
    """``signal_trace.E007``: tasks of what isn't there."""
    remedies = {
        "celery": ("Celery isn't installed", celery_tasks.is_there()),
        "django": ("Django has tasks since 6.0", django_tasks.IS_THERE),
    }
    return [
        Error(
            f"{conf.NAME}['TASKS'] has {name!r}, and {problem}.",
            hint="Install it where tasks run, or leave the entry out."
            if name == "celery"
            else "Leave the entry out.",
            id="signal_trace.E007",
        )
        for name, (problem, is_there) in remedies.items()
        if name in conf.settings().TASKS and not is_there
    ]


def check_middleware(**_: Any) -> list[CheckMessage]:
    """``signal_trace.W005``: the middleware isn't first, or is there twice."""
    middleware = list(django_settings.MIDDLEWARE or ())
    if MIDDLEWARE not in middleware or not conf.settings().ENABLED:
        return []
    hint = f"Put {MIDDLEWARE!r} first in MIDDLEWARE, and once."
    found: list[CheckMessage] = []
    if place := middleware.index(MIDDLEWARE):
        before = ", ".join(middleware[:place])
        message = f"What comes before SignalTraceMiddleware isn't traced: {before}."
        found.append(Warning(message, hint=hint, id="signal_trace.W005"))
    if (times := middleware.count(MIDDLEWARE)) > 1:
        message = (
            f"SignalTraceMiddleware is in MIDDLEWARE {times} times: as many traces"
        )
        message += " are made of each request."
        found.append(Warning(message, hint=hint, id="signal_trace.W005"))
    return found


def check_toolbar(**_: Any) -> list[CheckMessage]:
    """``signal_trace.W006``: the toolbar where it isn't for developing. One of those
    for deployment."""
    if django_settings.DEBUG or TOOLBAR not in (django_settings.MIDDLEWARE or ()):
        return []
    return [
        Warning(
            "The debug toolbar is in MIDDLEWARE, and DEBUG is False: it is shown to"
            " nobody or, with a SHOW_TOOLBAR_CALLBACK, to those whom that lets see"
            " settings, SQL and signals.",
            hint="Leave the toolbar out where you don't develop; traces go to SINKS.",
            id="signal_trace.W006",
        )
    ]


def check_idle_choice(**_: Any) -> list[CheckMessage]:
    """``signal_trace.W007``: rules that have nothing to decide."""
    settings = conf.settings()
    if not settings.KEEP or settings.SAMPLE_RATE < 1:
        return []
    return [
        Warning(
            f"{conf.NAME}['KEEP'] does nothing, since SAMPLE_RATE is 1: all traces are"
            " kept.",
            hint='Set "SAMPLE_RATE" to the part to be kept of those to which no rule'
            ' applies, such as 0.01, or to 0; or leave "KEEP" out.',
            id="signal_trace.W007",
        )
    ]


def check_commands(**_: Any) -> list[CheckMessage]:
    """``signal_trace.W008``: no such command."""
    commands = get_commands()
    return [
        Warning(
            f"{conf.NAME}['COMMANDS'] has {name!r}, and there is no such command.",
            hint="Write its name as manage.py takes it; manage.py help lists them.",
            id="signal_trace.W008",
        )
        for name in conf.settings().COMMANDS
        if name not in commands
    ]


def check_entrances(**_: Any) -> list[CheckMessage]:
    """``signal_trace.W009``: sinks that nothing sends traces to."""
    settings = conf.settings()
    if is_anything_traced() or not (settings.ENABLED and settings.SINKS):
        return []
    if not conf.is_given("SINKS"):
        return []
    return [
        Warning(
            f"{conf.NAME} has SINKS, and nothing to send them: no request, command or"
            " task is traced.",
            hint=f"Put {MIDDLEWARE!r} first in MIDDLEWARE; with trace_requests too. If"
            " only code of yours sends traces, silence this check.",
            id="signal_trace.W009",
        )
    ]


def is_anything_traced() -> bool:
    """Whether the settings have anything that sends traces to sinks."""
    settings = conf.settings()
    return settings.ENABLED and bool(
        MIDDLEWARE in (django_settings.MIDDLEWARE or ())
        or settings.COMMANDS
        or settings.TASKS
    )
