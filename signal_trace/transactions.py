"""The transactions that are open in each thread, as those who watch the database tell.

A transaction is the stretch in which a connection doesn't commit by itself. Within it
each savepoint that is rolled back undoes what was done since it was made, so that a
moment is all that needs to be known of a send.
"""

from __future__ import annotations

import threading
from typing import Any

from django.conf import settings
from django.db import connections

from signal_trace import recording
from signal_trace.parts import COMMITTED, OPEN, ROLLED_BACK


class Transaction:
    """One transaction of one connection, which it doesn't hold."""

    __slots__ = (
        "alias",
        "connection_id",
        "outcome",
        "savepoint",
        "savepoints",
        "undone",
    )

    def __init__(self, connection: Any, savepoint: str | None = None) -> None:
        self.alias: str = connection.alias
        self.connection_id = id(connection)
        self.outcome = OPEN
        #: The savepoint that it ends with, where it stands for a transaction in a test
        #: that Django runs inside another one.
        self.savepoint = savepoint
        self.savepoints: dict[str, int] = {}
        self.undone: list[tuple[int, int]] = []

    def outcome_at(self, moment: int) -> str:
        """What became of what was done at a *moment* in it."""
        undone = any(start <= moment <= end for start, end in self.undone)
        return ROLLED_BACK if undone else self.outcome


class _Thread(threading.local):
    def __init__(self) -> None:
        # Those that were begun while nobody watched. The last begun is the last.
        known = connections.all(initialized_only=True) if settings.configured else []
        self.open = [
            Transaction(connection)
            for connection in known
            if connection.connection is not None
            and not connection.autocommit
            and not _is_tests_own(connection)
        ]


_thread = _Thread()


def start_watching() -> None:
    """From here on, what begins and ends is told."""
    global _thread
    _thread = _Thread()


def open_transaction(alias: str | None = None) -> Transaction | None:
    """The transaction that is open in this thread on the connection *alias*; where that
    is None, the last that was begun on any."""
    opened = _thread.open
    if opened:
        for transaction in reversed(opened):
            if alias is None or transaction.alias == alias:
                return transaction
    return None


def _is_tests_own(connection: Any) -> bool:
    """Whether *connection* is in the transaction alone that `django.test.TestCase`
    opens around a test, which stands for none."""
    blocks = connection.atomic_blocks
    return bool(blocks) and all(block._from_testcase for block in blocks)


def _of(connection: Any) -> Transaction | None:
    for transaction in reversed(_thread.open):
        if transaction.connection_id == id(connection):
            return transaction
    return None


def began(connection: Any) -> None:
    """*connection* has stopped committing by itself."""
    ended(connection, None)
    _thread.open = [*_thread.open, Transaction(connection)]


def ended(connection: Any, outcome: str | None) -> None:
    """The transaction of *connection* has ended, with *outcome* if that is known."""
    transaction = _of(connection)
    if transaction is not None:
        if outcome is not None:
            transaction.outcome = outcome
        _thread.open = [one for one in _thread.open if one is not transaction]


def savepoint_made(connection: Any, savepoint: str | None) -> None:
    """*connection* has a new savepoint."""
    if savepoint is None:
        return
    transaction = _of(connection)
    if transaction is not None:
        transaction.savepoints[savepoint] = recording.clock()
    elif _is_tests_own(connection):
        _thread.open = [*_thread.open, Transaction(connection, savepoint)]


def savepoint_ended(connection: Any, savepoint: str, outcome: str) -> None:
    """A savepoint of *connection* was released or rolled back to."""
    transaction = _of(connection)
    if transaction is None:
        return
    if transaction.savepoint == savepoint:
        ended(connection, outcome)
        return
    made = transaction.savepoints.get(savepoint, 0)
    if outcome == ROLLED_BACK:
        transaction.undone.append((made, recording.clock()))
    elif outcome == COMMITTED:
        transaction.savepoints.pop(savepoint, None)
