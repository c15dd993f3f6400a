from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import pytest

from signal_trace import asgi, conf, wsgi
from signal_trace.middleware import SignalTraceMiddleware
from tests.test_wsgi import unwatched as unwatched

if TYPE_CHECKING:
    from pytest_django import Settings


def test_defaults_hold_where_nothing_is_set(settings: Settings) -> None:
    if hasattr(settings, "SIGNAL_TRACE"):
        del settings.SIGNAL_TRACE
    assert conf.settings() == conf.Settings()
    assert conf.problems() == []


EDITOR_URL = "an address with {file} and, if need be, {line}"
NO_EDITOR_URLS = [
    3,
    "",
    "vscode://file/",
    "{file}",
    "/open/{file}",
    "javascript:alert({file})",
    "JavaScript:open('{file}')",
    " javascript:{file}",
    "java\nscript:{file}",
    "data:text/html,{file}",
    "vscode://file/{file}:{column}",
    "vscode://file/{file}:{line:d}",
    "vscode://file/{file} {line}",
]


@pytest.mark.parametrize(
    "url",
    [
        None,
        "vscode://file/{file}:{line}",
        "pycharm://open?file={file}&line={line}",
        "http://localhost:63342/api/file/{file}:{line}",
        "txmt://open?url=file://{file}",
    ],
)
def test_addresses_that_open_an_editor(settings: Settings, url: str | None) -> None:
    settings.SIGNAL_TRACE = {"EDITOR_URL": url}
    assert conf.problems() == []
    assert url == conf.settings().EDITOR_URL


def test_what_is_set_rightly_holds(settings: Settings) -> None:
    sink = {"BACKEND": "shop.sinks.write", "OPTIONS": {"path": "/tmp"}}
    settings.SIGNAL_TRACE = {"ENABLED": False, "IGNORE": ["shop"], "SINKS": [sink]}
    assert conf.problems() == []
    given = conf.settings()
    assert (False, ["shop"], [sink]) == (given.ENABLED, given.IGNORE, given.SINKS)


def test_thresholds_may_be_whole_or_broken(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"SLOW_RECEIVER_MS": 2.5, "REPEATED_CALLS": 2}
    assert conf.problems() == []
    assert conf.settings() == conf.Settings(SLOW_RECEIVER_MS=2.5, REPEATED_CALLS=2)
    settings.SIGNAL_TRACE = {"SLOW_RECEIVER_MS": 0, "SILENCED_FINDINGS": ("cycle",)}
    assert conf.problems() == []


@pytest.mark.parametrize(
    "begin", [SignalTraceMiddleware, wsgi.trace_requests, asgi.trace_requests]
)
def test_server_that_runs_no_checks_says_once_what_is_wrong(
    settings: Settings, caplog: pytest.LogCaptureFixture, begin: Any
) -> None:
    settings.SIGNAL_TRACE = {"SAMPLE_RATE": "0.01", "ENABEL": True}
    for _ in range(2):
        begin(lambda request: None)
    rate, enabel = caplog.records
    assert (rate.name, rate.levelname) == ("signal_trace.settings", "ERROR")
    assert "['SAMPLE_RATE'] must be a number from 0 to 1, not '0.01'" in (
        rate.getMessage()
    )
    assert "Did you mean 'ENABLED'?" in enabel.getMessage()


def test_change_of_the_settings_is_seen(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"ENABLED": False}
    assert conf.settings().ENABLED is False
    settings.SIGNAL_TRACE = {"ENABLED": True}
    assert conf.settings().ENABLED is True


