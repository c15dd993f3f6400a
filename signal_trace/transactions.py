"""The transactions that are open in each thread, as those who watch the database tell.

A transaction is the stretch in which a connection doesn't commit by itself. Within it
each savepoint that is rolled back undoes what was done since it was made, so that a
moment is all that needs to be known of a send.
"""

from __future__ import annotations

import threading
import weakref
from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from django.conf import settings
from django.db import connections

from signal_trace import recording
from signal_trace.parts import COMMITTED, OPEN, ROLLED_BACK


class Transaction:
    """One transaction of one connection, which it doesn't hold."""

    __slots__ = (
        *("alias", "connection", "last_send", "outcome", "savepoints", "undone"),
    )

    def __init__(self, connection: Any) -> None:
        self.alias: str = connection.alias
        self.connection = weakref.ref(connection)
        self.outcome = OPEN
        #: When the last send was made in it.
        self.last_send = 0
        self.savepoints: dict[str, int] = {}
        #: The stretches with sends that were rolled back, one after the other.
        self.undone: list[tuple[int, int]] = []

    def outcome_at(self, moment: int) -> str:
        """What became of what was done at a *moment* in it."""
        at = bisect_right(self.undone, moment, key=itemgetter(0)) - 1
        undone = at >= 0 and moment <= self.undone[at][1]
        return ROLLED_BACK if undone else self.outcome

    def undo(self, start: int, end: int) -> None:
        """What was done in that time was rolled back."""
        if self.last_send < start:
            return  # As in a loop that tries many rows.
        while self.undone and self.undone[-1][0] >= start:
            self.undone.pop()
        self.undone.append((start, end))


class _Thread(threading.local):
    def __init__(self) -> None:
        # Those that were begun while nobody watched. The last begun is the last.
        self.open = [
            Transaction(connection)
            for connection in _connections()
            if connection.connection is not None
            and not connection.autocommit
            and not _is_tests_own(connection)
        ]


def _connections() -> Sequence[Any]:
    # Importing this is not to settle the settings.
    return connections.all(initialized_only=True) if settings.configured else []


_thread = _Thread()


def start_watching() -> None:
    """From here on, what begins and ends is told."""
    global _thread
    _thread = _Thread()


def open_transaction(alias: Any = None) -> Transaction | None:
    """The transaction that is open in this thread on the connection *alias*; where that
    is no string, the last that was begun on any."""
    opened = _thread.open
    if not opened:
        return None
    any_alias = type(alias) is not str  # Signals may have arguments of the same name.
    for transaction in reversed(opened):
        is_it = any_alias or alias == transaction.alias
        if is_it and transaction.connection() is not None:
            return transaction
    return None


def _is_tests_own(connection: Any) -> bool:
    """Whether *connection* is in the transaction alone that `django.test.TestCase`
    opens around a test, which stands for none."""
    blocks = connection.atomic_blocks
    return bool(blocks) and all(block._from_testcase for block in blocks)


def _of(connection: Any) -> Transaction | None:
    for transaction in reversed(_thread.open):
        if transaction.connection() is connection:
            return transaction
    return None


def began(connection: Any) -> None:
    """*connection* has stopped committing by itself."""
    if _of(connection) is None:
        _thread.open = [*_thread.open, Transaction(connection)]


def ended(connection: Any, outcome: str) -> Transaction | None:
    """The transaction of *connection*, which is returned, has ended with *outcome*."""
    transaction = _of(connection)
    if transaction is not None:
        transaction.outcome = outcome
        _thread.open = [one for one in _thread.open if one is not transaction]
    return transaction


def goes_on(transaction: Transaction) -> None:
    """*transaction* hasn't ended after all."""
    transaction.outcome = OPEN
    _thread.open = [*_thread.open, transaction]


def block_entered(connection: Any) -> None:
    """An ``atomic`` block has begun in a test. Inside the test's own ones it stands for
    a transaction, as it will be outside of tests."""
    if _is_tests_own(connection):
        ended(connection, OPEN)
    else:
        began(connection)


def block_left(connection: Any, outcome: str) -> None:
    """An ``atomic`` block in a test has ended with *outcome*."""
    if _is_tests_own(connection):
        ended(connection, outcome)


def savepoint_made(connection: Any, savepoint: str | None) -> None:
    """*connection* has a new savepoint."""
    if savepoint is None:
        return
    transaction = _of(connection)
    if transaction is not None:
        transaction.savepoints[savepoint] = recording.clock()


def savepoint_ended(connection: Any, savepoint: str, outcome: str) -> None:
    """A savepoint of *connection* was released or rolled back to."""
    transaction = _of(connection)
    if transaction is None:
        return
    if outcome == ROLLED_BACK:
        made = transaction.savepoints.get(savepoint, 0)
        transaction.undo(made, recording.clock())
    elif outcome == COMMITTED:
        transaction.savepoints.pop(savepoint, None)
