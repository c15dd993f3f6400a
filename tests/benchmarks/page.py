"""The parts of ``docs/performance.md`` that a run writes."""

from __future__ import annotations

from pathlib import Path

BEGIN, END = "<!-- {}: begin -->", "<!-- {}: end -->"
TRACING = "make bench"
PANEL = "make bench, the panel"
EXPORTS = "make bench, the exports"
LOAD = "make bench, under load"
COMMANDS = "make bench, the commands"


def put_in(text: str, part: str, between: str) -> str:
    """Replace what stands between the two markers of a part."""
    opening, closing = BEGIN.format(part), END.format(part)
    before, begin, rest = text.partition(opening)
    _, end, after = rest.partition(closing)
    if not begin or not end:
        raise ValueError(f"The page lacks {opening} or {closing}.")
    return f"{before}{opening}\n\n{between.strip()}\n\n{closing}{after}"


def rewrite(path: Path, part: str, between: str) -> None:
    path.write_text(put_in(path.read_text(), part, between))
