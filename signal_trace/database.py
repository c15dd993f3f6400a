"""Watches Django's database connections: their queries and transactions.

The only module that patches anything of ``django.db``, by the rules that hold for
`dispatch`. Read of Django 5.2.19, 6.0.10 and 6.1.3: every query but those of
``callproc`` goes through ``CursorWrapper._execute_with_wrappers``, whatever wraps the
cursor, and every transaction begins and ends with ``set_autocommit``.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet
from django.db.models.base import Model
from django.db.models.deletion import Collector
from django.db.transaction import Atomic, get_connection

from signal_trace import recording, transactions
from signal_trace.call_sites import DJANGO, caller, is_machinery
from signal_trace.noting import note_bulk_write, note_callback
from signal_trace.parts import (
    BULK_CREATE,
    BULK_UPDATE,
    COMMITTED,
    RAW_DELETE,
    ROLLED_BACK,
    UPDATE,
)
from signal_trace.patches import Function, Patches
from signal_trace.recording import (
    WINDOW_BITS,
    callbacks_run_at,
    position,
    report_bug,
    windows,
)

current = position.get


def _watched_execute(original: Function) -> Function:
    @functools.wraps(original)
    def _execute_with_wrappers(
        self: Any, sql: Any, params: Any, many: bool, executor: Any
    ) -> Any:
        __traceback_hide__ = True
        here = current()
        if not here:
            return original(self, sql, params, many, executor)
        begun = recording.clock()
        try:
            return original(self, sql, params, many, executor)
        finally:
            _note(here, sql, begun)

    return _execute_with_wrappers


def _watched_callproc(original: Function) -> Function:
    @functools.wraps(original)
    def callproc(self: Any, procname: Any, *args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        here = current()
        begun = recording.clock()
        try:
            return original(self, procname, *args, **kwargs)
        finally:
            if here:
                name = procname if type(procname) is str else type(procname).__name__
                _note(here, f"CALL {name}", begun)

    return callproc


def _note(here: int, sql: Any, begun: int) -> None:
    try:
        duration = recording.clock() - begun
        window = windows.get(here >> WINDOW_BITS)
        if window is None:
            return
        text = sql if type(sql) is str else type(sql).__name__
        window.queries.note(here, text, duration)
        if text[:3] in _WRITES:
            _look_for_bulk_write(here)
    except Exception:
        report_bug("noting a query")


_WRITES = frozenset(("INS", "UPD", "DEL", "MER", "REP"))

# Writes of these send signals, or know that nobody hears them.
_SENDING: tuple[Any, ...] = (
    *(getattr(Model, name) for name in ("_do_insert", "_do_update", "save_base")),
    *(Collector.delete, Model.delete),
)
_BULK: tuple[tuple[Any, str], ...] = (
    (QuerySet.update, UPDATE),
    (QuerySet.bulk_create, BULK_CREATE),
    (QuerySet.bulk_update, BULK_UPDATE),
    (QuerySet._raw_delete, RAW_DELETE),
)
_KINDS: dict[int, str | None] = {
    **{id(method.__code__): None for method in _SENDING},
    **{id(method.__code__): kind for method, kind in _BULK},
}


# How far above the look for a bulk write the method stands that saves an instance.
SAVING = 7


def _look_for_bulk_write(here: int) -> None:
    """Note what writes, where that is a method which sends no signals for it, and the
    application called it: the outermost of such, since one calls another."""
    try:
        if _KINDS.get(id(sys._getframe(SAVING).f_code), "") is None:
            return  # As nearly always: every save waits for this.
    except ValueError:
        pass  # There are not so many frames.
    frame, found = caller(2), None
    while frame is not None:
        code = frame.f_code
        kind = _KINDS.get(id(code), "")
        if kind is None:
            return
        if kind:
            found = kind, frame
        elif not is_machinery(code.co_filename):
            break
        frame = frame.f_back
    if found is None or (frame and frame.f_code.co_filename.startswith(DJANGO)):
        return
    kind, frame = found
    note_bulk_write(here, kind, frame.f_locals["self"].model, frame)


def _watched_set_autocommit(original: Function) -> Function:
    @functools.wraps(original)
    def set_autocommit(self: Any, autocommit: Any, *args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        if not autocommit:
            result = original(self, autocommit, *args, **kwargs)
            _tell(transactions.began, self)
            return result
        # Callbacks run before it returns, and run after the transaction.
        ended = _tell(transactions.ended, self, COMMITTED)
        try:
            return original(self, autocommit, *args, **kwargs)
        except BaseException:
            if ended is not None and not self.autocommit:
                _tell(transactions.goes_on, ended)
            raise

    return set_autocommit


def _watched_end(outcome: str) -> Callable[[Function], Function]:
    def wrap(original: Function) -> Function:
        @functools.wraps(original)
        def end(self: Any, *args: Any, **kwargs: Any) -> Any:
            __traceback_hide__ = True
            result = original(self, *args, **kwargs)
            _tell(transactions.ended, self, outcome)
            if not self.autocommit:
                _tell(transactions.began, self)
            return result

        return end

    return wrap


def _watched_close(original: Function) -> Function:
    @functools.wraps(original)
    def close(self: Any, *args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        _tell(transactions.ended, self, ROLLED_BACK)
        return original(self, *args, **kwargs)

    return close


def _watched_savepoint(original: Function) -> Function:
    @functools.wraps(original)
    def savepoint(self: Any, *args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        made = original(self, *args, **kwargs)
        _tell(transactions.savepoint_made, self, made)
        return made

    return savepoint


def _watched_savepoint_end(outcome: str) -> Callable[[Function], Function]:
    def wrap(original: Function) -> Function:
        @functools.wraps(original)
        def end(self: Any, sid: Any, *args: Any, **kwargs: Any) -> Any:
            __traceback_hide__ = True
            result = original(self, sid, *args, **kwargs)
            _tell(transactions.savepoint_ended, self, sid, outcome)
            return result

        return end

    return wrap


def _watched_enter(original: Function) -> Function:
    @functools.wraps(original)
    def __enter__(self: Any) -> Any:
        __traceback_hide__ = True
        result = original(self)
        if (connection := _in_a_test(self)) is not None:
            _tell(transactions.block_entered, connection)
        return result

    return __enter__


def _in_a_test(block: Any) -> Any:
    """The connection of an ``atomic`` block, where a test has one around it."""
    try:
        connection = get_connection(block.using)
        blocks = connection.atomic_blocks
        in_a_test = blocks and getattr(blocks[0], "_from_testcase", False)
    except Exception:
        return None  # The block has a connection from somewhere else.
    return connection if in_a_test else None


def _watched_exit(original: Function) -> Function:
    @functools.wraps(original)
    def __exit__(self: Any, exc_type: Any, exc_value: Any, traceback: Any) -> Any:
        __traceback_hide__ = True
        connection = _in_a_test(self)
        if connection is None:
            return original(self, exc_type, exc_value, traceback)
        failed = exc_type is not None or connection.needs_rollback
        try:
            return original(self, exc_type, exc_value, traceback)
        except BaseException:
            failed = True
            raise
        finally:
            outcome = ROLLED_BACK if failed else COMMITTED
            _tell(transactions.block_left, connection, outcome)

    return __exit__


def _tell(tell: Callable[..., Any], *facts: Any) -> Any:
    try:
        return tell(*facts)
    except Exception:
        report_bug("watching a transaction")
        return None


def _watched_on_commit(original: Function) -> Function:
    @functools.wraps(original)
    def on_commit(self: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        here = current()
        if here and callable(func):
            _tell(note_callback, here, func)
        return original(self, func, *args, **kwargs)

    return on_commit


def _watched_hooks(original: Function) -> Function:
    @functools.wraps(original)
    def run_and_clear_commit_hooks(self: Any, *args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        token = callbacks_run_at.set(current())
        try:
            return original(self, *args, **kwargs)
        finally:
            callbacks_run_at.reset(token)

    return run_and_clear_commit_hooks


def _methods() -> Iterator[tuple[type, str, Callable[[Function], Function]]]:
    yield CursorWrapper, "_execute_with_wrappers", _watched_execute
    yield CursorWrapper, "callproc", _watched_callproc
    for name, wrap in {
        "set_autocommit": _watched_set_autocommit,
        "commit": _watched_end(COMMITTED),
        "rollback": _watched_end(ROLLED_BACK),
        "close": _watched_close,
        "savepoint": _watched_savepoint,
        "savepoint_commit": _watched_savepoint_end(COMMITTED),
        "savepoint_rollback": _watched_savepoint_end(ROLLED_BACK),
        "on_commit": _watched_on_commit,
        "run_and_clear_commit_hooks": _watched_hooks,
    }.items():
        yield BaseDatabaseWrapper, name, wrap
    yield Atomic, "__enter__", _watched_enter
    yield Atomic, "__exit__", _watched_exit


patches = Patches(_methods())
