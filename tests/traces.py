"""Traces to test with: one that is known, and any number of random ones."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from signal_trace.durations import covered
from signal_trace.parts import (
    EARLIER_RAISED,
    Call,
    Error,
    Frame,
    NotCalled,
    Omitted,
    OmittedCalls,
    Send,
    Unreceived,
)
from signal_trace.trace import VERSION, Trace

MS = 1_000_000
POST_SAVE = "django.db.models.signals.post_save"

# A checkout: an order is saved, and of its three receivers the first sends a signal
# of its own, the second raises and the third never runs.
FAILURE = Error(
    "ValueError", "no stock", (Frame("shop/receivers.py", 30, "take_from_stock"),)
)
CHECKOUT = Trace(
    version=VERSION,
    id="0123456789abcdef0123456789abcdef",
    kind="request",
    name="POST /checkout/",
    started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    duration_ns=20 * MS,
    attributes={"method": "POST", "path": "/checkout/", "status_code": 500},
    error=FAILURE,
    sends=(
        Send(
            id=1,
            signal=POST_SAVE,
            sender="shop.Order(pk=7)",
            method="send",
            parent=None,
            start_ns=2 * MS,
            duration_ns=10 * MS,
            calls=(
                Call(
                    id=2,
                    receiver="shop.receivers.announce",
                    file="shop/receivers.py",
                    line=10,
                    start_ns=2 * MS,
                    duration_ns=7 * MS,
                    self_ns=3 * MS,
                    is_async=False,
                    error=None,
                ),
                Call(
                    id=3,
                    receiver="shop.receivers.take_from_stock",
                    file="shop/receivers.py",
                    line=29,
                    start_ns=9 * MS,
                    duration_ns=50_000,
                    self_ns=50_000,
                    is_async=False,
                    error=FAILURE,
                ),
            ),
            error=FAILURE,
        ),
        Send(
            id=4,
            signal="shop.signals.order_placed",
            sender="shop.Order",
            method="asend_robust",
            parent=2,
            start_ns=3 * MS,
            duration_ns=4 * MS,
            calls=(
                Call(
                    id=5,
                    receiver="shop.receivers.Mailer.send",
                    file=None,
                    line=None,
                    start_ns=3 * MS,
                    duration_ns=4 * MS,
                    self_ns=4 * MS,
                    is_async=True,
                    error=None,
                ),
                Call(
                    id=6,
                    receiver="shop.receivers.poll",
                    file="shop/receivers.py",
                    line=50,
                    start_ns=4 * MS,
                    duration_ns=None,
                    self_ns=None,
                    is_async=True,
                    error=None,
                ),
            ),
            error=None,
        ),
    ),
    unreceived=(
        Unreceived("django.db.models.signals.pre_init", "shop.Order", 1200),
        Unreceived("django.core.signals.request_started", "None", 900),
        Unreceived("django.db.models.signals.pre_init", "shop.Line", 1),
    ),
    not_called=(
        NotCalled(
            1,
            POST_SAVE,
            "shop.receivers.reindex",
            "shop/receivers.py",
            40,
            EARLIER_RAISED,
        ),
    ),
    omitted=(),
)

# Some of what it sent was too much to keep.
LARGE = replace(
    CHECKOUT,
    omitted=(
        Omitted(
            signal=POST_SAVE,
            sender="shop.Line",
            count=2400,
            failures=1,
            total_ns=1300 * MS,
            max_ns=3 * MS,
            receivers_ns=1200 * MS,
            calls=(
                OmittedCalls(
                    receiver="shop.receivers.recount",
                    file="shop/receivers.py",
                    line=50,
                    count=2400,
                    failures=1,
                    total_ns=1200 * MS,
                    self_ns=1100 * MS,
                    max_ns=2 * MS,
                ),
            ),
        ),
    ),
)

EMPTY = replace(
    CHECKOUT,
    kind="block",
    name="",
    duration_ns=0,
    attributes={},
    error=None,
    sends=(),
    unreceived=(),
    not_called=(),
    omitted=(),
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = st.sampled_from(
    [POST_SAVE, "shop.Order", "büro.empfänger", "注文", "a\n\u202eb"]
)
files = st.sampled_from([None, "/srv/shop/receivers.py", "C:\\büro.py"])
short = st.integers(0, 20)
durations = st.none() | short
frames = st.builds(Frame, file=texts, line=short, function=texts)
errors = st.none() | st.builds(
    Error,
    type=names,
    message=st.none() | texts,
    frames=st.lists(frames, max_size=2).map(tuple),
)
omitted = st.builds(
    Omitted,
    signal=names,
    sender=names,
    count=short,
    failures=short,
    total_ns=short,
    max_ns=short,
    receivers_ns=short,
    calls=st.lists(
        st.builds(
            OmittedCalls,
            receiver=names,
            file=files,
            line=st.none() | short,
            count=short,
            failures=short,
            total_ns=short,
            self_ns=short,
            max_ns=short,
        ),
        max_size=2,
    ).map(tuple),
)
plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=5,
)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Traces as a recording could be assembled to: sends nest in calls and may
    outlast them, async calls overlap, and some never finish."""
    sends: list[Send] = []
    calls: list[Call] = []
    next_id = 1
    for _ in range(draw(st.integers(0, 6))):
        parent = draw(st.sampled_from([None, *calls]))
        begin = (0 if parent is None else parent.start_ns) + draw(short)
        of_send = _calls(draw, next_id + 1, begin)
        sends.append(
            Send(
                id=next_id,
                signal=draw(names),
                sender=draw(names),
                method=draw(
                    st.sampled_from(["send", "send_robust", "asend", "asend_robust"])
                ),
                parent=None if parent is None else parent.id,
                start_ns=begin,
                duration_ns=draw(durations),
                calls=tuple(of_send),
                error=draw(errors),
            )
        )
        calls += of_send
        next_id += 1 + len(of_send)
    # Each was appended after what it was sent from, and sorting is stable.
    sends.sort(key=lambda send: send.start_ns)
    missed = st.builds(
        NotCalled,
        send=st.sampled_from([send.id for send in sends]) if sends else st.nothing(),
        receiver=names,
        file=files,
        line=st.none() | short,
        reason=st.just(EARLIER_RAISED),
    )
    trace = Trace(
        version=VERSION,
        id=draw(st.uuids()).hex,
        kind=draw(st.sampled_from(["request", "command", "block"])),
        name=draw(texts),
        started_at=draw(st.datetimes(timezones=st.just(UTC))),
        duration_ns=draw(st.integers(0, 60)),
        attributes=draw(st.dictionaries(texts, plain_values, max_size=3)),
        error=draw(errors),
        sends=tuple(sends),
        unreceived=tuple(
            draw(
                st.lists(
                    st.builds(Unreceived, names, names, st.integers(1, 9)), max_size=2
                )
            )
        ),
        not_called=tuple(draw(st.lists(missed, max_size=2))) if sends else (),
        omitted=tuple(draw(st.lists(omitted, max_size=2))),
    )
    return _with_self_times(trace)


