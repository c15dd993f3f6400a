"""Sends signals in a process of its own, with Sentry or a recording or both.

    python tests/sentry_sends.py ORDER

What Sentry replaces in Django can't be put back, so each ORDER has a process. Prints
as JSON what Sentry and the trace have seen.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
import sentry_sdk
from django.conf import settings
from django.dispatch import Signal
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.transport import Transport

sys.path[0] = str(Path(__file__).parent.parent)

import signal_trace  # noqa: E402
from signal_trace import recording  # noqa: E402
from signal_trace.middleware import SignalTraceMiddleware  # noqa: E402
from tests.fake_clock import FakeClock  # noqa: E402

placed, stocked = Signal(), Signal()
clock = FakeClock()


def slow(**kwargs: Any) -> str:
    clock.pass_ms(20)
    return "slow"


def quick(**kwargs: Any) -> str:
    return "quick"


def sending(**kwargs: Any) -> str:
    clock.pass_ms(1)
    stocked.send(kwargs["sender"])
    clock.pass_ms(2)
    return "sending"


class Shop:
    def method(self, **kwargs: Any) -> str:
        clock.pass_ms(3)
        return "method"


def failing(**kwargs: Any) -> str:
    clock.pass_ms(4)
    raise ValueError("no")


async def sending_later(**kwargs: Any) -> str:
    clock.pass_ms(5)
    await stocked.asend(kwargs["sender"])
    return "sending_later"


async def failing_later(**kwargs: Any) -> str:
    clock.pass_ms(6)
    raise LookupError("no")


shop = Shop()
stocked.connect(slow)
stocked.connect(quick)
STEADY = (sending, slow, quick, shop.method)


def connect(*receivers: Any) -> None:
    placed.receivers = []
    placed.sender_receivers_cache.clear()
    for receiver in receivers:
        placed.connect(receiver, weak=False)


async def call_async(method: str, sender: str) -> list[tuple[Any, Any]]:
    sent: list[tuple[Any, Any]] = await getattr(placed, method)(sender)
    return sent


def call(method: str, sender: str) -> list[list[str]]:
    """The responses to a send, in a form that JSON has."""
    if method.startswith("a"):
        responses = asyncio.run(call_async(method, sender))
    else:
        responses = getattr(placed, method)(sender)
    return [
        [receiver.__name__, one if type(one) is str else type(one).__name__]
        for receiver, one in responses
    ]


def work() -> list[Any]:
    """Sends by each method; what came of each."""
    outcomes: list[Any] = []
    for method in ("send", "send_robust"):
        connect(*STEADY)
        outcomes.append(call(method, method))
        connect(*STEADY, sending_later)
        outcomes.append(call(method, f"{method} to both"))
    for method in ("asend", "asend_robust"):
        connect(*STEADY)
        outcomes.append(call(method, method))
        connect(sending_later)
        outcomes.append(call(method, f"{method} to one"))
    connect(quick, failing, slow)
    try:
        call("send", "send that fails")
    except ValueError as error:
        outcomes.append(str(error))
    connect(failing_later)
    outcomes.append(call("asend_robust", "asend_robust that fails"))
    return outcomes


def fail_and_log() -> list[Any]:
    """Sends whose failures Django logs, and so Sentry looks into the frames."""
    connect(slow, failing, quick)
    outcomes = [call("send_robust", "send_robust")]
    connect(slow, failing, quick, sending_later)
    outcomes.append(call("send_robust", "send_robust to both"))
    return outcomes


class Memory(Transport):
    """Sends nothing."""

    spans: list[list[list[Any]]]
    errors: list[str]

    def capture_envelope(self, envelope: Envelope) -> None:
        for item in envelope.items:
            content: Any = item.payload.json
            if item.type == "transaction":
                self.spans.append(spans_of(content))
            elif item.type == "event":
                self.errors += [one["type"] for one in content["exception"]["values"]]


def spans_of(transaction: Any) -> list[list[Any]]:
    """Of each receiver's span the name, and that of the span it stands in."""
    names = {span["span_id"]: span["description"] for span in transaction["spans"]}
    return [
        [span["description"], names.get(span["parent_span_id"])]
        for span in transaction["spans"]
        if span["op"] == "event.django"
    ]


def init_sentry() -> None:
    Memory.spans, Memory.errors = [], []
    sentry_sdk.init(
        dsn="https://key@sentry.invalid/1",
        transport=Memory,
        traces_sample_rate=1.0,
        auto_session_tracking=False,
        auto_enabling_integrations=False,
        integrations=[DjangoIntegration(signals_spans=True)],
    )


