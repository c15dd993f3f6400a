"""Traces to test with: one that is known, and any number of random ones."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from signal_trace.durations import covered
from signal_trace.parts import (
    BULK_WRITES,
    CANCELLED,
    CANCELLED_BY_SIBLING,
    COMMITTED,
    EARLIER_RAISED,
    HINT,
    MAIL,
    NO_QUERIES,
    ON_COMMIT,
    OPEN,
    OTHER_SENDER,
    PROBLEM,
    PROXY,
    RAISED,
    RETURNED,
    ROLLED_BACK,
    SWALLOWED,
    TASK,
    UNFINISHED,
    WARNING,
    Call,
    Connection,
    Error,
    Event,
    Finding,
    Frame,
    NotCalled,
    Omitted,
    OmittedCalls,
    Queries,
    Send,
    Statement,
    Unreceived,
)
from signal_trace.queries import add_up
from signal_trace.trace import VERSION, Trace

MS = 1_000_000
POST_SAVE = "django.db.models.signals.post_save"

# A checkout: an order is saved, and of its three receivers the first sends a signal
# of its own, the second raises and the third never runs, so that all is rolled back.
FAILURE = Error(
    "ValueError", "no stock", (Frame("shop/receivers.py", 30, "take_from_stock"),)
)
COUNT_LINES = Statement('SELECT COUNT(*) FROM "shop_line" WHERE "order_id" = %s', 2)
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
            sender="shop.Order",
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
                    queries=Queries(3, 2 * MS, 1, MS, 1, COUNT_LINES),
                    connection=Connection("shop.announce", True, "shop.Order", 1),
                    app="shop",
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
                    outcome=RAISED,
                    connection=Connection(None, False, None, 2),
                    app="shop",
                ),
            ),
            error=FAILURE,
            call_site=Frame("/srv/shop/views.py", 12, "checkout"),
            arguments={
                "instance": "shop.Order(pk=7)",
                "created": True,
                "raw": False,
                "using": "default",
                "update_fields": None,
            },
            queries=Queries(3, 2 * MS, 1, MS, 1),
            transaction=ROLLED_BACK,
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
                    suspended_ns=3 * MS,
                    queries=Queries(1, MS),
                    connection=Connection(None, True, None, 1),
                    app="shop",
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
                    outcome=UNFINISHED,
                    connection=Connection(None, True, None, 2),
                    app="shop",
                ),
            ),
            error=None,
            call_site=Frame("/srv/shop/receivers.py", 14, "announce"),
            arguments={"order": "shop.Order(pk=7)"},
            queries=Queries(1, MS),
            transaction=ROLLED_BACK,
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
        *(
            NotCalled(
                None,
                POST_SAVE,
                f"shop.receivers.{receiver}",
                "shop/receivers.py",
                line,
                OTHER_SENDER,
                sender=sender,
                near_miss=near_miss,
                relation=relation,
            )
            for receiver, line, sender, near_miss, relation in (
                ("count_lines", 60, "shop.Line", None, None),
                ("send_voucher", 70, "shop.GiftOrder", "shop.Order", PROXY),
            )
        ),
    ),
    omitted=(),
    queries=Queries(5, 3 * MS, 4, 3 * MS, 2),
    events=(
        Event(
            ON_COMMIT,
            "shop.tasks.print_label",
            call=2,
            call_site=Frame("/srv/shop/receivers.py", 15, "announce"),
            count=1,
            in_transaction=True,
            in_callback=False,
            receivers=(),
        ),
    ),
    findings=(
        Finding(
            "failed-receiver",
            "A receiver raised",
            PROBLEM,
            "shop.receivers.take_from_stock raised, and 1 receiver never ran.",
            "Send with send_robust, or catch the exception in the receiver.",
            (3,),
            ("shop.receivers.take_from_stock",),
            Frame("/srv/shop/receivers.py", 29, "take_from_stock"),
        ),
        Finding(
            "near-miss",
            "A receiver listens to a relative of the sender",
            HINT,
            "shop.receivers.send_voucher listens to shop.GiftOrder.",
            "Connect it for shop.Order, if it is to hear that as well.",
            (),
            ("shop.receivers.send_voucher",),
        ),
    ),
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
    queries=NO_QUERIES,
    events=(),
    findings=(),
)


def saves(count: int, *, parent: int | None = None, first_id: int = 100) -> list[Send]:
    """The sends of a loop that saves so many lines: `pre_save` and `post_save`, each
    with one receiver that takes longer every time."""
    sends: list[Send] = []
    for number in range(count):
        for name, receiver in (("pre_save", "check"), ("post_save", "count_lines")):
            begin = 3 * MS + len(sends) * 1000
            duration = (number + 1) * 100
            call = Call(
                id=first_id + 1,
                receiver=f"shop.receivers.{receiver}",
                file="shop/receivers.py",
                line=60,
                start_ns=begin,
                duration_ns=duration,
                self_ns=duration,
                is_async=False,
                error=None,
                queries=Queries(2, duration // 2),
                app="shop",
            )
            send = Send(
                id=first_id,
                signal=f"django.db.models.signals.{name}",
                sender="shop.Line",
                method="send",
                parent=parent,
                start_ns=begin,
                duration_ns=duration,
                calls=(call,),
                error=None,
                call_site=Frame("/srv/shop/views.py", 20, "add_lines"),
                arguments={"instance": f"shop.Line(pk={number})", "raw": False},
                queries=call.queries,
                transaction=COMMITTED,
            )
            sends.append(send)
            first_id += 2
    return sends


def many_calls(count: int, per_send: int) -> Trace:
    """A trace of so many calls, as saving instances of two models makes them: with
    queries of their own, some of them nested. What is equal in it is the same, as in
    one that was recorded."""
    chance = random.Random(1)
    sql = 'SELECT COUNT(*) FROM "shop_line" WHERE "shop_line"."order_id" = %s'
    models = ("shop.Order", "warehouse.Parcel")
    connections = [
        Connection(f"uid-{place}" if place % 2 else None, place % 2 == 0, None, place)
        for place in range(1, 9)
    ]
    call_sites = [Frame(f"/srv/shop/{i % 4}/views.py", i, "checkout") for i in range(9)]
    sends: list[Send] = []
    next_id, clock = 1, 0
    for number in range(count // per_send):
        own_id, start = next_id, clock
        calls: list[Call] = []
        for index in range(per_send):
            place = (number + index) % 8
            duration = chance.randrange(3_000, 900_000)
            clock += chance.randrange(1_000, 90_000)
            made = Queries(1, duration // 2, 0, 0, place % 2, Statement(sql, 1))
            calls.append(
                Call(
                    id=own_id + 1 + index,
                    receiver=f"shop.receivers.module_{place}.receiver_{place}",
                    file=f"/srv/shop/receivers/module_{place}.py",
                    line=10 * (place + 1),
                    start_ns=clock,
                    duration_ns=duration,
                    self_ns=duration - (1_000 if place == 7 else 0),
                    is_async=False,
                    error=None,
                    queries=NO_QUERIES if place > 4 else made,
                    connection=connections[place],
                    app="shop",
                )
            )
            clock += duration
        next_id += 1 + per_send
        kind = number % 3
        arguments = {
            "instance": f"{models[kind % 2]}(pk={number // 2 + 12_345})",
            "raw": False,
            "using": "default",
            "update_fields": None,
        }
        sends.append(
            Send(
                id=own_id,
                signal=f"django.db.models.signals.{('pre', 'post')[number % 2]}_save",
                sender=models[kind % 2],
                method="send",
                parent=own_id - 1 if number % 10 == 9 else None,
                start_ns=start,
                duration_ns=clock - start,
                calls=tuple(calls),
                error=None,
                call_site=call_sites[number % len(call_sites)],
                arguments=arguments
                if number % 2
                else {**arguments, "created": not kind},
                queries=add_up([call.queries for call in calls]),
                transaction=COMMITTED,
            )
        )
    return replace(CHECKOUT, duration_ns=clock, sends=tuple(sends), not_called=())


# An import, which saves many lines in a loop.
IMPORT = replace(
    EMPTY,
    kind="command",
    name="import",
    duration_ns=20 * MS,
    sends=tuple(saves(240)),
    queries=Queries(0, 0, 960, 6 * MS),
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = st.sampled_from(
    [POST_SAVE, "shop.Order", "büro.empfänger", "注文", "a\n\u202eb"]
)
files = st.sampled_from([None, "/srv/shop/receivers.py", "C:\\büro.py"])
short = st.integers(0, 20)
durations = st.none() | short
queries = st.just(NO_QUERIES) | st.builds(
    Queries,
    count=short,
    duration_ns=short,
    nested_count=short,
    nested_ns=short,
    writes=short,
    repeated=st.none() | st.builds(Statement, sql=texts, count=short),
)
connections = st.none() | st.builds(
    Connection,
    dispatch_uid=st.none() | texts,
    weak=st.booleans(),
    sender=st.none() | names,
    place=short,
)
outcomes = st.sampled_from(
    [RETURNED, RAISED, SWALLOWED, CANCELLED, CANCELLED_BY_SIBLING, UNFINISHED]
)
transactions = st.sampled_from([None, COMMITTED, ROLLED_BACK, OPEN])
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
            queries=short,
            queries_ns=short,
            app=names,
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
# Those of Django's signals are what a trace has most of.
arguments = st.dictionaries(texts, plain_values, max_size=2) | st.fixed_dictionaries(
    {
        "instance": st.sampled_from(["shop.Order(pk=7)", "shop.Order(pk=8)"]),
        "created": st.booleans(),
        "raw": st.booleans(),
        "using": st.just("default"),
        "update_fields": st.none() | st.lists(texts, max_size=5),
    },
    optional={"action": texts, "reverse": st.booleans(), "pk_set": short},
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
                call_site=draw(st.none() | frames),
                stack=tuple(draw(st.lists(frames, max_size=2))),
                arguments=draw(arguments),
                queries=draw(queries),
                transaction=draw(transactions),
                on_commit=draw(st.booleans()),
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
    others = st.builds(
        NotCalled,
        send=st.none(),
        signal=names,
        receiver=names,
        file=files,
        line=st.none() | short,
        reason=st.just(OTHER_SENDER),
        sender=st.none() | names,
        near_miss=st.none() | names,
    )
    ids = st.sampled_from([one.id for one in (*sends, *calls)] or [1])
    events = st.builds(
        Event,
        kind=st.sampled_from([MAIL, TASK, ON_COMMIT, *BULK_WRITES]),
        subject=names,
        call=st.none() | ids,
        call_site=st.none() | frames,
        count=short,
        in_transaction=st.booleans(),
        in_callback=st.booleans(),
        receivers=st.lists(names, max_size=2).map(tuple),
    )
    findings = st.builds(
        Finding,
        id=names,
        title=texts,
        level=st.sampled_from([PROBLEM, WARNING, HINT]),
        message=texts,
        advice=texts,
        evidence=st.lists(ids, max_size=3).map(tuple),
        receivers=st.lists(names, max_size=2).map(tuple),
        location=st.none() | frames,
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
        not_called=(
            *(draw(st.lists(missed, max_size=2)) if sends else ()),
            *draw(st.lists(others, max_size=2)),
        ),
        omitted=tuple(draw(st.lists(omitted, max_size=2))),
        queries=draw(queries),
        events=tuple(draw(st.lists(events, max_size=2))),
        findings=tuple(draw(st.lists(findings, max_size=2))),
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
                outcome=draw(outcomes),
                suspended_ns=draw(durations),
                queries=draw(queries),
                connection=draw(connections),
                app=draw(names),
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
