"""How far the reading has come, shown where it takes long."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from signal_trace.cli.reading import Reader
from signal_trace.cli.screen import Screen
from signal_trace.trace import Trace

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

#: What takes no longer needs no bar.
PATIENCE = 1.0
#: As often it is drawn.
INTERVAL = 0.1

clock = time.monotonic


def traces(
    reader: Reader, err: Screen, containing: Sequence[str] = ()
) -> Iterator[Trace]:
    """The traces of *reader*, with a bar on *err* while they are read, if that is a
    terminal, rich is installed, and it takes longer than `PATIENCE`."""
    if err.console is None:
        yield from reader.traces(containing)
        return
    bar = _Bar(reader, err)
    reader.advance = bar.advance
    try:
        yield from reader.traces(containing)
    finally:
        bar.close()


class _Bar:
    def __init__(self, reader: Reader, err: Screen) -> None:
        self._reader = reader
        self._err = err
        self._due = clock() + PATIENCE
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def advance(self, done: int) -> None:
        now = clock()
        if now < self._due:
            return
        self._due = now + INTERVAL
        if self._progress is None:
            self._open()
        assert self._progress is not None
        assert self._task is not None
        self._progress.update(self._task, completed=done, traces=self._reader.count)
        self._progress.refresh()

    def _open(self) -> None:
        from rich import progress

        self._progress = progress.Progress(
            progress.TextColumn("{task.fields[traces]:,} traces"),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
            console=self._err.console,
            auto_refresh=False,
            transient=True,
        )
        self._task = self._progress.add_task("", total=self._reader.size, traces=0)
        self._progress.start()

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
