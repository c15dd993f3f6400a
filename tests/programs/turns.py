"""An event loop of which only one thread runs at a time, always in the same order.

`sync_to_async` runs its function in another thread, beside the loop. What comes first
then is left to chance, and two runs of one program can't be compared. Here the loop
stands still while such a function runs, and goes on when the function has returned
or waits for the loop itself, as `async_to_sync` does.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from typing import Any


class NumberedTask(asyncio.Task[Any]):
    """A task that stands in sets where those of other runs stand."""

    number = 0

    def __hash__(self) -> int:
        return self.number


class TurnLoop(asyncio.SelectorEventLoop):
    # Set where a thread and the loop have waited for each other, which tells nothing
    # of the program: what is seen of it is of no use.
    has_stuck = False

    def __init__(self) -> None:
        super().__init__()
        self._count = itertools.count(1)
        self.set_task_factory(self._number)
        self._turn = threading.Semaphore(0)
        self._tasks: list[weakref.ref[asyncio.Task[Any]]] = []

    def _number(self, loop: Any, coroutine: Any, **named: Any) -> asyncio.Task[Any]:
        task = NumberedTask(coroutine, loop=loop, **named)
        task.number = next(self._count)
        return task

    def create_task(self, *args: Any, **named: Any) -> asyncio.Task[Any]:
        task = super().create_task(*args, **named)
        self._tasks.append(weakref.ref(task))
        return task

    def run_until_complete(self, future: Any) -> Any:
        """As always, and at the end cancel all other tasks, the oldest first: else
        `asyncio.run` does, in any order."""
        try:
            return super().run_until_complete(future)
        finally:
            self._cancel_rest()

    def _cancel_rest(self) -> None:
        left = [
            task
            for one in self._tasks
            if (task := one()) is not None and not task.done()
        ]
        for task in left:
            task.cancel()
        if left:
            super().run_until_complete(asyncio.gather(*left, return_exceptions=True))

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor, function: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        waiter = self.create_future()

        def finish(job: Future[Any]) -> None:
            super(TurnLoop, self).call_soon_threadsafe(_copy, job, waiter)
            self._turn.release()

        executor.submit(function, *args).add_done_callback(finish)
        self._wait()
        return waiter

    def _wait(self) -> None:
        if not self._turn.acquire(timeout=3):
            TurnLoop.has_stuck = True

    def call_soon_threadsafe(
        self, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.Handle:
        if callback != self.create_task:
            return super().call_soon_threadsafe(callback, *args, context=context)
        # A thread that we wait for has `async_to_sync` run something here, and waits.
        handle = super().call_soon_threadsafe(self._run_guest, *args)
        self._turn.release()
        return handle

    def _run_guest(self, coroutine: Coroutine[Any, Any, None]) -> None:
        async def run() -> None:
            await coroutine  # At its end the thread goes on.
            self._wait()

        self._guest = self.create_task(run())


def _copy(job: Future[Any], waiter: asyncio.Future[Any]) -> None:
    if waiter.cancelled():
        return
    error = job.exception()
    if error is None:
        waiter.set_result(job.result())
    else:
        waiter.set_exception(error)
