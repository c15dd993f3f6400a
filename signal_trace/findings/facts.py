"""What findings are made of: a trace, indexed once for all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from signal_trace.conf import Settings
from signal_trace.parts import NOT_TOLD, Call, Frame, NotCalled, OmittedCalls, Send
from signal_trace.trace import Trace

MODEL_SIGNALS = "django.db.models.signals."
M2M_CHANGED = f"{MODEL_SIGNALS}m2m_changed"
# Whoever hears these is told of an instance that is made or loaded, and of no change.
LOADING = {f"{MODEL_SIGNALS}pre_init", f"{MODEL_SIGNALS}post_init"}

# Enough to look at; a finding's message says how many there are.
MOST_EVIDENCE = 50

# A call, with the send that made it.
Run = tuple[Send, Call]


class Found(NamedTuple):
    """A `Finding`, less what follows from who found it."""

    level: str
    message: str
    advice: str
    evidence: Iterable[int]
    receivers: Sequence[str]
    location: Frame | None


class Facts:
    """A trace, the settings, and what several findings look up; each index is made
    when it is first asked for."""

    def __init__(self, trace: Trace, settings: Settings) -> None:
        self.trace = trace
        self.settings = settings
        # By the id of a finding, for which receivers it is silenced.
        self._silenced: defaultdict[str, list[str]] = defaultdict(list)
        for entry in settings.SILENCED_FINDINGS:
            id, _, receiver = entry.partition(":")
            if receiver:
                self._silenced[id].append(receiver)

    def wanted(self, rule: Callable[..., Any], receiver: str) -> bool:
        """Whether what *rule* finds of *receiver* isn't silenced."""
        silenced = self._silenced.get(id_of(rule))
        return not silenced or not any(
            receiver == name or receiver.startswith(f"{name}.") for name in silenced
        )

    @cached_property
    def calls(self) -> list[Call]:
        """Every call."""
        return [call for send in self.trace.sends for call in send.calls]

    @cached_property
    def calls_of(self) -> dict[str, list[Call]]:
        """The calls of each receiver."""
        calls: defaultdict[str, list[Call]] = defaultdict(list)
        for call in self.calls:
            calls[call.receiver].append(call)
        return calls

    @cached_property
    def by_id(self) -> dict[int, Run]:
        """Each call by its id, with its send."""
        return {
            call.id: (send, call) for send in self.trace.sends for call in send.calls
        }

    @cached_property
    def inside(self) -> dict[int, list[Send]]:
        """By the id of a call, what was sent from it; only where something was."""
        inside: defaultdict[int, list[Send]] = defaultdict(list)
        for send in self.trace.sends:
            if send.parent is not None:
                inside[send.parent].append(send)
        return inside

    @cached_property
    def by_line(self) -> dict[Hashable, list[Send]]:
        """What each line sent: by signal and sender's model, and the line itself. Sends
        whose line isn't known are in none."""
        groups: defaultdict[Hashable, list[Send]] = defaultdict(list)
        for send in self.trace.sends:
            line = send.call_site
            if line is not None:
                sender, signal = send.sender, send.signal
                if sender[-1:] == ")":
                    sender = kind_of(sender)
                if signal == M2M_CHANGED:  # Before and after are two things.
                    signal = str(send.arguments.get("action", signal))
                groups[signal, sender, line.line, line.file].append(send)
        return groups


def id_of(rule: Callable[..., Any]) -> str:
    """The id of what a function finds."""
    return rule.__name__.replace("_", "-")


def definition(one: Call | NotCalled | OmittedCalls) -> Frame | None:
    """The line where a receiver's code begins; None of what isn't written in Python."""
    if one.file is None or one.line is None:
        return None
    return Frame(one.file, one.line, one.receiver.rpartition(".")[2])


def is_djangos(receiver: str) -> bool:
    """Whether a receiver is Django's own, which nobody can change."""
    return receiver.startswith("django.")


def kind_of(sender: str) -> str:
    """``shop.Order`` for the model as for each of its instances."""
    return sender.partition("(pk=")[0]


def instances(send: Send) -> tuple[str, ...]:
    """The model instances that a send is about, such as ``shop.Order(pk=3)``: its
    ``instance``, or else its sender and whichever of its arguments are some. None
    where one of them is not saved, and can't be told from others."""
    instance = send.arguments.get("instance")
    if instance is None or instance == NOT_TOLD:
        values = (send.sender, *send.arguments.values())
    else:
        values = (instance,)
    about = [one for one in values if type(one) is str and "(pk=" in one]
    for one in about:
        if one.endswith("(pk=None)"):
            return ()
    return tuple(about)
