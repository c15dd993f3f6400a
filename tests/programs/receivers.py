"""Receivers of every kind, which all do what their script says.

Nothing but the world's `held` refers to one strongly.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from asgiref.sync import markcoroutinefunction

if TYPE_CHECKING:
    from tests.programs.worlds import World


class Listener:
    """A callable object, which tells when it is looked at closely."""

    def __init__(self, world: World, label: str) -> None:
        self.world = world
        self.label = label

    def __call__(self, **named: Any) -> Any:
        return self.world.run(self.label, named)

    def __repr__(self) -> str:
        self.world.note("repr", self.label)
        return self.label

    def __eq__(self, other: object) -> bool:
        self.world.note("eq", self.label)
        return self is other

    def __hash__(self) -> int:
        self.world.note("hash", self.label)
        return 7


class MarkedListener(Listener):
    """Counts as a coroutine function, and returns a future."""

    def __call__(self, **named: Any) -> Any:
        return future_of(lambda: self.world.run(self.label, named))


class Steps:
    """An awaitable whose iterator has neither ``send`` nor ``throw``."""

    def __init__(self, steps: Iterator[None]) -> None:
        self.steps = steps

    def __await__(self) -> Iterator[None]:
        return self

    def __iter__(self) -> Iterator[None]:
        return self

    def __next__(self) -> None:
        next(self.steps)


def future_of(work: Callable[[], Any]) -> asyncio.Future[Any]:
    """A future that is done a little after *work*."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    try:
        result = work()
    except Exception as error:
        loop.call_soon(_settle, future, None, error)
    else:
        loop.call_soon(_settle, future, result, None)
    return future


def _settle(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def make(world: World, label: str, kind: str) -> tuple[Any, str]:
    """A new receiver, and what a trace calls it."""

    def hear(**named: Any) -> Any:
        return world.run(label, named)

    async def hear_async(**named: Any) -> Any:
        return await world.run_async(label, named)

    def hear_later(**named: Any) -> Any:
        return future_of(lambda: world.run(label, named))

    def hear_at_once(**named: Any) -> Any:
        future = asyncio.get_running_loop().create_future()
        future.set_result(world.run(label, named))
        return future

    def hear_in_task(**named: Any) -> Any:
        return asyncio.create_task(world.run_rest_async(*world.begin(label, named)))

    def hear_in_steps(**named: Any) -> Any:
        return Steps(world.run_rest_in_steps(*world.begin(label, named)))

    receiver: Any
    name = label
    if kind == "function":
        receiver = hear
    elif kind == "lambda":
        receiver = lambda **named: world.run(label, named)  # noqa: E731
    elif kind == "async function":
        receiver = hear_async
    elif kind == "marked future":
        receiver = markcoroutinefunction(hear_later)
    elif kind == "marked eager":
        receiver = markcoroutinefunction(hear_at_once)
    elif kind == "marked task":
        receiver = markcoroutinefunction(hear_in_task)
    elif kind == "marked steps":
        receiver = markcoroutinefunction(hear_in_steps)
    elif kind == "partial":
        hear.__qualname__ = label
        receiver = functools.partial(hear, part=1)
    elif kind == "async partial":
        hear_async.__qualname__ = label
        receiver = functools.partial(hear_async, part=1)
    elif kind == "decorated":
        hear.__qualname__ = label

        @functools.wraps(hear)
        def receiver(**named: Any) -> Any:
            return hear(**named)

    elif kind in ("method", "async method"):
        receiver = _bound_method(world, label, kind == "async method")
        name = f"{label}.hear"
    elif kind == "object":
        receiver, name = Listener(world, label), "Listener"
    else:
        assert kind == "marked object"
        receiver, name = MarkedListener(world, label), "MarkedListener"
        markcoroutinefunction(receiver)
    if "method" not in kind and hasattr(receiver, "__qualname__"):
        receiver.__qualname__ = label
    return receiver, f"{__name__}.{name}"


def _bound_method(world: World, label: str, is_async: bool) -> Any:
    class Owner:
        def hear(self, **named: Any) -> Any:
            return world.run(label, named)

        async def hear_async(self, **named: Any) -> Any:
            return await world.run_async(label, named)

    function = Owner.__dict__["hear_async" if is_async else "hear"]
    function.__qualname__ = f"{label}.hear"
    owner = Owner()
    owner.label = label  # type: ignore[attr-defined]
    return getattr(owner, function.__name__)
