"""Signals, senders, responses and exceptions that programs use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, NoReturn

import django
from django.dispatch import Signal

from tests.app.models import Tag

logger = logging.getLogger("tests.program")

# Before that `asend` runs sync receivers beside the async ones.
SYNC_FIRST = django.VERSION >= (6, 1)

Note = Callable[..., None]


class Loud(Signal):
    """Adds an argument."""

    def send(self, sender: Any, **named: Any) -> Any:
        return super().send(sender, loud=True, **named)

    async def asend(self, sender: Any, **named: Any) -> Any:
        return await super().asend(sender, loud=True, **named)


class Backwards(Signal):
    """Calls the last receiver first."""

    def _live_receivers(self, sender: Any) -> Any:
        sync_receivers, async_receivers = super()._live_receivers(sender)  # type: ignore[misc]
        return sync_receivers[::-1], async_receivers[::-1]


class Quiet(Signal):
    """Doesn't log failures as Django does."""

    def _log_robust_failure(self, receiver: Any, err: BaseException) -> None:
        logger.info("Quiet %s %s", type(receiver).__name__, type(err).__name__)


class Asking(Signal):
    """Sends only to whom is there."""

    def send(self, sender: Any, **named: Any) -> Any:
        return super().send(sender, **named) if self.has_listeners(sender) else []


class Own(Signal):
    """Calls its receivers by itself when it sends robustly, which goes unrecorded."""

    def send_robust(self, sender: Any, **named: Any) -> Any:
        responses = []
        for receiver in self._live_receivers(sender)[0]:  # type: ignore[attr-defined]
            try:
                response = receiver(signal=self, sender=sender, **named)
            except Exception as error:
                self._log_robust_failure(receiver, error)  # type: ignore[attr-defined]
                response = error
            responses.append((receiver, response))
        return responses


def make_signals() -> dict[str, Signal]:
    return {
        "plain": Signal(),
        "caching": Signal(use_caching=True),
        "loud": Loud(),
        "backwards": Backwards(use_caching=True),
        "quiet": Quiet(),
        "asking": Asking(),
        "own": Own(),
    }


class Sender:
    pass


class Touchy:
    """Tells whenever somebody looks at it closely."""

    def __init__(self, note: Note) -> None:
        self.note = note

    def __repr__(self) -> str:
        self.note("repr")
        return "Touchy"

    def __eq__(self, other: object) -> bool:
        self.note("eq")
        return self is other

    def __hash__(self) -> int:
        self.note("hash")
        return 5


def make_senders(note: Note) -> dict[str, Any]:
    return {
        "none": None,
        "class": Sender,
        "text": "text",
        "model": Tag,
        "instance": Tag(pk=5, name="five"),
        "touchy": Touchy(note),
    }


# What traces call them: the sender of a kept send, and of one that nobody heard.
SENDER_NAMES = {
    "none": ("None", "None"),
    "class": (f"{__name__}.Sender", f"{__name__}.Sender"),
    "text": ("text", "str instance"),
    "model": ("app.Tag", "app.Tag"),
    "instance": ("app.Tag(pk=5)", "app.Tag instance"),
    "touchy": (f"{__name__}.Touchy instance", f"{__name__}.Touchy instance"),
}


class Thing:
    """What is given to receivers or comes back; known by its label."""

    def __init__(self, label: str) -> None:
        self.label = label


class Custom(LookupError):
    pass


class Talkative(Exception):
    """Tells whenever somebody makes text of it."""

    def __init__(self, message: str, note: Note) -> None:
        super().__init__(message)
        self.note = note

    def __str__(self) -> str:
        self.note("str")
        return "talkative"


class Base(BaseException):
    pass


TYPES: dict[str, type[BaseException]] = {
    "value": ValueError,
    "custom": Custom,
    "base": Base,
    "cancelled": asyncio.CancelledError,
    "exit": GeneratorExit,
    "stop": StopIteration,
}


def throw(error: BaseException, way: str) -> NoReturn:
    if way == "plain":
        raise error
    if way == "from":
        raise error from KeyError("cause")
    if way == "from none":
        raise error from None
    try:
        raise KeyError("context")
    except KeyError:
        raise error  # noqa: B904
