"""Which line caused what is recorded, also where that is one that awaits.

What async code awaits runs in a thread that has no frame of the application, or in a
task of its own. Then the line is found in the coroutine that waits for it.
"""

from __future__ import annotations

import asyncio
import weakref
from types import FrameType
from typing import TYPE_CHECKING, Any

from asgiref.sync import SyncToAsync

from signal_trace.call_sites import (
    Place,
    awaiting_place,
    find_any_place,
    find_place,
)

if TYPE_CHECKING:
    from signal_trace.recording import Window

# The tasks of a loop can only be counted by listing all. Where they are more than this,
# that is done the more seldom the more they are: each of thousands may save something.
FEW_TASKS = 20

#: The coroutines of async receivers that are under way, by the numbers of their calls.
receivers: dict[int, weakref.ref[Any]] = {}


def find_cause(window: Window, here: int, frame: FrameType | None) -> Place | None:
    """The place of the line that caused what runs in *frame*, at the position *here* of
    *window*."""
    return (
        find_place(frame)
        or _awaiting(window, here)
        or find_any_place(frame, past_loops=False)
        or find_any_place(frame, past_loops=True)
    )


def _awaiting(window: Window, here: int) -> Place | None:
    receiver = receivers.get(here)
    if receiver is not None:
        return awaiting_place(receiver())
    task = _only_task(window) if window.task is None else window.task()
    return None if task is None else awaiting_place(task.get_coro())


def _only_task(window: Window) -> asyncio.Task[Any] | None:
    """The task of the event loop that this thread works for, where it has but one."""
    if window.not_to_count_tasks:
        window.not_to_count_tasks -= 1
        return None
    loop = getattr(SyncToAsync.threadlocal, "main_event_loop", None)
    if loop is None or not loop.is_running():
        return None
    tasks = asyncio.all_tasks(loop)
    window.not_to_count_tasks = len(tasks) // FEW_TASKS
    return tasks.pop() if len(tasks) == 1 else None
