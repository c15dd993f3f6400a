"""How findings write what they name."""

from __future__ import annotations

from collections.abc import Iterable

from signal_trace.parts import Frame
from signal_trace.telling import place

LONGEST_SQL = 120


def counted(number: int, word: str) -> str:
    """``1 call``, ``2 calls``, ``3 queries``."""
    if number == 1:
        return f"1 {word}"
    plural = f"{word[:-1]}ies" if word.endswith("ry") else f"{word}s"
    return f"{number:,} {plural}"


def times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def listed(names: Iterable[str], most: int = 3) -> str:
    """``a, b and c``, or ``a, b, c and 4 more``; each name once."""
    names = list(dict.fromkeys(names))
    if len(names) > most + 1:  # "and 1 more" would be no shorter than its name.
        names = [*names[:most], f"{len(names) - most:,} more"]
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def way_of(names: list[str], most: int = 12) -> str:
    """``a → b → c``; of a long one the beginning and the end."""
    if len(names) > most:
        half = most // 2
        names = [*names[:half], "…", *names[-half:]]
    return " → ".join(names)


def places(lines: Iterable[Frame | None]) -> str:
    """Lines of code, those that are known, as ``listed``."""
    return listed(place(line) for line in lines if line)


def short_sql(sql: str) -> str:
    """A statement on one line, its beginning where it is long."""
    sql = " ".join(sql.split())
    return sql if len(sql) <= LONGEST_SQL else f"{sql[: LONGEST_SQL - 1]}…"
