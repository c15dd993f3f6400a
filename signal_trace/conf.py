"""The settings: one dictionary, ``SIGNAL_TRACE``, read in this one place."""

from __future__ import annotations

import difflib
import functools
import logging
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.http import HttpRequest

from signal_trace.arguments import ALL_THAT_IS_SAFE, NAMES_ONLY, NOTHING
from signal_trace.captures import Captures
from signal_trace.ignoring import Ignores
from signal_trace.parts import HINT, PROBLEM, WARNING

logger = logging.getLogger("signal_trace.settings")

NAME = "SIGNAL_TRACE"

# What the toolbar sets off, which is none of the application's: its own models and
# signals, and the signal that its templates panel makes every template send. And
# our own receivers, which hear when tests change the settings.
ALWAYS_IGNORED = (
    "debug_toolbar",
    "django.test.signals.template_rendered",
    "signal_trace",
)

SWITCHES = ("ENABLED", "CALL_SITES", "STACKS", "QUERIES")
# What may happen once can't happen too often.
COUNTS = ("REPEATED_CALLS", "REPEATED_QUERIES", "DEEP_NESTING")

# Those that are functions or their dotted paths, with examples.
FUNCTIONS = {
    "REDACT": '"REDACT": "shop.tracing.redact"',
    "SHOULD_TRACE": '"SHOULD_TRACE": "shop.tracing.should_trace"',
}

TASK_SYSTEMS = ("celery", "django")

# What a browser would run, or show as a page of its own making.
RUNNING_SCHEMES = ("javascript", "data", "vbscript", "blob")

LOG_SINK = {"BACKEND": "signal_trace.sinks.LogSink"}


@dataclass(frozen=True)
class Settings:
    """What ``SIGNAL_TRACE`` may hold, with the defaults.

    ``ENABLED``: whether panel, middleware and the like record. ``IGNORE``: dotted
    names, or beginnings of them, of signals, senders, receivers and apps that no
    trace shows. ``MAX_SENDS``: how many sends a trace keeps one by one; more are
    counted and added up. ``CALL_SITES``: whether to find the line that caused a send,
    ``STACKS``: all that led to it. ``ARGUMENTS``: what to show of a send's arguments,
    ``"safe"``, ``"names"`` or ``"off"``. ``QUERIES``: whether to watch the database's
    queries and transactions. ``SINKS``: where finished traces are sent, each
    ``{"BACKEND": "dotted.path", "OPTIONS": {…}}``. ``REDACT``: a function, or its
    dotted path, that is given each of them before any sink, and gives what to send.

    ``SHOULD_TRACE``: a callable or its dotted path that says of a request whether to
    trace it. ``SAMPLE_RATE``: what part of the requests and tasks to trace, from 0 to
    1. ``KEEP``: what to keep of the rest, known at the end: ``slower_than_ms``,
    ``failed``, and ``findings`` of a level. ``COMMANDS``: the management commands to
    trace, ``TASKS``: the systems whose tasks to trace, ``"celery"`` and ``"django"``.

    The rest is about findings. ``SLOW_RECEIVER_MS``: how long a receiver may take of
    its own. ``REPEATED_CALLS``: how often one line may set off a receiver.
    ``REPEATED_QUERIES``: how often a receiver may execute one statement.
    ``DEEP_NESTING``: how many levels of sends are too many. ``SILENCED_FINDINGS``: ids
    of findings not to be made, or ``"id:receiver"`` for one receiver, by its dotted
    name or a beginning of it.

    ``EDITOR_URL``: what the panel's links to lines of code lead to, with ``{file}`` and
    ``{line}`` in it.
    """

    ENABLED: bool = True
    IGNORE: list[str] = field(default_factory=list)
    MAX_SENDS: int = 10_000
    CALL_SITES: bool = True
    STACKS: bool = False
    ARGUMENTS: str = "safe"
    QUERIES: bool = True
    SINKS: list[dict[str, Any]] = field(default_factory=lambda: [LOG_SINK])
    REDACT: str | Callable[..., Any] | None = None
    SHOULD_TRACE: str | Callable[[HttpRequest], bool | None] | None = None
    SAMPLE_RATE: float = 1
    KEEP: dict[str, Any] = field(default_factory=dict)
    COMMANDS: list[str] = field(default_factory=list)
    TASKS: list[str] = field(default_factory=list)
    SLOW_RECEIVER_MS: float = 35
    REPEATED_CALLS: int = 10
    REPEATED_QUERIES: int = 10
    DEEP_NESTING: int = 10
    SILENCED_FINDINGS: list[str] = field(default_factory=list)
    EDITOR_URL: str | None = None

    @functools.cached_property
    def captures(self) -> Captures:
        """What to take down of each send."""
        return Captures(self.CALL_SITES, self.STACKS, self.ARGUMENTS, self.QUERIES)

    @functools.cached_property
    def ignores(self) -> Ignores:
        """Says whether traces leave out what is called by a name."""
        whole = (*ALWAYS_IGNORED, *self.IGNORE)
        beginnings = tuple(f"{name}." for name in whole)

        @functools.lru_cache(maxsize=10_000)
        def ignores(name: str) -> bool:
            return name in whole or name.startswith(beginnings)

        return ignores


