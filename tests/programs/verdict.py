"""Whether a trace tells what happened."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from signal_trace.errors import MOST_FRAMES
from signal_trace.send_tree import DROPPED_ERROR
from tests.programs import things
from tests.programs.observed import LEFT_OUT
from tests.programs.things import SYNC_FIRST

if TYPE_CHECKING:
    from signal_trace import Trace
    from signal_trace.parts import Call, Send
    from tests.programs.records import Ran, Sent, Window
    from tests.programs.worlds import World

CANCELLED = "asyncio.exceptions.CancelledError"


def check(world: World, window: Window) -> None:
    """Compare a closed window's trace with what the world knows of its time."""
    trace = window.recording.trace
    sents = [one for one in world.sent if window in one.windows and one.is_recorded]
    heard = [one for one in sents if _is_kept(one, window)]
    unheard = [one for one in sents if one not in heard and _ended(one, window)]
    _check_unreceived(trace, world, unheard)
    assert [(one.signal, one.sender, one.method) for one in trace.sends] == [
        (_signal_name(world, one), things.SENDER_NAMES[one.sender][0], one.method)
        for one in heard
    ]
    ids: dict[int | None, int | None] = {}
    for send, sent in zip(trace.sends, heard, strict=True):
        _check_calls(trace, world, window, send, sent, ids)
    for send, sent in zip(trace.sends, heard, strict=True):
        assert send.parent == ids.get(sent.scope.call)
    _check_times(trace, world, window, sents, ids)
    assert type(trace).from_dict(trace.to_dict()) == trace


def _ended(what: Sent | Ran, window: Window) -> bool:
    assert window.closed is not None
    return what.ended is not None and what.ended <= window.closed


def _is_kept(sent: Sent, window: Window) -> bool:
    """Whether a trace has it among its sends. One that nobody was to hear is there
    only if it failed all the same, which is by being cancelled."""
    if sent.sync or sent.asynchronous or sent.is_refused:
        return True
    return sent.error is not None and _ended(sent, window)


def _signal_name(world: World, sent: Sent) -> str:
    cls = type(world.signals[sent.signal])
    return f"unnamed {cls.__module__}.{cls.__qualname__}"


def _check_unreceived(trace: Trace, world: World, sents: list[Sent]) -> None:
    expected = Counter(
        (_signal_name(world, one), things.SENDER_NAMES[one.sender][1])
        for one in sents
        if not (one.signal == "asking" and one.method == "send")  # It wasn't sent.
    )
    found = {
        (one.signal, one.sender): one.count
        for one in trace.unreceived
        if one.signal.startswith("unnamed ")
    }
    assert found == expected


def _check_calls(
    trace: Trace,
    world: World,
    window: Window,
    send: Send,
    sent: Sent,
    ids: dict[int | None, int | None],
) -> None:
    ended = _ended(sent, window)
    if sent.error != "GeneratorExit":
        assert (send.duration_ns is not None) == ended
        assert (send.error and send.error.type) == (sent.error if ended else None)

    # Those that ran before the window closed, in the order in which they began, and
    # of the async ones maybe some that were cancelled before they did.
    ran = [one for one in sent.ran if one.began <= window.closed]
    for call in send.calls:
        if ran and _agree(world, window, sent, call, ran[0]):
            ids[ran.pop(0).number] = call.id
        else:
            assert call.is_async, (call, ran)
            assert (call.error and call.error.type) in (None, CANCELLED), (call, ran)
            assert call.error or call.duration_ns is None, (call, ran)
    assert not ran, (send.calls, ran)

    if ended and sent.error != "GeneratorExit" and not sent.is_refused:
        named = [call.receiver for call in send.calls]
        named += [one.receiver for one in trace.not_called if one.send == send.id]
        sync, asynchronous = (
            sorted(world.names[label] for label in labels)
            for labels in (sent.sync, sent.asynchronous)
        )
        assert sorted(named) == sorted(sync + asynchronous)


def _check_times(
    trace: Trace,
    world: World,
    window: Window,
    sents: list[Sent],
    ids: dict[int | None, int | None],
) -> None:
    """Check that calls began and ended in the order in which they did."""
    calls = {call.id: call for call in trace.calls}
    ran = [
        (one, calls[number])
        for sent in sents
        for one in sent.ran
        if (number := ids.get(one.number)) is not None
        and "marked" not in world.kind(one.label)
    ]
    ran.sort(key=lambda pair: pair[0].began)
    starts = [call.start_ns for _, call in ran]
    assert starts == sorted(starts)
    ran = [pair for pair in ran if _ended(pair[0], window)]
    ran.sort(key=lambda pair: pair[0].ended or 0)
    ends = [trace.end_of(call) for _, call in ran if call.duration_ns is not None]
    assert ends == sorted(ends)


def _agree(world: World, window: Window, sent: Sent, call: Call, ran: Ran) -> bool:
    """Whether that call may be of that run."""
    if (call.receiver, call.is_async) != (world.names[ran.label], ran.is_async):
        return False
    ended = _ended(ran, window)
    error = call.error and call.error.type
    if "marked" in world.kind(ran.label):
        # It ends when its future or task does, which may be later, or not at all.
        ended = call.duration_ns is not None
        if error == CANCELLED:
            return True
    if not ended:
        return error is None and call.duration_ns is None
    if call.duration_ns is None:
        return ran.error == "GeneratorExit"
    # Another one of the same send came first, beside which it ran; it may be given what
    # ended the send, a cancellation or a failure to log, for its own.
    beside = not SYNC_FIRST and sent.method.startswith("a") and not ran.is_async
    if beside and ran.error is not None and error in (DROPPED_ERROR.type, sent.error):
        return True
    if call.error == DROPPED_ERROR:
        return ran.error == "GeneratorExit"  # Its send was thrown away.
    if error != ran.error:
        return False
    if call.error and not ran.is_shared:
        seen = [
            (frame.file, frame.line, frame.function)
            for frame in call.error.frames
            if not frame.file.startswith(LEFT_OUT)
        ]
        return len(seen) >= MOST_FRAMES - 10 or (
            tuple(seen[-len(ran.frames) :]) == ran.frames
        )
    return True
