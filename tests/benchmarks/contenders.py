"""Who is compared: each in a process of its own, since most of them patch Django.

To measure one more way of recording, add one entry to `CONTENDERS`.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

Session = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Contender:
    """``install`` is called once, in the contender's own process and with Django set
    up. It returns what opens a *session*: the stretch in which signals are sent, such
    as a recording or a transaction. Micro benchmarks take a new one for each sample,
    outside of the timed part; a page includes its own.
    """

    name: str
    label: str
    install: Callable[[], Session]
    # What of the Django settings is its own.
    settings: dict[str, Any] = field(default_factory=dict)
    # What a session must stay below to do its full work (Sentry drops what is above).
    most_calls: int | None = None
    # The slow ones need fewer samples, since nothing of theirs is a small difference.
    every: int = 1
    # Of a way of recording: what it may add to a call, as a multiple of the loop's.
    most_per_call: float | None = None


def bare() -> Session:
    return contextlib.nullcontext


def loop() -> Session:
    """Time receivers with the least code that can: what nobody can do for less."""
    from asgiref.sync import async_to_sync
    from django.dispatch import Signal
    from django.dispatch.dispatcher import NO_RECEIVERS

    timings: list[tuple[Any, int, int]] = []
    clock = time.perf_counter_ns

    # Both are Django's own functions but for the marked lines, and for async receivers
    # that would wait for each other. There are none: without that part the functions
    # would be faster than Django's.
    def send(self: Any, sender: Any, **named: Any) -> list[tuple[Any, Any]]:
        if (
            not self.receivers
            or self.sender_receivers_cache.get(sender) is NO_RECEIVERS
        ):
            return []
        responses = []
        sync_receivers, async_receivers = self._live_receivers(sender)
        for receiver in sync_receivers:
            start = clock()  # added
            response = receiver(signal=self, sender=sender, **named)
            timings.append((receiver, start, clock()))  # added
            responses.append((receiver, response))
        if async_receivers:

            async def asend() -> list[tuple[Any, Any]]:
                return [
                    (receiver, await receiver(signal=self, sender=sender, **named))
                    for receiver in async_receivers
                ]

            responses.extend(async_to_sync(asend)())
        return responses

    def send_robust(self: Any, sender: Any, **named: Any) -> list[tuple[Any, Any]]:
        if (
            not self.receivers
            or self.sender_receivers_cache.get(sender) is NO_RECEIVERS
        ):
            return []
        responses = []
        sync_receivers, async_receivers = self._live_receivers(sender)
        for receiver in sync_receivers:
            start = clock()  # added
            try:
                response = receiver(signal=self, sender=sender, **named)
            except Exception as err:
                self._log_robust_failure(receiver, err)
                responses.append((receiver, err))
            else:
                responses.append((receiver, response))
            timings.append((receiver, start, clock()))  # added
        if async_receivers:

            async def asend() -> list[tuple[Any, Any]]:
                return [
                    (receiver, await receiver(signal=self, sender=sender, **named))
                    for receiver in async_receivers
                ]

            responses.extend(async_to_sync(asend)())
        return responses

    Signal.send, Signal.send_robust = send, send_robust

    @contextlib.contextmanager
    def session() -> Iterator[None]:
        yield
        timings.clear()

    return session


def off() -> Session:
    """A process that has recorded, and does not now."""
    import signal_trace

    with signal_trace.record():
        pass
    return contextlib.nullcontext


def idle() -> Session:
    """A process that serves requests with the middleware, outside of a request."""
    import signal_trace
    from signal_trace.middleware import SignalTraceMiddleware

    middleware = SignalTraceMiddleware(lambda request: None)  # type: ignore[arg-type]
    with signal_trace.record():
        pass

    @contextlib.contextmanager
    def session() -> Iterator[None]:
        yield
        # Kept for as long as the session is: without it the process would be `off`.
        assert middleware is not None

    return session


def recording() -> Session:
    import signal_trace

    return functools.partial(signal_trace.record, "benchmark")


def asked() -> Session:
    """As `recording`, and somebody asks for the trace at once."""
    import signal_trace

    @contextlib.contextmanager
    def session() -> Iterator[None]:
        with signal_trace.record("benchmark") as recording:
            yield
        _ = recording.trace

    return session


def sentry() -> Session:
    import sentry_sdk
    from sentry_sdk.integrations.django import DjangoIntegration
    from sentry_sdk.transport import Transport

    class Nowhere(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            pass

    sentry_sdk.init(
        dsn="https://key@sentry.invalid/1",
        transport=Nowhere,
        traces_sample_rate=1.0,
        integrations=[DjangoIntegration(signals_spans=True)],
        auto_enabling_integrations=False,
    )
    return functools.partial(
        sentry_sdk.start_transaction, op="http.server", name="benchmark"
    )


def otel() -> Session:
    """One span per receiver, put around it where Sentry puts its own.

    No span is exported: that would come on top.
    """
    from django.dispatch import Signal
    from opentelemetry.sdk.trace import TracerProvider

    tracer = TracerProvider().get_tracer("benchmark")
    original = Signal._live_receivers

    def in_span(receiver: Any) -> Any:
        @functools.wraps(receiver)
        def wrapper(*args: Any, **named: Any) -> Any:
            with tracer.start_as_current_span(receiver.__qualname__):
                return receiver(*args, **named)

        return wrapper

    def _live_receivers(self: Any, sender: Any) -> tuple[list[Any], list[Any]]:
        sync_receivers, async_receivers = original(self, sender)
        return [in_span(receiver) for receiver in sync_receivers], async_receivers

    Signal._live_receivers = _live_receivers
    return functools.partial(tracer.start_as_current_span, "benchmark")


APP = {"INSTALLED_APPS": ["tests.benchmarks", "signal_trace"]}
# Limits of the project's own would make a long recording cheaper than it is.
UNLIMITED = {"MAX_SENDS": 1_000_000}
LEAST = {"CALL_SITES": False, "ARGUMENTS": "off", "QUERIES": False}

CONTENDERS = {
    one.name: one
    for one in [
        Contender("bare", "bare Django", bare),
        Contender("loop", "timed loop", loop),
        Contender("off", "off", off, APP),
        Contender("idle", "installed", idle, APP),
        Contender(
            "least",
            "recording the least",
            recording,
            APP | {"SIGNAL_TRACE": UNLIMITED | LEAST},
            most_per_call=3,
        ),
        Contender(
            "recording",
            "recording",
            recording,
            APP | {"SIGNAL_TRACE": UNLIMITED},
            most_per_call=4,
        ),
        Contender("asked", "and its trace", asked, APP | {"SIGNAL_TRACE": UNLIMITED}),
        Contender("sentry", "Sentry", sentry, most_calls=900, every=4),
        Contender("otel", "OpenTelemetry", otel, every=4),
    ]
}
RECORDINGS = [one for one in CONTENDERS.values() if one.most_per_call is not None]
