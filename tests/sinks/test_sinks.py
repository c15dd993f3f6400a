from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from signal_trace import sinks
from tests.traces import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from signal_trace import Trace

HERE = __name__

received: list[tuple[str, Trace]] = []


@pytest.fixture(autouse=True)
def nothing_received() -> Iterator[None]:
    received.clear()
    yield
    received.clear()


class Keep:
    instances = 0

    def __init__(self, label: str = "kept") -> None:
        type(self).instances += 1
        self.label = label

    def __call__(self, trace: Trace) -> None:
        received.append((self.label, trace))


def keep(trace: Trace, *, label: str = "kept by function") -> None:
    received.append((label, trace))


def fail(trace: Trace) -> None:
    raise RuntimeError("the disk is full")


def leave(trace: Trace) -> None:
    raise SystemExit


instance = Keep("kept by an instance")


def sink(name: str, **options: Any) -> dict[str, Any]:
    return {"BACKEND": f"{HERE}.{name}", "OPTIONS": options}


def test_trace_goes_to_every_sink_in_their_order(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {
        "SINKS": [
            sink("Keep"),
            sink("Keep", label="again"),
            {"BACKEND": f"{HERE}.keep"},
            sink("keep", label="with options"),
            sink("instance"),
        ]
    }
    sinks.emit(CHECKOUT)
    assert received == [
        ("kept", CHECKOUT),
        ("again", CHECKOUT),
        ("kept by function", CHECKOUT),
        ("with options", CHECKOUT),
        ("kept by an instance", CHECKOUT),
    ]


def test_class_is_instantiated_once(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"SINKS": [sink("Keep")]}
    before = Keep.instances
    for _ in range(3):
        sinks.emit(CHECKOUT)
    assert Keep.instances == before + 1
    assert len(received) == 3


def test_no_sinks_are_fine(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"SINKS": []}
    sinks.emit(CHECKOUT)
    assert received == []


def test_changed_settings_change_the_sinks(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"SINKS": [sink("keep", label="old")]}
    sinks.emit(CHECKOUT)
    settings.SIGNAL_TRACE = {"SINKS": [sink("keep", label="new")]}
    sinks.emit(CHECKOUT)
    assert [label for label, _ in received] == ["old", "new"]


def test_sink_that_raises_is_logged_once_and_the_others_go_on(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNAL_TRACE = {"SINKS": [sink("fail"), sink("keep")]}
    for _ in range(3):
        sinks.emit(CHECKOUT)
    assert len(received) == 3
    [record] = caplog.records
    assert (record.name, record.levelname) == ("signal_trace.sinks", "ERROR")
    assert f"{HERE}.fail" in record.getMessage()
    assert "the disk is full" in caplog.text
    assert "Traceback" in caplog.text


def test_sink_that_raises_is_logged_again_under_new_settings(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        settings.SIGNAL_TRACE = {"SINKS": [sink("fail")]}
        sinks.emit(CHECKOUT)
    assert len(caplog.records) == 2


def test_sink_that_cannot_be_built_is_logged_once_and_left_out(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNAL_TRACE = {"SINKS": [sink("missing"), sink("keep")]}
    for _ in range(2):
        sinks.emit(CHECKOUT)
    assert len(received) == 2
    [record] = caplog.records
    assert (record.name, record.levelname) == ("signal_trace.sinks", "ERROR")
    assert f"{HERE}.missing" in caplog.text


def test_exit_is_not_swallowed(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"SINKS": [sink("leave")]}
    with pytest.raises(SystemExit):
        sinks.emit(CHECKOUT)


def test_log_is_the_sink_where_none_is_set(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNAL_TRACE = {}
    with caplog.at_level(logging.INFO, "signal_trace"):
        sinks.emit(CHECKOUT)
    assert [record.name for record in caplog.records] == ["signal_trace"]


@pytest.mark.parametrize(
    "given", [sink("missing"), sink("keep", colour=5), sink("Keep", colour=5)]
)
def test_build_says_which_sink_is_wrong(given: dict[str, Any]) -> None:
    with pytest.raises(sinks.SinkError, match=given["BACKEND"]):
        sinks.build(given)


async def never_awaited(trace: Trace) -> None: ...


def test_coroutine_function_is_no_sink() -> None:
    with pytest.raises(sinks.SinkError, match=r"never_awaited.* isn't awaited"):
        sinks.build(sink("never_awaited"))


def test_each_sink_that_fails_is_logged_once_though_their_backends_are_one(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNAL_TRACE = {"SINKS": [sink("fail"), sink("fail")]}
    for _ in range(3):
        sinks.emit(CHECKOUT)
    assert len(caplog.records) == 2
