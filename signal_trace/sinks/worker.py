"""Puts traces together and sends them in the background, off the request's path."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from typing import NamedTuple

from signal_trace.entrance import Recording
from signal_trace.recording import leave, report_bug
from signal_trace.sinks.losses import Losses
from signal_trace.sinks.outlet import Outlet
from signal_trace.sinks.teller import Teller
from signal_trace.trace import Trace

# What waits in the queue at most: so many traces, and of them all so many sends, which
# is what takes memory (some 600 bytes each, and more with queries and arguments).
MOST_TRACES = 1_000
MOST_SENDS = 100_000

# How long the process waits at its end for what is queued.
EXIT_SECONDS = 5

# How long the first trace in an empty queue waits for others. Several that are put
# together in one go take much less time each, since the processor's caches have by then
# what that takes; and the response of the first has gone out.
GATHERING = 0.25

# The longest rest after a trace.
LONGEST_REST = 0.1

logger = logging.getLogger("signal_trace.sinks")


class Job(NamedTuple):
    """A recording that has ended, and where its trace is to go, if it is kept."""

    recording: Recording
    size: int
    keep: Callable[[Trace], bool] | None
    outlet: Outlet
    #: The context that was recorded in, where logging finds the request's id.
    context: Context


class Worker:
    """A queue, and the thread that empties it, which the first trace starts.

    It lets some traces gather before it begins, and takes no more than half of a
    processor's time: after each trace it rests for as long as it worked. Python's
    threads take turns, and without the rests an application's would wait for their turn
    again and again while a queue is emptied.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._size = 0
        self._taken = 0
        self._done = 0
        self._flushing = 0
        #: Whether the thread waits for a job, and wouldn't look by itself.
        self._is_idle = False
        self._thread: threading.Thread | None = None
        self._outlet: Outlet | None = None
        # The sink that has a trace, and since when.
        self._at_work = ("", 0.0)
        self._dropped = Losses()
        self._teller = Teller()

    def submit(
        self,
        recording: Recording,
        keep: Callable[[Trace], bool] | None,
        outlet: Outlet,
    ) -> None:
        """Queue a recording that has ended; where the queue is full, count it."""
        job = Job(recording, recording.size, keep, outlet, copy_context())
        with self._changed:
            if is_full := self._is_full(job):
                self._dropped.add()
            else:
                self._jobs.append(job)
                self._size += job.size
                self._taken += 1
                # Else the thread will see.
                if self._is_idle or self._is_half_full():
                    self._changed.notify_all()
            self._start()
        if is_full:
            self._tell()

    def flush(self, timeout: float | None) -> bool:
        """Wait until all that is queued now has been sent; whether it has."""
        if threading.current_thread() is self._thread:
            return False  # A sink would wait for itself.
        until = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            wanted = self._taken
            self._flushing += 1
            self._changed.notify_all()
        try:
            # Where no thread can be started, as at the end of a process.
            while self._jobs and not self._is_running() and _is_before(until):
                self._work()
            with self._changed:
                return self._changed.wait_for(lambda: self._done >= wanted, timeout)
        finally:
            with self._changed:
                self._flushing -= 1

    def close(self) -> None:
        """At the end of the process: send what is queued, and say what is lost."""
        is_done = self.flush(EXIT_SECONDS)
        if is_done or not self._teller.is_there:
            self._say_rest()
        else:
            # What keeps a sink from going on may be what keeps the log from it.
            self._teller.tell(self._say_rest)
            self._teller.wait(1)

    def _is_full(self, job: Job) -> bool:
        return len(self._jobs) >= MOST_TRACES or (
            # However large one is, it has its place in an empty queue.
            bool(self._jobs) and self._size + job.size > MOST_SENDS
        )

    def _is_half_full(self) -> bool:
        return len(self._jobs) * 2 >= MOST_TRACES or self._size * 2 >= MOST_SENDS

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _start(self) -> None:
        if self._is_running():
            return
        if self._thread is None:
            self._close_at_exit()
        self._thread = threading.Thread(
            target=self._run, name="signal_trace.sinks", daemon=True
        )
        # None can be started at the end of a process: `flush` does its work.
        with suppress(RuntimeError):
            self._thread.start()
        self._teller.start()

    def _close_at_exit(self) -> None:
        """Again once sinks have been built, so that it comes before the end of what
        they were built on: what is registered last is called first."""
        atexit.unregister(self.close)
        atexit.register(self.close)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._is_idle = True
                self._changed.wait_for(lambda: self._jobs)
                self._is_idle = False
                self._changed.wait_for(
                    lambda: self._flushing or self._is_half_full(), GATHERING
                )
            while self._jobs:
                began = time.thread_time()
                self._work()
                rest = min(time.thread_time() - began, LONGEST_REST)
                with self._changed:
                    self._changed.wait_for(lambda: self._flushing, rest)

    def _work(self) -> None:
        with self._changed:
            if not self._jobs:
                return
            job = self._jobs.popleft()
            self._size -= job.size
            is_last = not self._jobs
        try:
            job.context.run(self._deliver, job)
        except BaseException as error:  # One that would end this thread.
            job.outlet.lose(error)
        try:
            # Before it counts as done: who has flushed finds it in the log.
            if is_last and (count := self._dropped.due()):
                self._say_dropped(count)
        finally:
            with self._changed:
                self._done += 1
                self._changed.notify_all()

    def _deliver(self, job: Job) -> None:
        leave()
        trace = job.recording.trace
        if job.keep is not None and not self._is_kept(trace, job.keep):
            return
        try:
            if self._outlet is not job.outlet:
                self._outlet = job.outlet
                job.outlet.prepare(self._note)
                self._close_at_exit()
            job.outlet.send(trace, self._note)
        finally:
            self._note("")

    def _is_kept(self, trace: Trace, keep: Callable[[Trace], bool]) -> bool:
        self._note("KEEP")
        try:
            return keep(trace)
        except Exception:
            report_bug("deciding whether to keep a trace")
            return True
        finally:
            self._note("")

    def _note(self, path: str) -> None:
        self._at_work = (path, time.monotonic())

    def _tell(self) -> None:
        if self._teller.is_busy or not self._teller.is_there:
            return
        if count := self._dropped.due():
            self._teller.tell(partial(self._say_dropped, count))

    def _say_dropped(self, count: int) -> None:
        logger.error(
            "Traces dropped, since the queue is full: %s.%s", count, self._by_whom()
        )

    def _by_whom(self) -> str:
        path, since = self._at_work
        if not path:
            return ""
        seconds = time.monotonic() - since
        return f" {path} has been at work on one trace for {seconds:.1f} s."

    def _say_rest(self) -> None:
        if count := self._dropped.left():
            self._say_dropped(count)
        # A signal whose handler raises may keep one from being counted.
        if (count := self._taken - self._done) > 0:
            logger.error(
                "Traces lost, since the process ended before they were sent: %s.%s",
                count,
                self._by_whom(),
            )
        if self._outlet is not None:
            self._outlet.say_rest()


def _is_before(until: float | None) -> bool:
    return until is None or time.monotonic() < until
