"""What a command is given besides its options: where it reads and where it prints."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, TextIO

from signal_trace.cli import progress
from signal_trace.cli.failing import Misuse
from signal_trace.cli.reading import STDIN, Reader
from signal_trace.cli.screen import Screen
from signal_trace.trace import Trace


@dataclass(slots=True)
class Terminal:
    """``files`` gives what is read where no file is named, such as the settings'."""

    stdin: TextIO | None
    out: Screen
    err: Screen
    files: Callable[[], Sequence[str]] = list
    readers: list[Reader] = field(default_factory=list)

    def read(
        self,
        given: Sequence[str],
        containing: Sequence[str] = (),
        *,
        with_bar: bool = True,
    ) -> Iterator[Trace]:
        """The traces of the files that were *given*, or of standard input, or of
        ``files``. Where what is read is printed at once, a bar would be in its way:
        that is *with_bar* False."""
        if not given:
            given = [STDIN] if self._is_piped() else self.files()
        if not given:
            raise Misuse(
                "no FILE was given: name files or folders with traces,"
                " or - for standard input"
            )
        reader = Reader(given, self._binary_stdin)
        self.readers.append(reader)
        if not with_bar:
            return reader.traces(containing)
        return progress.traces(reader, self.err, containing)

    def tell_passed_over(self) -> None:
        """Say what could not be read, of files of which other lines could."""
        for reader in self.readers:
            found = reader.passed_over
            if not found.count or not reader.count:
                continue
            self.err.line(
                (f"Passed over {found.count:,} of", "warning"),
                f" {found.count + reader.count:,}:",
            )
            for one in found.told:
                self.err.line(one, lead="  ")
            if (more := found.count - len(found.told)) > 0:
                self.err.line(f"and {more:,} more", lead="  ")

    def _is_piped(self) -> bool:
        """Whether somebody has given us something to read: no terminal, and no
        /dev/null, as servers and containers have it."""
        if self.stdin is None or self.stdin.isatty():
            return False
        try:
            mode = os.fstat(self.stdin.fileno()).st_mode
        except OSError:  # It is no file at all.
            return True
        return not stat.S_ISCHR(mode)

    def _binary_stdin(self) -> BinaryIO:
        if self.stdin is None:
            return io.BytesIO()
        binary: BinaryIO | None = getattr(self.stdin, "buffer", None)
        return binary or io.BytesIO(self.stdin.read().encode())
