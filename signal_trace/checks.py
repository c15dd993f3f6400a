"""System checks: each wrong setting is an error that says which, and the remedy; what
is right and does nothing is a warning."""

from __future__ import annotations

import string
import sys
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning

from signal_trace import choice_checks, conf, findings, sinks
from signal_trace.signal_names import full_names

# What no name begins or ends with.
AROUND_NAMES = f"{string.whitespace}.*"


def check_settings(**_: Any) -> list[CheckMessage]:
    """``signal_trace.E001``: no such setting; ``E002``: a value of the wrong type."""
    return [
        Error(problem.message, hint=problem.hint, id=problem.id)
        for problem in conf.problems()
    ]


def check_sinks(**_: Any) -> list[CheckMessage]:
    """``signal_trace.E003``: a sink that can't be imported or built."""
    return [
        Error(
            f"{conf.NAME}['SINKS'][{number}]: {sink}",
            hint=sink.remedy
            or "BACKEND is the dotted path of a class or function, and OPTIONS are"
            ' its keyword arguments, for example {"BACKEND":'
            ' "signal_trace.sinks.LogSink", "OPTIONS": {"level": "INFO"}}.',
            id="signal_trace.E003",
        )
        for number, sink in enumerate(sinks.configured())
        if isinstance(sink, sinks.SinkError)
    ]


def check_redactor(**_: Any) -> list[CheckMessage]:
    """``signal_trace.E005``: a redactor that can't be used, so that nothing is sent."""
    given = conf.settings().REDACT
    if type(given) is not str and not callable(given):
        return []  # None, or said by `check_settings`.
    try:
        sinks.build_redactor(given)
    except sinks.RedactorError as error:
        return [
            Error(
                f"{conf.NAME}['REDACT']: {error} No trace is sent to any sink.",
                hint="It is a function of a trace, or its dotted path, that gives the"
                ' trace to send: "REDACT": "shop.tracing.redact".',
                id="signal_trace.E005",
            )
        ]
    return []


def check_sinks_can_write(**_: Any) -> list[CheckMessage]:
    """``signal_trace.W004``: a sink says by its ``problem`` that it can't send."""
    found: list[CheckMessage] = []
    if not (conf.is_given("SINKS") or choice_checks.is_anything_traced()):
        return found  # The default one, with nothing to do.
    for number, sink in enumerate(sinks.configured()):
        problem = getattr(sink, "problem", None)
        if callable(problem) and (what := problem()):
            found.append(
                Warning(
                    f"{conf.NAME}['SINKS'][{number}] can't do its work now: {what}.",
                    hint="As long as that is so, traces are lost to it. If the server"
                    " runs as another user, run the check as that user.",
                    id="signal_trace.W004",
                )
            )
    return found


def check_silenced_findings(**_: Any) -> list[CheckMessage]:
    """``signal_trace.E004``: no such finding, so that nothing is silenced."""
    return [
        Error(
            f"{conf.NAME}['SILENCED_FINDINGS'] has {entry!r}, which names no finding.",
            hint=f"The findings are {', '.join(findings.IDS)}; for one receiver write,"
            f' for example, "{findings.IDS[0]}:shop.receivers.announce".',
            id="signal_trace.E004",
        )
        for entry in conf.settings().SILENCED_FINDINGS
        if not findings.names_finding(entry)
    ]


def check_idle_settings(**_: Any) -> list[CheckMessage]:
    """``signal_trace.W001``: a name that can be nobody's; ``W002``: a signal's name in
    short; ``W003``: stacks that are not asked for."""
    settings = conf.settings()
    found: list[CheckMessage] = []
    for entry in settings.IGNORE:
        found += _idle_name("IGNORE", entry, entry) or _short_name(entry)
    for entry in settings.SILENCED_FINDINGS:
        id, receiver = entry.partition(":")[::2]
        if id in findings.IDS and receiver:
            found += _idle_name("SILENCED_FINDINGS", entry, receiver)
    if settings.STACKS and not settings.CALL_SITES:
        found.append(
            Warning(
                f"{conf.NAME}['STACKS'] does nothing, since CALL_SITES is False.",
                hint='Set "CALL_SITES": True, or leave STACKS out.',
                id="signal_trace.W003",
            )
        )
    return found


def _idle_name(key: str, entry: str, name: str) -> list[CheckMessage]:
    """The warning that a *name*, that of an *entry*, can be nobody's."""
    right = name.strip(AROUND_NAMES)
    if name == right != "":
        return []
    right = (entry.removesuffix(name) + right).removesuffix(":")
    return [
        Warning(
            f"{conf.NAME}[{key!r}] has {entry!r}, which does nothing: no name is like"
            " that.",
            hint=f"Write {right!r}, which covers what begins with it and a dot, too."
            if right
            else "Leave it out.",
            id="signal_trace.W001",
        )
    ]


def _short_name(entry: str) -> list[CheckMessage]:
    if "." in entry or entry in sys.modules or entry in apps.app_configs:
        return []
    names = " or ".join(map(repr, full_names(entry)))
    if not names:
        return []
    return [
        Warning(
            f"{conf.NAME}['IGNORE'] has {entry!r}, which does nothing: names are full"
            " ones.",
            hint=f"Write {names}.",
            id="signal_trace.W002",
        )
    ]
