"""What a program consists of: plain values, which know of no world.

Receivers, signals and senders are numbers, taken modulo of how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """One thing that the body of a receiver does."""


@dataclass(frozen=True)
class Send(Action):
    signal: int
    sender: int
    method: str
    number: int = 0  # of keyword arguments besides
    catch: bool = False


@dataclass(frozen=True)
class HasListeners(Action):
    signal: int
    sender: int


@dataclass(frozen=True)
class Connect(Action):
    receiver: int
    signal: int
    sender: int
    weak: bool


@dataclass(frozen=True)
class Disconnect(Action):
    receiver: int
    signal: int
    sender: int


@dataclass(frozen=True)
class Drop(Action):
    """Let go of the last strong reference to a receiver."""

    receiver: int


@dataclass(frozen=True)
class SetVariable(Action):
    name: str
    value: str


@dataclass(frozen=True)
class Log(Action):
    pass


@dataclass(frozen=True)
class Query(Action):
    writes: bool


@dataclass(frozen=True)
class Raise(Action):
    kind: str
    way: str


@dataclass(frozen=True)
class Record(Action):
    """Do it inside of a recording; in the other world, just do it."""

    actions: tuple[Action, ...]


# What only async receivers can do; the others do nothing instead.


@dataclass(frozen=True)
class Pause(Action):
    pass


@dataclass(frozen=True)
class InThread(Action):
    actions: tuple[Action, ...]


@dataclass(frozen=True)
class Gather(Action):
    sends: tuple[Send, ...]


@dataclass(frozen=True)
class Leave(Action):
    """Send from a task that nobody here waits for."""

    send: Send
    pauses: int


@dataclass(frozen=True)
class Receiver:
    kind: str
    gives: str
    script: tuple[Action, ...]


@dataclass(frozen=True)
class Sends:
    """Sends from outside of any receiver: one after the other or, where they are all
    async and there is a loop, all at once."""

    sends: tuple[Send, ...]
    driver: str
    recorded: str
    at_once: bool


METHODS = ("send", "send_robust", "asend", "asend_robust")
# No loop; `asyncio.run`; `async_to_sync`, where sync receivers of `asend` run in the
# main thread and may use the database.
DRIVERS = ("none", "run", "bridge")
# Not by a recording of its own; by one around the loop; by one inside of it.
RECORDED = ("no", "around", "inside")
SYNC_KINDS = ("function", "lambda", "method", "partial", "object", "decorated")
ASYNC_KINDS = (
    "async function",
    "async function",
    "async function",
    "async method",
    "async partial",
    "marked future",
    "marked eager",
    "marked task",
    "marked steps",
    "marked object",
)
GIVES = ("text", "response", "error", "nothing")
ERRORS = (
    "value",
    "custom",
    "talkative",
    "base",
    "cancelled",
    "exit",
    "stop",
    "shared",
)
WAYS = ("plain", "from", "while", "from none")