def test_any_dict_and_any_list_will_do(settings: Settings) -> None:
    settings.SIGNAL_TRACE = OrderedDict(IGNORE=("shop",), SINKS=())
    assert conf.problems() == []
    assert conf.settings().ignores("shop")
    settings.SIGNAL_TRACE = {"IGNORE": {"shop"}}
    assert conf.problems() == []
    assert conf.settings().ignores("shop")


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("ENABLE", "Did you mean 'ENABLED'?"),
        ("ignore", "Did you mean 'IGNORE'?"),
        ("SINK", "Did you mean 'SINKS'?"),
        ("COLOUR", "The settings are ENABLED, IGNORE, "),
        (5, "The settings are ENABLED, IGNORE, "),
    ],
)
def test_unknown_key_is_a_problem_with_a_remedy(
    settings: Settings, key: Any, hint: str
) -> None:
    settings.SIGNAL_TRACE = {key: True}
    [problem] = conf.problems()
    assert problem.id == "signal_trace.E001"
    assert problem.message == f"SIGNAL_TRACE[{key!r}] is no setting of signal_trace."
    assert problem.hint.startswith(hint)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("ENABLED", 1, "True or False"),
        ("ENABLED", None, "True or False"),
        ("ARGUMENTS", "none", '"safe", "names" or "off"'),
        ("IGNORE", "shop", "a list of dotted names"),
        ("IGNORE", None, "a list of dotted names"),
        ("MAX_SENDS", -1, "a whole number from 0"),
        ("MAX_SENDS", True, "a whole number from 0"),
        ("MAX_SENDS", 1e4, "a whole number from 0"),
        ("SINKS", {"BACKEND": "shop.sink"}, "a list of sinks"),
        ("SLOW_RECEIVER_MS", "30", "a number from 0"),
        ("SLOW_RECEIVER_MS", -0.5, "a number from 0"),
        ("SLOW_RECEIVER_MS", True, "a number from 0"),
        ("SLOW_RECEIVER_MS", float("nan"), "a number from 0"),
        ("SLOW_RECEIVER_MS", float("inf"), "a number from 0"),
        ("REPEATED_CALLS", 1, "a whole number from 2"),
        ("REPEATED_CALLS", 10.0, "a whole number from 2"),
        ("REPEATED_QUERIES", None, "a whole number from 2"),
        ("DEEP_NESTING", True, "a whole number from 2"),
        ("DEEP_NESTING", 2.5, "a whole number from 2"),
        ("SILENCED_FINDINGS", "cycle", "a list of findings"),
        ("SAMPLE_RATE", "0.01", "a number from 0 to 1"),
        ("SAMPLE_RATE", 1.01, "a number from 0 to 1"),
        ("SAMPLE_RATE", -0.01, "a number from 0 to 1"),
        ("SAMPLE_RATE", True, "a number from 0 to 1"),
        ("SAMPLE_RATE", float("nan"), "a number from 0 to 1"),
        ("KEEP", ["failed"], "a dict of rules"),
        ("KEEP", None, "a dict of rules"),
        ("COMMANDS", "migrate", "a list of command names"),
        ("TASKS", "celery", "a list of task systems"),
        *(("EDITOR_URL", url, EDITOR_URL) for url in NO_EDITOR_URLS),
    ],
)
def test_value_of_the_wrong_type_is_a_problem_with_an_example(
    settings: Settings, key: str, value: Any, expected: str
) -> None:
    settings.SIGNAL_TRACE = {key: value}
    [problem] = conf.problems()
    assert problem.id == "signal_trace.E002"
    assert problem.message == (
        f"SIGNAL_TRACE[{key!r}] must be {expected}, not {value!r}."
    )
    assert problem.hint.startswith(f'For example: "{key}": ')
    instead = {"SAMPLE_RATE": 0} if key == "SAMPLE_RATE" else {}
    assert conf.settings() == conf.Settings(**instead)


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ({"slower_than": 500}, " has the key 'slower_than', and the rules are "),
        ({"slower_than_ms": "500"}, "['slower_than_ms'] must be a number from 0, not"),
        ({"slower_than_ms": -1}, "['slower_than_ms'] must be a number from 0, not"),
        ({"failed": 1}, "['failed'] must be True or False, not 1."),
        ({"findings": True}, '[\'findings\'] must be "problem", "warning" or'),
        ({"findings": []}, '[\'findings\'] must be "problem", "warning" or'),
        ({5: 5}, " has the key 5, and the rules are 'slower_than_ms', "),
    ],
)
def test_wrong_rule_is_pointed_at(
    settings: Settings, keep: dict[Any, Any], message: str
) -> None:
    settings.SIGNAL_TRACE = {"KEEP": keep}
    [problem] = conf.problems()
    assert problem.id == "signal_trace.E002"
    assert problem.message.startswith(f"SIGNAL_TRACE['KEEP']{message}")
    assert problem.hint.startswith('For example: "KEEP": {')
    assert conf.settings() == conf.Settings()


