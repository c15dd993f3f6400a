"""Nothing gets to a sink that `REDACT` hasn't seen, and nothing that it failed on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.core.checks import run_checks
from django.test import Client

import signal_trace
from signal_trace import conf, sinks
from signal_trace.sinks import FileSink
from tests.app.models import Tag
from tests.traces import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django import Settings

    from signal_trace import Trace

HERE = __name__
OURS = "signal_trace.middleware.SignalTraceMiddleware"

received: list[Trace] = []


def keep(trace: Trace) -> None:
    received.append(trace)


def rename(trace: Trace) -> Trace:
    return replace(trace, name="…")


def drop(trace: Trace) -> None:
    return None


def fail(trace: Trace) -> Trace:
    raise LookupError("what was it?")


def confuse(trace: Trace) -> str:
    return trace.to_json()


def need_more(trace: Trace, more: str) -> Trace:
    return trace


async def wait(trace: Trace) -> Trace:
    return trace


class Redacted:
    def __init__(self, trace: Trace) -> None:
        self.trace = trace


@pytest.fixture(autouse=True)
def _nothing_received(settings: Settings) -> Iterator[None]:
    settings.MIDDLEWARE = [OURS]
    received.clear()
    yield
    received.clear()


def redacted_by(redactor: Any) -> dict[str, Any]:
    return {"REDACT": redactor, "SINKS": [{"BACKEND": f"{HERE}.keep"}]}


def send_both_ways() -> None:
    sinks.emit(CHECKOUT)
    with signal_trace.record("submitted") as recording:
        pass
    sinks.submit(recording)
    assert sinks.flush(60)


@pytest.mark.parametrize("redactor", [f"{HERE}.rename", rename])
def test_redactor_sees_a_trace_before_the_sinks(
    settings: Settings, redactor: Any
) -> None:
    settings.SIGNAL_TRACE = redacted_by(redactor)
    assert conf.problems() == []
    send_both_ways()
    assert [trace.name for trace in received] == ["…", "…"]
    assert received[0] == replace(CHECKOUT, name="…")


def test_trace_that_is_redacted_to_nothing_is_dropped(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNAL_TRACE = redacted_by(f"{HERE}.drop")
    send_both_ways()
    assert received == []
    assert caplog.records == []


@pytest.mark.parametrize(
    ("redactor", "error"),
    [(fail, "LookupError: what was it?"), (confuse, "REDACT gave a str and no Trace")],
)
def test_redactor_that_fails_keeps_the_trace_and_is_said_once(
    settings: Settings, caplog: pytest.LogCaptureFixture, redactor: Any, error: str
) -> None:
    settings.SIGNAL_TRACE = redacted_by(redactor)
    for _ in range(3):
        send_both_ways()
    assert received == []
    [record] = caplog.records
    assert record.name == "signal_trace.sinks"
    assert record.getMessage().startswith(
        "REDACT failed. Traces that went to no sink: 1."
    )
    assert error in caplog.text


UNUSABLE = [
    (f"{HERE}.missing", "can't be imported"),
    ("missing.redact", "can't be imported"),
    (f"{HERE}.HERE", "is no function of a trace"),
    (f"{HERE}.Redacted", "is no function of a trace"),
    (f"{HERE}.need_more", "takes no trace: missing a required argument"),
    (f"{HERE}.wait", "is a coroutine function"),
    (wait, "is a coroutine function"),
]


@pytest.mark.parametrize(("redactor", "problem"), UNUSABLE)
def test_redactor_that_cannot_be_used_keeps_all_traces_and_is_an_error(
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    redactor: Any,
    problem: str,
) -> None:
    settings.SIGNAL_TRACE = redacted_by(redactor)
    [message] = [one for one in run_checks() if "signal_trace" in str(one.id)]
    assert message.id == "signal_trace.E005"
    assert message.is_serious()
    assert message.msg.startswith("SIGNAL_TRACE['REDACT']: ")
    assert problem in message.msg
    assert message.msg.endswith("No trace is sent to any sink.")
    for _ in range(3):
        send_both_ways()
    assert received == []
    [record] = caplog.records
    assert record.getMessage().startswith("No trace is sent to any sink: REDACT ")


def test_value_of_the_wrong_type_is_not_passed_over(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNAL_TRACE = redacted_by(["shop.redact"])
    [message] = [one for one in run_checks() if "signal_trace" in str(one.id)]
    assert message.id == "signal_trace.E002"
    assert "['REDACT'] must be a function or its dotted path" in message.msg
    send_both_ways()
    assert received == []
    assert len(caplog.records) == 1


@pytest.mark.django_db
def test_without_a_redactor_no_values_parameters_or_query_strings_are_written(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "traces.jsonl"
    settings.SIGNAL_TRACE = {
        "SINKS": [{"BACKEND": "signal_trace.sinks.FileSink", "OPTIONS": {"path": path}}]
    }
    with signal_trace.record("values") as recording:
        Tag.objects.create(name="secret-value")
        list(Tag.objects.filter(name="secret-parameter"))
    sinks.submit(recording)
    Client(headers={"x-token": "secret-header"}).post(
        "/send/a/?token=secret-query", {"password": "secret-body"}
    )
    assert sinks.flush(60)
    written = path.read_text()
    assert '"name": "values"' in written
    assert '"name": "POST /send/a/"' in written
    assert "secret" not in written
    assert isinstance(sinks.configured()[0], FileSink)
