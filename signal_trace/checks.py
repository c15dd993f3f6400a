"""System checks: each wrong setting is an error that says which, and the remedy."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error

from signal_trace import conf, findings, sinks


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
            hint="BACKEND is the dotted path of a class or function, and OPTIONS are"
            ' its keyword arguments, for example {"BACKEND":'
            ' "signal_trace.sinks.LogSink", "OPTIONS": {"level": "INFO"}}.',
            id="signal_trace.E003",
        )
        for number, sink in enumerate(sinks.configured())
        if isinstance(sink, sinks.SinkError)
    ]


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
