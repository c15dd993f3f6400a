"""What each contender is asked to do. A sample is what one execution took.

Imported in a worker, once Django is set up.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from django.db import connection, models, transaction
from django.db.models.signals import post_save, pre_save
from django.dispatch import Signal

from tests.benchmarks.contenders import Session
from tests.benchmarks.models import Other, Row

# Sends are timed by the processor time of the thread, which leaves out what the
# machine's other processes take. Pages wait for a disk, and so go by the wall's.
cpu_clock = time.thread_time_ns
wall_clock = time.perf_counter_ns


class Sender:
    """Who sends."""


class Stranger:
    """Whose receivers hear nothing of what Sender sends."""


def make_receiver() -> Callable[..., None]:
    def receiver(sender: Any, **kwargs: Any) -> None:
        pass

    return receiver


def connected(number: int, to: Signal | None = None, **options: Any) -> Signal:
    """A signal with as many receivers, each a function of its own."""
    signal = Signal() if to is None else to
    for _ in range(number):
        receiver = make_receiver()
        keep.append(receiver)
        signal.connect(receiver, **options)
    return signal


keep: list[Any] = []  # Receivers are connected weakly, as they are by default.

unconnected = connected(0)
others_only = connected(1, sender=Stranger)
heard_by_1 = connected(1)
heard_by_5 = connected(5)
heard_by_20 = connected(20)
outer = Signal()
connected(1, post_save, sender=Row)
connected(1, pre_save, sender=Other)


def send_inner(sender: Any, **kwargs: Any) -> None:
    heard_by_1.send(sender, value=1)


outer.connect(send_inner)
row = Row(pk=1, name="a row")


def many_sends(signal: Signal) -> Callable[[int], int]:
    def repeat(times: int) -> int:
        start = cpu_clock()
        for _ in itertools.repeat(None, times):
            signal.send(sender=Sender, value=1)
        return cpu_clock() - start

    return repeat


def many_model_sends(signal: Signal) -> Callable[[int], int]:
    """Sends as a model's `save` makes them."""

    def repeat(times: int) -> int:
        start = cpu_clock()
        for _ in itertools.repeat(None, times):
            signal.send(
                sender=Row,
                instance=row,
                created=False,
                update_fields=None,
                raw=False,
                using="default",
            )
        return cpu_clock() - start

    return repeat


# Ten frames between the line that causes a send and the send, as Django has them. The
# code says that it is Django's, since where code is from is all that a tracer asks.
def _far(module: Any) -> dict[str, Any]:
    lines = [
        "def far_0(signal, sender): return signal.send(sender=sender, value=1)",
        *(
            f"def far_{n}(signal, sender): return far_{n - 1}(signal, sender)"
            for n in range(1, 10)
        ),
    ]
    namespace: dict[str, Any] = {}
    exec(compile("\n".join(lines), module.__file__, "exec"), namespace)
    return namespace


far_send = _far(models)["far_9"]


def many_far_sends(signal: Signal) -> Callable[[int], int]:
    def repeat(times: int) -> int:
        start = cpu_clock()
        for _ in itertools.repeat(None, times):
            far_send(signal, Sender)
        return cpu_clock() - start

    return repeat


SENDS = {
    "send-0": many_sends(unconnected),
    "send-others": many_sends(others_only),
    "send-1": many_sends(heard_by_1),
    "send-far": many_far_sends(heard_by_1),
    "send-5": many_sends(heard_by_5),
    "send-20": many_sends(heard_by_20),
    "nested": many_sends(outer),
    "model": many_model_sends(post_save),
    "model-others": many_model_sends(pre_save),
}


def send_time(session: Session, name: str, times: int) -> float:
    """Nanoseconds per send, without the session's opening and closing."""
    repeat = SENDS[name]
    with session():
        repeat(1)
        return repeat(times) / times


def save_rows(rows: int) -> None:
    for number in range(rows):
        Row.objects.create(name="a row", number=number)


def page_time(session: Session, name: str, rows: int) -> dict[str, float]:
    """Nanoseconds for a page, with the session's opening and closing: a visitor waits
    for those too. And how many of them the processor worked."""
    in_transaction = name == "page-transaction"
    Row.objects.all().delete()
    gc.collect()
    start, cpu_start = wall_clock(), cpu_clock()
    with session():
        with transaction.atomic() if in_transaction else contextlib.nullcontext():
            save_rows(rows)
    worked = cpu_clock() - cpu_start
    return {name: wall_clock() - start, f"{name}-cpu": worked}


def close_time(session: Session, name: str, times: int) -> float:
    """Nanoseconds that closing a recording and asking for its trace takes, per send in
    it."""
    open_session: Any = session()
    open_session.__enter__()
    SENDS["send-1"](times)
    start = cpu_clock()
    open_session.__exit__(None, None, None)
    _ = open_session.trace
    return (cpu_clock() - start) / times


def memory(session: Session, name: str, times: int) -> float:
    """Bytes that an open session holds, per call in it."""
    calls = 5 if name == "memory-5" else 1
    repeat = SENDS[f"send-{calls}"]
    with session():
        repeat(10)  # What is kept once, such as names, isn't kept per call.
        tracemalloc.start()
        try:
            repeat(times)
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    return held / times / calls


def sample(session: Session, name: str, times: int) -> dict[str, float]:
    """Do what is called *name* as many *times*, and say what one of them took."""
    gc.collect()  # So that each sample pays for its own garbage.
    kind = name.partition("-")[0]
    if kind == "page":
        return page_time(session, name, times)
    take = {"close": close_time, "memory": memory}.get(kind, send_time)
    return {name: take(session, name, times)}


def make_tables() -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Row)
