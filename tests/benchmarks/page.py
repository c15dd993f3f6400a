"""The part of ``docs/performance.md`` that a run writes."""

from __future__ import annotations

from pathlib import Path

BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"


def put_in(text: str, between: str) -> str:
    """Replace what stands between the two markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The page lacks {BEGIN} or {END}.")
    return f"{before}{BEGIN}\n\n{between.strip()}\n\n{END}{after}"


def rewrite(path: Path, between: str) -> None:
    path.write_text(put_in(path.read_text(), between))
