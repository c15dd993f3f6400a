"""What commands print on: with colour and folded to fit where that is a terminal and
rich is installed, and else as plain text."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from signal_trace.exports.text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

#: What pieces of a line can be, and how rich shows them.
STYLES = {
    "heading": "bold",
    "name": "cyan",
    "bad": "bold red",
    "warning": "yellow",
    "good": "green",
    "faint": "dim",
}

#: A piece of a line: text, or text and one of `STYLES`.
Piece = str | tuple[str, str]

#: With less room than this the last column has lines of its own.
NARROWEST = 12


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table, and the style of its last cell."""

    cells: Sequence[str]
    style: str = ""


class Screen:
    """Lines and tables on a *stream*. *color* is None where the terminal decides."""

    def __init__(self, stream: TextIO, color: bool | None = None) -> None:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        self.stream = stream
        self.is_terminal = stream.isatty() or color is True
        self.console = _console(stream, color) if self.is_terminal else None
        self.width, self.height = shutil.get_terminal_size()
        if self.console is not None:
            self.width = self.console.width

    def line(self, *pieces: Piece, lead: str = "") -> None:
        """Print a line, after a *lead*; what doesn't fit goes on below the first of the
        pieces."""
        if self.console is None:
            self.stream.write(f"{printable(lead)}{_plain(pieces)}\n")
            return
        for line in self._wrapped(pieces, lead):
            self.console.print(line, soft_wrap=True)

    def height_of(self, *pieces: Piece, lead: str = "") -> int:
        """How many lines that takes."""
        if self.console is None:
            return -(-len(lead + _plain(pieces)) // self.width) or 1
        return len(self._wrapped(pieces, lead))

    def table(self, headings: Sequence[str], rows: Sequence[Row]) -> None:
        """Print a table: of its columns the last holds names, and the others what is
        aligned to the right."""
        if self.console is None:
            self._plain_table(headings, rows)
            return
        from rich.table import Table
        from rich.text import Text

        room = self.width - sum(
            2 + max(len(row.cells[i]) for row in [Row(headings), *rows])
            for i in range(len(headings) - 1)
        )
        longest = max((len(row.cells[-1]) for row in rows), default=0)
        is_stacked = room < min(longest, NARROWEST) or longest > 2 * room
        grid = Table(
            box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold"
        )
        for heading in headings[:-1]:
            grid.add_column(heading, justify="right", no_wrap=True)
        if not is_stacked:
            grid.add_column(headings[-1], overflow="fold")
        for row in rows:
            cells: list[Any] = [self._text([cell]) for cell in row.cells[:-1]]
            if not is_stacked:
                lines = _folded(printable(row.cells[-1]), room)
                pieces = [self._text([(line, row.style)]) for line in lines]
                cells.append(Text("\n").join(pieces))
            grid.add_row(*cells)
        if not is_stacked:
            self.console.print(grid)
            return
        # No room for the names: each stands above its row.
        with self.console.capture() as captured:
            self.console.print(grid)
        head, *lines = captured.get().splitlines()
        self.stream.write(f"{head}\n")
        for row, line in zip(rows, lines, strict=True):
            self.line((row.cells[-1], row.style or "name"))
            self.stream.write(f"{line}\n")

    def flush(self) -> None:
        self.stream.flush()

    def _plain_table(self, headings: Sequence[str], rows: Sequence[Row]) -> None:
        lines = [headings, *([printable(one) for one in row.cells] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for *cells, last in lines:
            padded = (f"{cell:>{w}}" for cell, w in zip(cells, widths, strict=False))
            self.stream.write(f"{'  '.join([*padded, last])}\n")

    def _text(self, pieces: Sequence[Piece]) -> Text:
        from rich.text import Text

        text = Text()
        for piece in pieces:
            told, style = piece if isinstance(piece, tuple) else (piece, "")
            text.append(printable(told), STYLES.get(style, ""))
        return text

    def _wrapped(self, pieces: Sequence[Piece], lead: str) -> list[Text]:
        assert self.console is not None
        text, lead = self._text(pieces), printable(lead)
        room = max(self.width - len(lead), NARROWEST)
        if text.cell_len <= room:
            return [self._text([lead]) + text]
        first, *more = text.wrap(self.console, room)
        blank = self._text([" " * len(lead)])
        return [self._text([lead]) + first, *(blank + line for line in more)]


def _folded(name: str, room: int) -> list[str]:
    """A name in lines that fit into the *room*, broken behind its dots and the like,
    where it has some."""
    lines = [""]
    for part in re.findall(r"[^./ ]*[./ ]*", name):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > room:
            lines.append("")
        lines[-1] += part
    return lines


def _plain(pieces: Sequence[Piece]) -> str:
    return printable(
        "".join(piece[0] if isinstance(piece, tuple) else piece for piece in pieces)
    )


def _console(stream: TextIO, color: bool | None) -> Console | None:
    try:
        from rich.console import Console
    except ImportError:
        return None
    # Without colour nothing is bold or faint either.
    is_plain = color is False or (color is None and os.environ.get("NO_COLOR"))
    return Console(
        file=stream,
        force_terminal=color,
        color_system=None if is_plain else "auto",
        highlight=False,
        markup=False,
        emoji=False,
    )