def test_right_choices_hold(settings: Settings) -> None:
    given = {
        "SAMPLE_RATE": 0.5,
        "KEEP": {"slower_than_ms": 0.5, "failed": False, "findings": "hint"},
        "COMMANDS": ("migrate",),
        "TASKS": ["celery", "django"],
    }
    settings.SIGNAL_TRACE = given
    assert conf.problems() == []
    assert conf.settings() == conf.Settings(**given)


def test_wrong_rule_for_requests_is_not_passed_over(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"SHOULD_TRACE": 5}
    [problem] = conf.problems()
    assert problem.message == (
        "SIGNAL_TRACE['SHOULD_TRACE'] must be a function or its dotted path, not 5."
    )
    # Whoever uses it says that nothing is traced.
    assert conf.settings().SHOULD_TRACE == 5


@pytest.mark.parametrize(
    ("key", "wrong", "message"),
    [
        ("IGNORE", b"shop", "must be a dotted name, not b'shop'"),
        ("IGNORE", 3, "must be a dotted name, not 3"),
        ("SILENCED_FINDINGS", 3, "must be a finding, not 3"),
        ("COMMANDS", 3, "must be a command's name, not 3"),
        ("TASKS", "rq", 'must be "celery" or "django", not \'rq\''),
        ("TASKS", [], 'must be "celery" or "django", not []'),
        ("SINKS", "shop.sink", "must be a dict with a BACKEND, not 'shop.sink'"),
        ("SINKS", {}, "must be a dict with a BACKEND, not {}"),
        ("SINKS", {"BACKEND": 5}, "['BACKEND'] must be a dotted path, not 5"),
        (
            "SINKS",
            {"BACKEND": "shop.sink", "OPTIONS": []},
            "['OPTIONS'] must be a dict, not []",
        ),
        (
            "SINKS",
            {"BACKEND": "shop.sink", "LEVEL": 5},
            "has the key 'LEVEL', and a sink has none but 'BACKEND' and 'OPTIONS'",
        ),
    ],
)
def test_wrong_item_of_a_list_is_pointed_at(
    settings: Settings, key: str, wrong: Any, message: str
) -> None:
    right = {"SINKS": {"BACKEND": "shop.sink"}, "TASKS": "celery"}.get(key, "cycle")
    settings.SIGNAL_TRACE = {key: [right, wrong]}
    [problem] = conf.problems()
    assert problem.id == "signal_trace.E002"
    space = "" if message.startswith("[") else " "
    assert problem.message == f"SIGNAL_TRACE[{key!r}][1]{space}{message}."
    assert problem.hint.startswith(f'For example: "{key}": ')
    assert conf.settings() == conf.Settings()


@pytest.mark.parametrize("given", [None, [], "ENABLED", True])
def test_setting_that_is_no_dict_is_a_problem(settings: Settings, given: Any) -> None:
    settings.SIGNAL_TRACE = given
    [problem] = conf.problems()
    assert problem.id == "signal_trace.E002"
    assert problem.message == f"SIGNAL_TRACE must be a dict, not {given!r}."
    assert conf.settings() == conf.Settings()


def test_long_value_is_shown_by_its_beginning(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"ENABLED": "x" * 10_000}
    [problem] = conf.problems()
    assert len(problem.message) < 200


def test_wrong_keys_are_passed_over_and_the_rest_holds(
    settings: Settings,
) -> None:
    settings.SIGNAL_TRACE = {"ENABLED": "no", "COLOUR": 5, "IGNORE": ["shop"]}
    assert len(conf.problems()) == 2
    assert conf.settings() == conf.Settings(IGNORE=["shop"])


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        ("shop", True),
        ("shop.Order", True),
        ("shop.receivers.announce", True),
        ("shopping", False),
        ("shopping.Cart", False),
        ("my.shop", False),
        ("library.Book", True),
        ("library.Bookmark", False),
        ("library", False),
        ("debug_toolbar", True),
        ("debug_toolbar.models.HistoryEntry", True),
        ("debug_toolbar_extras.signals.shown", False),
    ],
)
def test_names_are_ignored_whole_or_up_to_a_dot(
    settings: Settings, name: str, ignored: bool
) -> None:
    settings.SIGNAL_TRACE = {"IGNORE": ["shop", "library.Book"]}
    assert conf.settings().ignores(name) is ignored
