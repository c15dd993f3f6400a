"""Traces made by hand, as a tree of what was sent and of what ran."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from signal_trace.conf import Settings
from signal_trace.findings import find
from signal_trace.parts import RAISED, Call, Error, Finding, Frame, Send
from signal_trace.trace import Trace
from tests.traces import EMPTY, MS

MODELS = "django.db.models.signals"
VIEWS = "/srv/shop/views.py"


@dataclass
class Ran:
    call: Call
    inside: tuple[Sent, ...]


@dataclass
class Sent:
    send: Send
    calls: tuple[Ran, ...]


def error(text: str = "no postcode") -> Error:
    return Error("ValueError", text, (Frame("/srv/shop/mail.py", 12, "post"),))


def line(number: int, file: str = VIEWS) -> Frame:
    return Frame(file, number, "checkout")


def ran(receiver: str, *inside: Sent, ms: float = 1, **facts: Any) -> Ran:
    """A receiver's call, which takes *ms* besides what is sent inside of it."""
    own = round(ms * MS)
    total = own + sum(sent.send.duration_ns or 0 for sent in inside)
    call = Call(
        id=0,
        receiver=f"shop.receivers.{receiver}" if "." not in receiver else receiver,
        file="/srv/shop/receivers.py",
        line=sum(map(ord, receiver)),
        start_ns=0,
        duration_ns=total,
        self_ns=own,
        is_async=False,
        error=None,
    )
    return Ran(replace(call, **facts), inside)


def sent(
    signal: str, *calls: Ran, at: int | None = 30, hop_ms: float = 0, **facts: Any
) -> Sent:
    """A send from line *at* of the views."""
    send = Send(
        id=0,
        signal=signal,
        sender="shop.Order",
        method="send",
        parent=None,
        start_ns=0,
        duration_ns=round(hop_ms * MS)
        + sum(ran.call.duration_ns or 0 for ran in calls),
        calls=(),
        error=None,
        call_site=None if at is None else line(at),
    )
    return Sent(replace(send, **facts), calls)


def saved(
    pk: int | None,
    *calls: Ran,
    signal: str = "post_save",
    model: str = "shop.Order",
    at: int | None = 30,
    created: bool = False,
    raw: bool = False,
    update_fields: list[str] | None = None,
    **facts: Any,
) -> Sent:
    arguments = {
        "instance": f"{model}(pk={pk})",
        "created": created,
        "raw": raw,
        "using": "default",
        "update_fields": update_fields,
    }
    signal = f"{MODELS}.{signal}"
    return sent(signal, *calls, at=at, sender=model, arguments=arguments, **facts)


def traced(*sends: Sent, duration_ms: float = 100, **facts: Any) -> Trace:
    """The trace of all that, numbered from 1 in the order of the tree."""
    flat: list[Send] = []
    next_id = now = 0

    def number() -> int:
        nonlocal next_id
        next_id += 1
        return next_id

    def place(one: Sent, parent: int | None, start: int) -> None:
        nonlocal now
        place_in_order = len(flat)
        send = replace(one.send, id=number(), parent=parent, start_ns=start)
        flat.append(send)
        calls = []
        for each in one.calls:
            call = replace(each.call, id=number(), start_ns=start)
            calls.append(call)
            inner = start
            for below in each.inside:
                place(below, call.id, inner)
                inner += below.send.duration_ns or 0
            start += call.duration_ns or 0
        flat[place_in_order] = replace(send, calls=tuple(calls))

    for one in sends:
        place(one, None, now)
        now += one.send.duration_ns or 0
    made = replace(EMPTY, duration_ns=round(duration_ms * MS), sends=tuple(flat))
    return replace(made, **facts)


def failed(receiver: str, outcome: str = RAISED, **facts: Any) -> Ran:
    return ran(receiver, outcome=outcome, **{"error": error()} | facts)


def found(trace: Trace, id: str, **settings: Any) -> list[Finding]:
    """What of one kind is found. Whatever is, is found as well in a trace that was
    written and read, and not when it is silenced: by id, or for any of its
    receivers."""
    of_kind = [one for one in find(trace, Settings(**settings)) if one.id == id]
    loaded = Trace.from_json(trace.to_json())
    assert [one for one in find(loaded, Settings(**settings)) if one.id == id] == (
        of_kind
    )
    ids = {send.id for send in trace.sends} | {call.id for call in trace.calls}
    assert all(set(one.evidence) <= ids for one in of_kind)
    if of_kind and "SILENCED_FINDINGS" not in settings:
        assert found(trace, id, **settings, SILENCED_FINDINGS=[id]) == []
        every = [f"{id}:{name}" for one in of_kind for name in one.receivers]
        assert found(trace, id, **settings, SILENCED_FINDINGS=every) == []
    return of_kind


def only(trace: Trace, id: str, **settings: Any) -> Finding:
    [finding] = found(trace, id, **settings)
    return finding