def _calls(draw: st.DrawFn, first_id: int, begin: int) -> list[Call]:
    """Calls one after another, or async ones at any time, in the order of their
    start."""
    calls: list[Call] = []
    is_async = draw(st.booleans())
    start = begin
    for number in range(draw(st.integers(0, 3))):
        start += draw(short)
        duration = draw(durations)
        calls.append(
            Call(
                id=first_id + number,
                receiver=draw(names),
                file=draw(files),
                line=draw(st.none() | short),
                start_ns=start,
                duration_ns=duration,
                self_ns=None,
                is_async=is_async,
                error=draw(errors),
            )
        )
        if not is_async:
            start += duration or 0
    return calls


def _with_self_times(trace: Trace) -> Trace:
    nested: dict[int | None, list[tuple[int, int]]] = defaultdict(list)
    for send in trace.sends:
        nested[send.parent].append((send.start_ns, trace.end_of(send)))

    def timed(call: Call) -> Call:
        if call.duration_ns is None:
            return call
        begin, end = call.start_ns, call.start_ns + call.duration_ns
        inside = [
            (max(start, begin), min(stop, end)) for start, stop in nested[call.id]
        ]
        return replace(call, self_ns=call.duration_ns - covered(inside))

    return replace(
        trace,
        sends=tuple(
            replace(send, calls=tuple(map(timed, send.calls))) for send in trace.sends
        ),
    )


def changed(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy of a plain *document* with another value at *path*."""
    if not path:
        return value
    copy: Any = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = changed(copy[path[0]], path[1:], value)
    return copy
