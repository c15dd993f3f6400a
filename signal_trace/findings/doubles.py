"""Receivers that ran twice for one thing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator

from signal_trace.findings.facts import (
    LOADING,
    M2M_CHANGED,
    MODEL_SIGNALS,
    Facts,
    Found,
    Run,
    definition,
    instances,
    is_djangos,
)
from signal_trace.findings.words import counted, listed, places, times
from signal_trace.parts import HINT, NOT_TOLD, WARNING, Call, Send
from signal_trace.tree import short_name

# What is loaded or related again and again is no double: two loads give two instances
# of one row, and two m2m changes tell of how many rows they are, not of which.
ORDINARY = {*LOADING, M2M_CHANGED}


def ran_twice(facts: Facts) -> Iterator[Found]:
    """One receiver, connected twice; or one thing, sent from two lines."""
    yield from _connected_twice(facts)
    yield from _sent_twice(facts)


def _connected_twice(facts: Facts) -> Iterator[Found]:
    doubles: defaultdict[tuple[str, str], list[list[Run]]] = defaultdict(list)
    single: set[tuple[str, ...]] = set()
    for send in facts.trace.sends:
        if len(send.calls) > 1:
            names = tuple([call.receiver for call in send.calls])
            if names in single:
                continue
            alike = _alike(send)
            if not alike:
                single.add(names)  # Most sends of a signal have the same receivers.
            for calls in alike:
                runs = [(send, call) for call in calls]
                doubles[send.signal, calls[0].receiver].append(runs)
    for (signal, receiver), sends in sorted(
        doubles.items(), key=lambda one: -len(one[1])
    ):
        runs = sends[0]
        receivers = [call.receiver for _, call in runs]
        send = runs[0][0]
        # Of an object of a class there may be two, and each is meant to run.
        sure = not _may_be_many(receiver)
        message = (
            f"{listed(receivers)} ran {times(len(runs))} in one send of"
            f" {short_name(signal)} from {send.sender}"
        )
        if len(sends) > 1:
            message += f" (and so in {counted(len(sends), 'send')})"
        unless = "" if sure else ", unless these are different objects"
        yield Found(
            WARNING if sure else HINT,
            f"{message}: it is connected {times(len(runs))}, {_how(runs)}{unless}.",
            "Connect it once, with one dispatch_uid: a second connect() with the same"
            " one changes nothing. Look for a module that is imported under two names,"
            " for connect() where it runs more than once, and for a receiver connected"
            " with a sender and without.",
            [call.id for runs in sends for _, call in runs],
            receivers,
            definition(runs[-1][1]),
        )


def _alike(send: Send) -> list[list[Call]]:
    """The calls of one function: the same code under the same name, however the module
    that it is in was imported."""
    groups: defaultdict[object, list[Call]] = defaultdict(list)
    for call in send.calls:
        name = call.receiver.rpartition(".")[2] if call.file else call.receiver
        groups[name, call.file, call.line].append(call)
    return [
        calls
        for calls in groups.values()
        if len(calls) > 1 and not is_djangos(calls[0].receiver)
    ]


def _may_be_many(receiver: str) -> bool:
    """Whether a receiver is a method, or an object of a class, by the looks of its
    name."""
    return any(part[:1].isupper() for part in receiver.split(".")[-2:])


def _how(runs: list[Run]) -> str:
    """How the connections of one receiver differ."""
    connections = [call.connection for _, call in runs]
    uids = [one.dispatch_uid for one in connections if one]
    if len({call.receiver for _, call in runs}) > 1:
        return "since its module is imported under more than one name"
    if len({one.sender for one in connections if one}) > 1:
        heard = [one.sender or "everybody" for one in connections if one]
        return f"to hear {listed(heard)}"
    if any(uids):
        return f"with different dispatch_uids ({listed(map(str, uids))})"
    return "without a dispatch_uid"


def _sent_twice(facts: Facts) -> Iterator[Found]:
    found: defaultdict[object, list[list[Send]]] = defaultdict(list)
    for sends in _from_many_lines(facts):
        for doubles in _same(sends):
            found[sends[0].signal, doubles[0].call_site].append(doubles)
    for all_doubles in sorted(found.values(), key=lambda found: -len(found)):
        names = _heard_all(all_doubles[0])
        names = [name for name in names if facts.wanted(ran_twice, name)]
        if names:
            yield _twice(all_doubles, names)


# Of these the type is all that is told of an argument where the signal isn't Django's:
# two sends may differ in it.
UNTOLD = {"bool", "bytes", "float", "int", "str", "decimal.Decimal", NOT_TOLD} | {
    f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta")
}


def _is_told(send: Send) -> bool:
    """Whether sends with the arguments of *send* were sent with the same values."""
    return send.signal.startswith("django.") or not any(
        type(value) is str and value in UNTOLD for value in send.arguments.values()
    )


def _from_many_lines(facts: Facts) -> Iterator[list[Send]]:
    """Sends about the same instances, made in the same place of the tree, of what more
    than one line sent."""
    lines: defaultdict[str, list[list[Send]]] = defaultdict(list)
    for sends in facts.by_line.values():
        if sends[0].signal not in ORDINARY:
            lines[sends[0].signal].append(sends)
    groups: defaultdict[Hashable, list[Send]] = defaultdict(list)
    for of_signal in lines.values():
        for about, send in _in_many(of_signal) if len(of_signal) > 1 else ():
            if not _is_told(send):
                continue
            groups[send.signal, send.parent, about].append(send)
    for sends in groups.values():
        if len(sends) > 1 and instances(sends[0]):
            yield sends


def _in_many(lines: list[list[Send]]) -> Iterator[tuple[Hashable, Send]]:
    """Those sends that more than one line sent about the same: few, mostly."""
    told = [list(map(_about, sends)) for sends in lines]
    seen: set[Hashable] = set()
    shared: set[Hashable] = set()
    for of_line in map(set, told):
        shared |= of_line & seen
        seen |= of_line
    for abouts, sends in zip(told, lines, strict=True) if shared else ():
        for about, send in zip(abouts, sends, strict=True):
            if about in shared:
                yield about, send


def _about(send: Send) -> Hashable:
    instance = send.arguments.get("instance")
    return instance if type(instance) is str else instances(send)


def _same(sends: list[Send]) -> Iterator[list[Send]]:
    """Those that were sent with the same arguments, the first from each line."""
    # Of one line nearly all are the same, and comparing is quick.
    of_line: defaultdict[object, list[Send]] = defaultdict(list)
    for send in sends:
        line = send.call_site
        known = of_line[line and (line.line, line.file)]
        if not any(_is_same(send, one) for one in known):
            known.append(send)
    groups: defaultdict[str, list[Send]] = defaultdict(list)
    for send in [send for known in of_line.values() for send in known]:
        groups[repr((send.sender, sorted(send.arguments.items())))].append(send)
    yield from (doubles for doubles in groups.values() if len(doubles) > 1)


def _is_same(one: Send, other: Send) -> bool:
    return one.sender == other.sender and one.arguments == other.arguments


def _heard_all(sends: list[Send]) -> list[str]:
    first, *others = [[call.receiver for call in send.calls] for send in sends]
    return [name for name in first if all(name in other for other in others)]


def _twice(all_doubles: list[list[Send]], names: list[str]) -> Found:
    sends = all_doubles[0]
    send = sends[0]
    signal = short_name(send.signal)
    # To save a thing twice may be wasteful; to say twice that it was paid is wrong.
    is_model_signal = send.signal.startswith(MODEL_SIGNALS)
    more = len(all_doubles) - 1
    others = f" (and so for {counted(more, 'other')})" if more else ""
    lines = places(one.call_site for one in sends)
    return Found(
        HINT if is_model_signal else WARNING,
        f"{listed(names)} ran {times(len(sends))} for {listed(instances(send))}"
        f"{others}: {signal} was sent with the same arguments from {lines}.",
        "Save once, after all changes, or name them with update_fields."
        if is_model_signal
        else "Send it in one place only, or let the receiver see whether its work is"
        " done already.",
        [
            id
            for doubles in all_doubles
            for send in doubles
            for id in (
                send.id,
                *(call.id for call in send.calls if call.receiver in names),
            )
        ],
        names,
        sends[-1].call_site,
    )