def sends(trace: signal_trace.Trace) -> list[Any]:
    receivers = {call.id: call.receiver for call in trace.calls}
    return [
        {
            "sender": one.sender,
            "method": one.method,
            "parent": None if one.parent is None else receivers[one.parent],
            "calls": [
                [
                    call.receiver,
                    f"{Path(call.file or '').name}:{call.line}",
                    None if call.duration_ns is None else call.duration_ns / 1e6,
                    None if call.self_ns is None else call.self_ns / 1e6,
                    call.error and call.error.type,
                ]
                for call in one.calls
            ],
        }
        for one in trace.sends
    ]


def standing() -> list[str]:
    """Where each function comes from that stands on `Signal`."""
    return sorted(
        {
            function.__code__.co_filename.rpartition("site-packages/")[2]
            for function in vars(Signal).values()
            if hasattr(function, "__code__")
        }
    )


def trace(name: str, work: Callable[[], Any] = work) -> Any:
    """The outcome, the sends recorded, and the spans, of the same work."""
    with signal_trace.record(name) as one:
        result = transact(name, work)
    return result | {"sends": sends(one.trace)}


def transact(name: str, work: Callable[[], Any] = work) -> dict[str, Any]:
    if not sentry_sdk.is_initialized():
        return {"outcomes": work()}
    Memory.spans.clear()
    Memory.errors.clear()
    with sentry_sdk.start_transaction(name=name):
        outcomes = work()
    (spans,) = Memory.spans
    return {"outcomes": outcomes, "spans": spans, "errors": list(Memory.errors)}


def without_us() -> Any:
    init_sentry()
    return {"work": transact("work")}


def without_sentry() -> Any:
    return {"work": trace("work")}


def sentry_first() -> Any:
    init_sentry()
    return {"work": trace("work"), "again": trace("again")}


def sentry_after_a_recording() -> Any:
    trace("earlier")
    init_sentry()
    return {"work": trace("work"), "again": trace("again")}


def sentry_during_a_recording() -> Any:
    with signal_trace.record("all") as whole:
        work()
        init_sentry()
        result = transact("work")
    count = len(sends(whole.trace)) // 2
    assert sends(whole.trace)[:count] == sends(whole.trace)[count:]
    return {
        "work": result | {"sends": sends(whole.trace)[count:]},
        "again": trace("again"),
    }


def sentry_inside_a_receiver() -> Any:
    def init(**kwargs: Any) -> None:
        init_sentry()

    start = Signal()
    start.connect(init)
    with signal_trace.record("all") as whole:
        start.send("start")
        result = transact("work")
    return {
        "work": result | {"sends": sends(whole.trace)[1:]},
        "again": trace("again"),
    }


def sentry_over_patches_that_stay() -> Any:
    """With the middleware our patches stay for as long as it does."""
    middleware = SignalTraceMiddleware(lambda request: None)
    trace("earlier")
    assert any(file.endswith("signal_trace/dispatch.py") for file in standing())
    init_sentry()
    result = {"work": trace("work"), "again": trace("again")}
    assert any(file.endswith("signal_trace/dispatch.py") for file in standing())
    result["outside"] = transact("outside")
    del middleware
    gc.collect()
    with signal_trace.record():
        pass
    return result


def failures_without_us() -> Any:
    init_sentry()
    return {"work": transact("work", fail_and_log)}


def failures_without_sentry() -> Any:
    return {"work": trace("work", fail_and_log)}


def failures_that_sentry_looks_into() -> Any:
    init_sentry()
    return {"work": trace("work", fail_and_log)}


ORDERS = {
    order.__name__: order
    for order in (
        without_us,
        without_sentry,
        sentry_first,
        sentry_after_a_recording,
        sentry_during_a_recording,
        sentry_inside_a_receiver,
        sentry_over_patches_that_stay,
        failures_without_us,
        failures_without_sentry,
        failures_that_sentry_looks_into,
    )
}

if __name__ == "__main__":
    settings.configure(INSTALLED_APPS=[])
    django.setup()
    recording.clock = clock
    # Failures are no news here, and Sentry is to have nothing but the transactions.
    logging.getLogger("django.dispatch").addHandler(logging.NullHandler())
    result = ORDERS[sys.argv[1]]()
    # All recordings have ended.
    result["after"] = transact("after")
    result["standing"] = standing()
    print(json.dumps(result))
