from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.dispatch import Signal

import signal_trace
from signal_trace import conf, sinks

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django import Settings

    from signal_trace import Trace

HERE = __name__


class Picky:
    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError("size is less than 1")

    def __call__(self, trace: Trace) -> None:
        pass


class NotASink:
    pass


async def write_later(trace: Trace) -> None:
    """A coroutine function."""


class Later:
    async def __call__(self, trace: Trace) -> None:
        """A coroutine function as well."""


later = Later()


class Broken:
    def __init__(self) -> None:
        raise OSError("the disk is full")


def write(trace: Trace, path: str) -> None:
    pass


CONSTANT = 5


@pytest.fixture(autouse=True)
def nothing_amiss(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody sends traces to the sinks, and the log is read."""
    settings.MIDDLEWARE = ["signal_trace.middleware.SignalTraceMiddleware"]
    caplog.set_level("DEBUG", "signal_trace")


def found() -> list[CheckMessage]:
    return [
        message
        for message in run_checks()
        if message.id and message.id.startswith("signal_trace.")
    ]


def one_sink(name: str, **options: Any) -> dict[str, Any]:
    return {"SINKS": [{"BACKEND": name, "OPTIONS": options}]}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"ENABLED": False},
        {"SINKS": []},
        one_sink("signal_trace.sinks.LogSink", level="DEBUG"),
        one_sink(f"{HERE}.Picky", size=1),
        one_sink(f"{HERE}.write", path="/tmp"),
    ],
)
def test_right_settings_have_no_errors(
    settings: Settings, given: dict[str, Any]
) -> None:
    settings.SIGNAL_TRACE = given
    assert found() == []


@pytest.mark.parametrize(
    ("given", "error", "hint"),
    [
        ({"ENABEL": True}, "E001", "Did you mean 'ENABLED'?"),
        ({"ENABLED": 1}, "E002", 'For example: "ENABLED": True.'),
        (None, "E002", "Write SIGNAL_TRACE = "),
    ],
)
def test_wrong_setting_is_an_error_with_a_hint(
    settings: Settings, given: Any, error: str, hint: str
) -> None:
    settings.SIGNAL_TRACE = given
    [message] = found()
    assert message.id == f"signal_trace.{error}"
    assert message.is_serious()
    assert message.hint is not None
    assert message.hint.startswith(hint)


@pytest.fixture(params=["SyntaxError", "RuntimeError"])
def broken_module(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The name of a module that raises when it is imported."""
    folder = tmp_path_factory.mktemp("sinks")
    name = f"st_broken_{request.param.lower()}"
    source = "sink =" if request.param == "SyntaxError" else "raise RuntimeError('no')"
    (folder / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(folder)
    return name


UNUSABLE = [
    (one_sink("missing"), "can't be imported"),
    (one_sink("missing.sink"), "can't be imported"),
    (one_sink(".sink"), "can't be imported"),
    (one_sink(""), "can't be imported"),
    (one_sink(f"{HERE}.missing"), "can't be imported"),
    (one_sink(f"{HERE}.CONSTANT"), "can't be imported: it is neither a class nor"),
    (one_sink(f"{HERE}.Picky"), "refuses its OPTIONS"),
    (one_sink(f"{HERE}.Picky", size=0), "refuses its OPTIONS: size is less than 1"),
    (one_sink(f"{HERE}.Picky", size=1, colour=2), "refuses its OPTIONS"),
    (one_sink(f"{HERE}.Broken"), "refuses its OPTIONS: the disk is full"),
    (one_sink(f"{HERE}.write"), "refuses its OPTIONS: missing a required argument"),
    (one_sink(f"{HERE}.write", file=""), "refuses its OPTIONS"),
    (one_sink(f"{HERE}.NotASink"), "can't be called with a trace"),
    (one_sink(f"{HERE}.write_later"), "is a coroutine function: it isn't awaited"),
    (one_sink(f"{HERE}.Later"), "is a coroutine function: it isn't awaited"),
    (one_sink(f"{HERE}.later"), "is a coroutine function: it isn't awaited"),
    (one_sink("signal_trace.sinks.LogSink", level="LOUD"), "refuses its OPTIONS"),
    (one_sink("signal_trace.sinks.LogSink", level=5), "refuses its OPTIONS"),
    (one_sink("signal_trace.sinks.LogSink", logger=None), "refuses its OPTIONS"),
    (one_sink("signal_trace.sinks.LogSink", details="all"), "refuses its OPTIONS"),
    (one_sink("signal_trace.sinks.FileSink"), "refuses its OPTIONS"),
    (one_sink("signal_trace.sinks.FileSink", path=""), "refuses its OPTIONS"),
]


@pytest.mark.parametrize(("given", "problem"), UNUSABLE)
def test_sink_that_cannot_be_used_is_an_error(
    settings: Settings, given: dict[str, Any], problem: str
) -> None:
    settings.SIGNAL_TRACE = given
    [message] = found()
    assert message.id == "signal_trace.E003"
    assert message.is_serious()
    assert message.msg.startswith("SIGNAL_TRACE['SINKS'][0]: The sink ")
    assert problem in message.msg


def test_sink_whose_module_raises_is_an_error(
    settings: Settings, broken_module: str
) -> None:
    settings.SIGNAL_TRACE = one_sink(f"{broken_module}.sink")
    [message] = found()
    assert message.id == "signal_trace.E003"
    assert f"The sink '{broken_module}.sink' can't be imported" in message.msg


def test_every_wrong_sink_is_named_by_its_place(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {
        "SINKS": [
            {"BACKEND": "missing.first"},
            {"BACKEND": "signal_trace.sinks.LogSink"},
            {"BACKEND": "missing.third"},
        ]
    }
    assert [message.msg.partition(":")[0] for message in found()] == [
        "SIGNAL_TRACE['SINKS'][0]",
        "SIGNAL_TRACE['SINKS'][2]",
    ]


class Closed:
    def __init__(self, until: str = "") -> None:
        self.until = until

    def __call__(self, trace: Trace) -> None:
        pass

    def problem(self) -> str:
        return f"it is closed until {self.until}" if self.until else ""


def test_sink_that_cannot_do_its_work_now_is_a_warning(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {
        "SINKS": [
            {"BACKEND": f"{HERE}.Closed"},
            {"BACKEND": f"{HERE}.Closed", "OPTIONS": {"until": "noon"}},
        ]
    }
    [message] = found()
    assert message.id == "signal_trace.W004"
    assert not message.is_serious()
    assert message.msg == (
        "SIGNAL_TRACE['SINKS'][1] can't do its work now: it is closed until noon."
    )


def test_file_in_a_folder_that_is_not_there_is_a_warning(
    settings: Settings, tmp_path: Path
) -> None:
    file = "signal_trace.sinks.FileSink"
    settings.SIGNAL_TRACE = one_sink(file, path=tmp_path / "traces.jsonl")
    assert found() == []
    settings.SIGNAL_TRACE = one_sink(file, path=tmp_path / "missing" / "traces.jsonl")
    [message] = found()
    assert message.id == "signal_trace.W004"
    assert f"there is no folder '{tmp_path / 'missing'}'" in message.msg


def test_log_that_nobody_set_up_is_a_warning_where_something_is_traced(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "signal_trace")
    [message] = found()
    assert message.id == "signal_trace.W004"
    assert message.msg == (
        "SIGNAL_TRACE['SINKS'][0] can't do its work now: the logger 'signal_trace'"
        " passes WARNING and above, and most traces are INFO: set its level in LOGGING."
    )
    settings.MIDDLEWARE = []
    assert found() == []


def test_silenced_finding_that_there_is_none_of_is_an_error(
    settings: Settings,
) -> None:
    settings.SIGNAL_TRACE = {
        "SILENCED_FINDINGS": ["cycle", "cycle:shop", "slow", "slow:shop", "cycle:", ""]
    }
    messages = found()
    assert {message.id for message in messages} == {"signal_trace.E004"}
    assert [message.msg for message in messages] == [
        f"SIGNAL_TRACE['SILENCED_FINDINGS'] has {entry!r}, which names no finding."
        for entry in ("slow", "slow:shop", "cycle:", "")
    ]
    assert "The findings are swallowed-exception, cycle, " in str(messages[0].hint)


@pytest.mark.parametrize(
    ("key", "entry", "remedy"),
    [
        ("IGNORE", "shop.", "Write 'shop'"),
        ("IGNORE", " shop.Order", "Write 'shop.Order'"),
        ("IGNORE", "shop.receivers.*", "Write 'shop.receivers'"),
        ("IGNORE", "shop.receivers\n", "Write 'shop.receivers'"),
        ("IGNORE", "", "Leave it out"),
        ("IGNORE", " ", "Leave it out"),
        ("SILENCED_FINDINGS", "cycle:shop.", "Write 'cycle:shop'"),
        ("SILENCED_FINDINGS", "cycle: shop.x", "Write 'cycle:shop.x'"),
        ("SILENCED_FINDINGS", "bulk-write: ", "Write 'bulk-write'"),
    ],
)
def test_name_that_can_be_nobodys_is_a_warning(
    settings: Settings, key: str, entry: str, remedy: str
) -> None:
    settings.SIGNAL_TRACE = {key: ["cycle", entry]}
    [message] = found()
    assert message.id == "signal_trace.W001"
    assert not message.is_serious()
    assert message.msg == (
        f"SIGNAL_TRACE[{key!r}] has {entry!r}, which does nothing: no name is like"
        " that."
    )
    assert str(message.hint).startswith(remedy)


def test_signal_that_is_named_in_short_is_a_warning(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"IGNORE": ["post_save", "opened", "tests.app", "app"]}
    first, second = found()
    assert {first.id, second.id} == {"signal_trace.W002"}
    assert first.msg == (
        "SIGNAL_TRACE['IGNORE'] has 'post_save', which does nothing: names are full"
        " ones."
    )
    assert first.hint == "Write 'django.db.models.signals.post_save'."
    assert second.hint == "Write 'tests.app.signals.opened'."


def test_app_called_like_a_signal_may_be_ignored(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.app.signals.app", Signal(), raising=False)
    settings.SIGNAL_TRACE = {"IGNORE": ["app"]}
    assert found() == []


def test_stacks_without_call_sites_are_a_warning(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"STACKS": True, "CALL_SITES": False}
    [message] = found()
    assert message.id == "signal_trace.W003"
    assert "SIGNAL_TRACE['STACKS']" in message.msg
    assert message.hint == 'Set "CALL_SITES": True, or leave STACKS out.'


def test_check_command_shows_errors_and_hints(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"ENABEL": True} | one_sink("missing.sink")
    with pytest.raises(SystemCheckError) as caught:
        call_command("check")
    shown = str(caught.value)
    assert "(signal_trace.E001) SIGNAL_TRACE['ENABEL']" in shown
    assert "HINT: Did you mean 'ENABLED'?" in shown
    assert "(signal_trace.E003)" in shown


@pytest.mark.parametrize(
    "given", [None, {"ENABEL": True}, {"SINKS": 5}, one_sink("missing.sink")]
)
def test_application_runs_with_wrong_settings(settings: Settings, given: Any) -> None:
    settings.SIGNAL_TRACE = given
    with signal_trace.record("runs") as recording:
        pass
    sinks.emit(recording.trace)
    assert recording.trace.name == "runs"
    assert conf.settings().ENABLED is True
