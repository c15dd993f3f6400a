"""Connections that don't wait for each other.

The demo's checkout holds its transaction open while it sleeps, and the shop has but one
shelf of each tea: with one database all workers would stand in a queue, and the load
would be on its lock.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

from django.db.backends.sqlite3 import base

# How many orders a file has room for: no two of a load have the same primary key.
ORDERS = 100_000
FILES = 1_000

_numbers: dict[int, Any] = defaultdict(itertools.count)
_free: dict[int, deque[Path]] = defaultdict(deque)


class DatabaseWrapper(base.DatabaseWrapper):
    """Takes a copy of the database that nobody has, and gives it back."""

    taken: Path | None = None

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        if self.taken is None:
            free = _free[os.getpid()]
            self.taken = free.popleft() if free else copy(Path(params["database"]))
        return params | {"database": str(self.taken)}

    def _close(self) -> None:
        super()._close()
        if self.taken is not None:
            _free[os.getpid()].append(self.taken)
            self.taken = None


def copy(original: Path) -> Path:
    """A copy of this process's own, which numbers its orders as no other does."""
    process = os.getpid()
    number = next(_numbers[process])
    assert number < FILES
    made = original.with_name(f"of-{process}-{number}.sqlite3")
    shutil.copyfile(original, made)
    with sqlite3.connect(made) as connection:
        connection.execute(
            "UPDATE sqlite_sequence SET seq = ? WHERE name = 'shop_order'",
            [(process * FILES + number) * ORDERS],
        )
    connection.close()
    return made


def process_of(order: int) -> int:
    """The id of the process in which an order was placed."""
    return order // ORDERS // FILES
