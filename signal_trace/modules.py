"""The package's own files that a browser is given, and how its scripts hang together.

They are ES modules, and a browser is given them in one piece.
"""

from __future__ import annotations

import functools
import re
from importlib.resources import files
from pathlib import Path

STATIC = "static/signal_trace"

#: The module that starts all others.
START = "start.js"

# The only form that the modules import in, so that they can be put into one.
IMPORT = re.compile(r'^import \{[^}\n]+\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class)\b)", re.MULTILINE)


def file(path: str) -> Path:
    """Where a file of the package is."""
    return Path(str(files("signal_trace") / path))


def read(name: str) -> str:
    """The text of a static file."""
    return file(f"{STATIC}/{name}").read_text(encoding="utf-8")


def names() -> list[str]:
    """The names of all modules, each after those that it imports."""
    found: list[str] = []

    def add(name: str, importers: frozenset[str]) -> None:
        if name in found or name in importers:
            return
        for imported in IMPORT.findall(read(name)):
            add(imported, importers | {name})
        found.append(name)

    add(START, frozenset())
    return found


@functools.cache
def script() -> str:
    """All modules as one, each after those that it imports, none of which it names."""
    return "".join(map(_alone, names()))


def _alone(name: str) -> str:
    return EXPORT.sub("", IMPORT.sub("", read(name)))
