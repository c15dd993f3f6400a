"""What to trace: what the settings say of a request before it, and once it is over."""

from __future__ import annotations

import functools
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.signals import setting_changed
from django.http import HttpRequest
from django.utils.functional import LazyObject, empty
from django.utils.module_loading import import_string

from signal_trace import conf, on_demand
from signal_trace.callables import is_awaited, refusal
from signal_trace.keeping import Rules
from signal_trace.recording import position

logger = logging.getLogger("signal_trace.choosing")

# Chance is taken from here alone, so that tests can inject it.
draw: Callable[[], float] = random.random

Rule = Callable[[HttpRequest], Any]


@dataclass(slots=True)
class Choice:
    """That something is recorded, and what is to become of its trace.

    ``wanted`` is what ``SHOULD_TRACE`` says: None while it hasn't said, which in the
    end means no. ``keep`` are the rules that decide over it; None: it is kept.
    """

    wanted: bool | None = True
    keep: Rules | None = None


class RuleError(ValueError):
    """``SHOULD_TRACE`` can't be used; the message says why."""


def choose(
    headers: Mapping[str, str], make_request: Callable[[], HttpRequest]
) -> Choice | None:
    """Decide over a request before it; None: it isn't recorded.

    *headers* are those that `on_demand.asks` looks at; *make_request* gives the request
    to ``SHOULD_TRACE``, if there is one.
    """
    settings = conf.settings()
    if settings.SHOULD_TRACE is None and settings.SAMPLE_RATE >= 1:
        return Choice()
    if on_demand.asks(headers):
        return Choice()
    wanted: bool | None = True
    if settings.SHOULD_TRACE is not None:
        wanted = _ask(make_request)
        if wanted is False:
            return None
    choice = sample()
    if choice is not None:
        choice.wanted = wanted
    return choice


def sample() -> Choice | None:
    """Decide by ``SAMPLE_RATE`` and ``KEEP`` alone, as for what is no request."""
    settings = conf.settings()
    if settings.SAMPLE_RATE >= 1 or draw() < settings.SAMPLE_RATE:
        return Choice()
    if settings.KEEP:
        return Choice(keep=Rules(**settings.KEEP))
    return None


def settle(choice: Choice, request: HttpRequest) -> None:
    """Ask ``SHOULD_TRACE`` again, where it couldn't say before *request* was answered.

    It is given what the application has looked at: a user that is still to be fetched
    is missing, so that no query is made that the application didn't make.
    """
    if choice.wanted is None:
        choice.wanted = _ask(lambda: _as_looked_at(request), request) or False


@functools.cache
def rule() -> Rule | RuleError | None:
    """``SHOULD_TRACE``, imported, or what is wrong with it."""
    given: Any = conf.settings().SHOULD_TRACE
    if type(given) is str:
        try:
            given = import_string(given)
        except Exception as error:  # Importing runs the module, which may do anything.
            return RuleError(f"{given!r} can't be imported: {error}")
    if given is None:
        return None
    if not callable(given):
        return RuleError(f"{given!r} is no function")
    if isinstance(given, type):  # What it makes would always be true.
        return RuleError(f"{given!r} is a class and no function")
    if is_awaited(given):
        return RuleError(f"{given!r} is a coroutine function: it isn't awaited")
    if why := refusal(given):
        return RuleError(f"{given!r} takes no request: {why}")
    found: Rule = given
    return found


def _ask(
    make_request: Callable[[], HttpRequest], answered: HttpRequest | None = None
) -> bool | None:
    """What ``SHOULD_TRACE`` says of a request; None: it can't say yet. What it sends is
    in no trace. *answered* is the application's own request, in the end."""
    request: HttpRequest | None = None
    token = position.set(0)
    try:
        asked = rule()
        if isinstance(asked, RuleError):
            raise asked
        if asked is None:
            return True
        request = make_request()
        said = asked(request)
        return None if said is None else bool(said)
    except Exception as error:
        if type(error) is AttributeError and error.obj is request is not None:
            # Some middleware is to add it yet, or was passed by, or hasn't fetched it.
            if answered is None or answered.resolver_match is None:
                return None
            name = error.name or ""
            if hasattr(type(answered), name) or name in vars(answered):
                return None
        if "said" not in _failed:
            _failed.add("said")
            logger.exception(
                "SIGNAL_TRACE['SHOULD_TRACE'] failed, and this request isn't traced."
                " Further failures of it are not logged."
            )
        return False
    finally:
        position.reset(token)


def _as_looked_at(request: HttpRequest) -> HttpRequest:
    """A copy of *request* without what is lazy and hasn't been looked at."""
    copied: HttpRequest = request.__class__.__new__(request.__class__)
    for name, value in request.__dict__.items():
        if issubclass(type(value), LazyObject) and value._wrapped is empty:
            continue
        copied.__dict__[name] = value
    # The user that async code has fetched, by `auser`, isn't put into `user`.
    if "user" not in vars(copied) and (fetched := vars(request).get("_acached_user")):
        copied.__dict__["user"] = fetched
    return copied


_failed: set[str] = set()


def _forget(*, setting: str, **_: Any) -> None:
    if setting == conf.NAME:
        rule.cache_clear()
        _failed.clear()


setting_changed.connect(_forget, dispatch_uid="signal_trace.choosing")