@dataclass(frozen=True)
class Problem:
    """Something wrong with ``SIGNAL_TRACE``: what, where, and the remedy."""

    id: str
    message: str
    hint: str


def settings() -> Settings:
    """The settings in force: the defaults, and what the project gives rightly.

    A key that is wrong is passed over, so that tracing never keeps a project from
    starting; the system checks say so (`problems`).
    """
    return _of_project() if django_settings.configured else Settings()


@functools.cache
def _of_project() -> Settings:
    given = getattr(django_settings, NAME, {})
    if not isinstance(given, dict):
        return Settings()
    # What was to be taken out of traces must not get out, nor what was not to be
    # traced at all: whoever uses these sees that they are wrong.
    wrong = {key for key, _ in _problems(given)} - {"REDACT", "SHOULD_TRACE"}
    right = {key: value for key, value in given.items() if key not in wrong}
    if "SAMPLE_RATE" in wrong:
        right["SAMPLE_RATE"] = 0  # Some part was meant, and all may be too much.
    return Settings(**right)


def is_given(key: str) -> bool:
    """Whether the project says something of this setting, rightly or wrongly."""
    given = getattr(django_settings, NAME, {})
    return isinstance(given, dict) and key in given


def problems() -> list[Problem]:
    """What is wrong with the project's ``SIGNAL_TRACE``, key by key."""
    return [problem for _, problem in _problems(getattr(django_settings, NAME, {}))]


@functools.cache
def say_problems() -> None:
    """Log what is wrong, once: a server may run no system checks."""
    for problem in problems():
        logger.error("%s %s", problem.message, problem.hint)


def _problems(given: Any) -> Iterator[tuple[Any, Problem]]:
    if not isinstance(given, dict):
        yield (
            None,
            Problem(
                "signal_trace.E002",
                f"{NAME} must be a dict, not {_shown(given)}.",
                f'Write {NAME} = {{"ENABLED": True}}, or leave the setting out.',
            ),
        )
        return
    known = [one.name for one in fields(Settings)]
    for key, value in given.items():
        if key not in known:
            near = difflib.get_close_matches(str(key).upper(), known, 1)
            hint = (
                f"Did you mean {near[0]!r}?"
                if near
                else f"The settings are {', '.join(known)}."
            )
            message = f"{NAME}[{key!r}] is no setting of signal_trace."
            yield key, Problem("signal_trace.E001", message, hint)
        for wrong, example in _wrong_values(key, value):
            message = f"{NAME}[{key!r}]{wrong}."
            yield key, Problem("signal_trace.E002", message, f"For example: {example}.")


