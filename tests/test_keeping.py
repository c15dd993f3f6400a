from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from django.dispatch import Signal
from django.test import Client

import signal_trace
from signal_trace import choosing, sinks
from signal_trace.keeping import Rules

if TYPE_CHECKING:
    from pytest_django import Settings

    from signal_trace import Recording, Trace
    from tests.fake_clock import FakeClock

HERE = "tests.test_keeping"

went = Signal()


def fine(sender: Any, **named: Any) -> None:
    pass


def fails(sender: Any, **named: Any) -> None:
    raise ValueError("no")


async def fails_later(sender: Any, **named: Any) -> None:
    raise ValueError("no")


def recorded(
    *receivers: Any, robust: bool = True, sends: int = 1, **attributes: Any
) -> Recording:
    for receiver in receivers:
        went.connect(receiver)
    recording = signal_trace.record("a", **attributes)
    try:
        with recording:
            for _ in range(sends):
                (went.send_robust if robust else went.send)(None)
    except ValueError:
        pass
    finally:
        for receiver in receivers:
            went.disconnect(receiver)
    return recording


def says(rules: Rules, recording: Recording) -> tuple[bool | None, bool]:
    """What can be said at once, and what is said of the trace."""
    return rules.at_once(recording), rules(recording.trace)


@pytest.mark.parametrize(("ms", "slow"), [(499, False), (500, False), (501, True)])
def test_slower_than(clock: FakeClock, ms: int, slow: bool) -> None:
    with signal_trace.record("a") as recording:
        clock.pass_ms(ms)
    assert says(Rules(slower_than_ms=500), recording) == (slow, slow)


@pytest.mark.parametrize(
    ("recording", "failed"),
    [
        (lambda: recorded(fine), (False, False)),
        (lambda: recorded(fine, status_code=404), (False, False)),
        (lambda: recorded(fine, status_code=500), (None, True)),
        (lambda: recorded(fine, status_code="500"), (False, False)),
        (lambda: recorded(fails), (None, True)),
        (lambda: recorded(fails, robust=False), (None, True)),
        (lambda: recorded(fails_later), (None, True)),
    ],
    ids=["fine", "not found", "error", "text", "swallowed", "raised", "async"],
)
def test_failed(recording: Any, failed: tuple[bool | None, bool]) -> None:
    assert says(Rules(failed=True), recording()) == failed


def test_failure_that_is_only_counted(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"MAX_SENDS": 0}
    recording = recorded(fails, sends=3000)
    assert recording.trace.sends == ()
    assert says(Rules(failed=True), recording) == (None, True)
    assert says(Rules(failed=True), recorded(fine, sends=3000)) == (False, False)


def test_cancellation_is_no_failure() -> None:
    def cancelled(sender: Any, **named: Any) -> None:
        raise asyncio.CancelledError

    went.connect(cancelled)
    recording = signal_trace.record("a")
    try:
        with pytest.raises(asyncio.CancelledError), recording:
            went.send(None)
    finally:
        went.disconnect(cancelled)
    trace = recording.trace
    assert trace.error is not None
    assert trace.sends[0].calls[0].error is not None
    assert says(Rules(failed=True), recording) == (None, False)


def test_ignored_failure_is_none(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"IGNORE": [HERE]}
    assert says(Rules(failed=True), recorded(fails)) == (None, False)


@pytest.mark.parametrize(
    ("level", "kept"), [("problem", True), ("warning", True), ("hint", True)]
)
def test_finding_of_a_level_or_a_worse_one(level: str, kept: bool) -> None:
    recording = recorded(fails)  # A swallowed exception is a problem.
    assert says(Rules(findings=level), recording) == (None, kept)


@pytest.mark.parametrize(
    ("level", "kept"), [("problem", False), ("warning", True), ("hint", True)]
)
def test_finding_that_is_not_bad_enough(
    clock: FakeClock, level: str, kept: bool
) -> None:
    def slow(sender: Any, **named: Any) -> None:
        clock.pass_ms(100)

    recording = recorded(slow)
    assert [finding.level for finding in recording.trace.findings] == ["warning"]
    assert says(Rules(findings=level), recording) == (None, kept)


def test_no_finding() -> None:
    assert says(Rules(findings="hint"), recorded(fine)) == (None, False)


def test_one_rule_that_applies_is_enough(clock: FakeClock) -> None:
    recording = recorded(fails)
    rules = Rules(slower_than_ms=10_000, failed=True, findings="problem")
    assert says(rules, recording) == (None, True)


def test_rest_is_kept_by_chance(
    settings: Settings, sent: list[Trace], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MIDDLEWARE = ["signal_trace.middleware.SignalTraceMiddleware"]
    settings.SIGNAL_TRACE = {"SAMPLE_RATE": 0.5, "KEEP": {"failed": True}}
    monkeypatch.setattr(choosing, "draw", iter([0.9, 0.9, 0.1]).__next__)
    client = Client(raise_request_exception=False)
    answers = [client.get(path) for path in ("/json/a/", "/fail/", "/json/b/")]
    assert [trace.name for trace in sent] == ["GET /fail/", "GET /json/b/"]
    # All were recorded: what will be kept isn't known when the response goes out.
    assert all("X-Signal-Trace-Id" in answer for answer in answers)


def test_what_is_sure_at_once_waits_for_no_trace(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(sinks, "submit", lambda *arguments: given.append(arguments))
    monkeypatch.setattr(choosing, "draw", lambda: 1.0)
    settings.MIDDLEWARE = ["signal_trace.middleware.SignalTraceMiddleware"]
    for keep, expected in [
        ({"slower_than_ms": 1e9, "failed": True}, []),
        ({"slower_than_ms": 0, "findings": "hint"}, [None]),
        ({"findings": "hint"}, [Rules(findings="hint")]),
    ]:
        given.clear()
        settings.SIGNAL_TRACE = {"SAMPLE_RATE": 0, "KEEP": keep}
        Client().get("/json/a/")
        assert [rules for _, rules in given] == expected