def _wrong_values(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """What of a setting's value is wrong, behind the setting's name, and an example."""
    if key in SWITCHES and type(value) is not bool:
        yield _must_be("True or False", value), f'"{key}": True'
    elif key == "ARGUMENTS" and value not in (ALL_THAT_IS_SAFE, NAMES_ONLY, NOTHING):
        yield _must_be('"safe", "names" or "off"', value), '"ARGUMENTS": "names"'
    elif key == "MAX_SENDS" and (type(value) is not int or value < 0):
        yield _must_be("a whole number from 0", value), '"MAX_SENDS": 10_000'
    elif key == "SAMPLE_RATE" and not (_is_duration(value) and value <= 1):
        yield _must_be("a number from 0 to 1", value), '"SAMPLE_RATE": 0.01'
    elif key == "KEEP":
        yield from _wrong_keep(value)
    elif key == "SLOW_RECEIVER_MS" and not _is_duration(value):
        yield _must_be("a number from 0", value), '"SLOW_RECEIVER_MS": 35'
    elif key in COUNTS and (type(value) is not int or value < 2):
        yield _must_be("a whole number from 2", value), f'"{key}": 10'
    elif key == "EDITOR_URL" and not (value is None or _is_editor_url(value)):
        what = "an address with {file} and, if need be, {line}"
        yield _must_be(what, value), '"EDITOR_URL": "vscode://file/{file}:{line}"'
    elif key in FUNCTIONS and not (
        value is None or type(value) is str or callable(value)
    ):
        yield _must_be("a function or its dotted path", value), FUNCTIONS[key]
    elif key in LISTS:
        kind, wrong_item, example = LISTS[key]
        if not isinstance(value, list | tuple | set):
            yield _must_be(f"a list of {kind}s", value), example
            return
        for number, item in enumerate(value):
            if wrong := wrong_item(item):
                yield f"[{number}]{wrong}", example


def _wrong_keep(value: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield _must_be("a dict of rules", value), KEEP_EXAMPLE
        return
    for key, given in value.items():
        if key not in KEEP_RULES:
            rules = ", ".join(map(repr, KEEP_RULES))
            yield f" has the key {_shown(key)}, and the rules are {rules}", KEEP_EXAMPLE
            continue
        is_right, what = KEEP_RULES[key]
        if not is_right(given):
            yield f"[{key!r}]{_must_be(what, given)}", KEEP_EXAMPLE


def _must_be(what: str, value: Any) -> str:
    return f" must be {what}, not {_shown(value)}"


def _is_duration(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf


def _is_editor_url(value: Any) -> bool:
    """Whether it leads to a file in an editor, and runs nothing in the page."""
    if type(value) is not str or "{file}" not in value:
        return False
    scheme = re.match(r"([a-z][a-z0-9+.-]*):", value, re.IGNORECASE)
    if scheme is None or scheme[1].lower() in RUNNING_SCHEMES:
        return False
    rest = value.replace("{file}", "").replace("{line}", "")
    return rest.isprintable() and not set(rest) & set("{} ")


def _wrong_name(value: Any) -> str:
    return "" if type(value) is str else _must_be("a dotted name", value)


def _wrong_finding(value: Any) -> str:
    return "" if type(value) is str else _must_be("a finding", value)


def _wrong_sink(value: Any) -> str:
    if type(value) is not dict or "BACKEND" not in value:
        return _must_be("a dict with a BACKEND", value)
    for key in value:
        if key not in ("BACKEND", "OPTIONS"):
            given = f" has the key {_shown(key)}"
            return f"{given}, and a sink has none but 'BACKEND' and 'OPTIONS'"
    if type(value["BACKEND"]) is not str:
        return f"['BACKEND']{_must_be('a dotted path', value['BACKEND'])}"
    if type(value.get("OPTIONS", {})) is not dict:
        return f"['OPTIONS']{_must_be('a dict', value['OPTIONS'])}"
    return ""


KEEP_EXAMPLE = '"KEEP": {"slower_than_ms": 500, "failed": True, "findings": "warning"}'

# The rules of ``KEEP``: what is a right value, and how to say so.
KEEP_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "slower_than_ms": (_is_duration, "a number from 0"),
    "failed": (lambda value: type(value) is bool, "True or False"),
    "findings": (
        lambda value: value in (PROBLEM, WARNING, HINT),
        '"problem", "warning" or "hint"',
    ),
}


def _wrong_command(value: Any) -> str:
    return "" if type(value) is str else _must_be("a command's name", value)


def _wrong_task_system(value: Any) -> str:
    return "" if value in TASK_SYSTEMS else _must_be('"celery" or "django"', value)


# Of what kind the items of a list are, what is wrong with one, and an example.
LISTS: dict[str, tuple[str, Callable[[Any], str], str]] = {
    "SILENCED_FINDINGS": (
        "finding",
        _wrong_finding,
        '"SILENCED_FINDINGS": ["bulk-write", "cycle:shop.receivers"]',
    ),
    "IGNORE": (
        "dotted name",
        _wrong_name,
        '"IGNORE": ["django.contrib.sessions", "shop.AuditEntry"]',
    ),
    "COMMANDS": ("command name", _wrong_command, '"COMMANDS": ["import_products"]'),
    "TASKS": ("task system", _wrong_task_system, '"TASKS": ["celery"]'),
    "SINKS": (
        "sink",
        _wrong_sink,
        '"SINKS": [{"BACKEND": "signal_trace.sinks.LogSink", "OPTIONS": {}}]',
    ),
}


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def _forget(*, setting: str, **_: Any) -> None:
    if setting == NAME:
        _of_project.cache_clear()
        say_problems.cache_clear()


setting_changed.connect(_forget, dispatch_uid="signal_trace.conf")
