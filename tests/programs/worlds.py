"""Worlds of signals and receivers, in which random programs run.

A program is run in two worlds, one of which is recorded, and all that can be observed
in them is compared. A world has everything of its own: signals, receivers, a
`contextvars.Context`. Labels tell what in one stands for what in the other.

What runs is noted twice: as *events*, to be compared with the other world's, and as
`Sent` and `Ran`, to be compared with the trace.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import logging
import threading
import traceback
import weakref
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any

from asgiref.sync import SyncToAsync, async_to_sync, sync_to_async
from django.dispatch import dispatcher

import signal_trace
from tests.app.models import Tag
from tests.programs import actions, receivers, things, verdict
from tests.programs.actions import Action, Receiver, Send, Sends
from tests.programs.observed import describe_error, frames, observing, type_name
from tests.programs.receivers import make
from tests.programs.records import Ran, Scope, Sent, Window

DEEPEST = 3
MOST_RUNS = 25  # Of receivers, in one step.

VARIABLES = {
    "color": contextvars.ContextVar("color", default="none"),
    "shade": contextvars.ContextVar[str]("shade"),
}
# What may come from these files, and is no mistake there.
OWN_FILES = (__file__, receivers.__file__)
MEANT = (asyncio.CancelledError, GeneratorExit, RuntimeError, BaseExceptionGroup)
CANCELLATIONS = (asyncio.CancelledError, GeneratorExit)
SYNC_METHODS = ("send", "send_robust")

logger = logging.getLogger("tests.program")


class World:
    def __init__(self, is_traced: bool, receivers: list[Receiver]) -> None:
        self.is_traced = is_traced
        self.context = contextvars.Context()
        self.signals = things.make_signals()
        self.senders = things.make_senders(self.note)
        self.receivers = receivers
        self.held: dict[int, Any] = {}
        self.generation: dict[int, int] = {}
        # By label.
        self.kept: dict[str, weakref.ref[Any]] = {}
        self.names: dict[str, str] = {}
        self.owners: dict[str, int] = {}
        self.moment = 0
        self.events: list[tuple[Any, ...]] = []
        self.sent: list[Sent] = []
        self.runs = 0
        self.bugs: list[str] = []
        self.left: list[asyncio.Task[None]] = []
        self.shared = ValueError("shared")
        self.open: list[Window] = []
        self.closed: list[Window] = []
        self.position: Window | None = None

    def note(self, *what: Any) -> int:
        self.moment += 1
        self.events.append(what)
        return self.moment

    # Receivers, and their labels

    def receiver(self, number: int) -> Any:
        """The receiver with that number, made anew if it was dropped."""
        number %= len(self.receivers)
        if number not in self.held:
            generation = self.generation[number] = self.generation.get(number, 0) + 1
            label = f"r{number}_{generation}"
            made, name = make(self, label, self.receivers[number].kind)
            made_of = getattr(made, "__self__", made)
            made_of.label = label
            self.kept[label] = weakref.ref(made_of)
            self.names[label] = name
            self.owners[label] = number
            self.held[number] = made
        return self.held[number]

    def label(self, receiver: Any) -> str:
        """The label of that very receiver, and not of one that is put in its place."""
        owner = getattr(receiver, "__self__", receiver)
        label = getattr(owner, "label", None)
        if label in self.kept and self.kept[label]() is owner:
            return label
        return f"unknown {type(receiver).__name__}"

    def kind(self, label: str) -> str:
        return self.receivers[self.owners[label]].kind

    def alive(self) -> tuple[str, ...] | None:
        """The labels of what lives; None where that may wait for the collection of
        garbage, since cancelled tasks and their exceptions refer to each other."""
        return None if self.has_cancelled else self.alive_at_last()

    def alive_at_last(self) -> tuple[str, ...]:
        return tuple(label for label, kept in self.kept.items() if kept() is not None)

    def pick(self, things: dict[str, Any], number: int) -> tuple[str, Any]:
        return list(things.items())[number % len(things)]

    # What receivers do

    def run(self, label: str, named: dict[str, Any]) -> Any:
        ran, scope = self.begin(label, named)
        try:
            for action in self._script(ran, scope):
                self.perform(action, scope)
        except BaseException as error:
            self._end(ran, error)
            raise
        self._end(ran, None)
        return self._give(ran)

    async def run_async(self, label: str, named: dict[str, Any]) -> Any:
        return await self.run_rest_async(*self.begin(label, named))

    async def run_rest_async(self, ran: Ran, scope: Scope) -> Any:
        try:
            for action in self._script(ran, scope):
                await self.perform_async(action, scope)
        except BaseException as error:
            self._end(ran, error)
            raise
        self._end(ran, None)
        return self._give(ran)

    def run_rest_in_steps(self, ran: Ran, scope: Scope) -> Generator[None, None, Any]:
        try:
            for action in self._script(ran, scope):
                self.perform(action, scope)
                yield
        except BaseException as error:
            self._end(ran, error)
            raise
        self._end(ran, None)
        return self._give(ran)

    def _script(self, ran: Ran, scope: Scope) -> tuple[Action, ...]:
        """What it does, unless too much has been done."""
        script = self.receivers[self.owners[ran.label]].script
        return script if self.fuel > 0 and scope.depth <= DEEPEST else ()

    def begin(self, label: str, named: dict[str, Any]) -> tuple[Ran, Scope]:
        sent = self.sent[named.pop("sent")]
        self.runs += 1
        is_async = label in sent.asynchronous
        shown = {
            key: value.label if isinstance(value, things.Thing) else value
            for key, value in named.items()
            if key not in ("signal", "sender")
        }
        moment = self.note(
            "ran",
            self.runs,
            label,
            sent.number,
            named["signal"] is self.signals[sent.signal],
            named["sender"] is self.senders[sent.sender],
            shown,
            self.variables(),
            self.alive(),
        )
        ran = Ran(self.runs, label, sent, is_async, moment)
        sent.ran.append(ran)
        self.fuel -= 1
        waiting = sent.scope.waiting
        if is_async:
            waiting += 1
        elif not self._beside(sent):
            waiting += len(sent.asynchronous)
        call = ran.number if sent.is_recorded else sent.scope.call
        is_plain = sent.scope.is_plain and not is_async and sent.method in SYNC_METHODS
        depth = sent.scope.depth + 1
        return ran, Scope(call, depth, sent.scope.window, waiting, is_plain)

    def _beside(self, sent: Sent) -> bool:
        """Whether its sync receivers run beside its async ones."""
        is_concurrent = sent.method.startswith("a") and not things.SYNC_FIRST
        return is_concurrent and bool(sent.sync and sent.asynchronous)

    def _end(self, ran: Ran, error: BaseException | None) -> None:
        sent = ran.sent
        if error is not None and len(sent.asynchronous) + self._beside(sent) > 1:
            # Whoever sent it may go on now, beside its siblings.
            self.busy += 1
        elif ran.is_async:
            self.busy -= 1
        if error is not None:
            self._look_for_bug(error)
            ran.error = type_name(error)
            self.has_cancelled |= isinstance(error, CANCELLATIONS)
            ran.frames = frames(error)
            ran.is_shared = error is self.shared
        # Where a generator is thrown away, the context is of whoever does so.
        variables = None if ran.error == "GeneratorExit" else self.variables()
        ran.ended = self.note("ended", ran.number, ran.error, variables)

    def _give(self, ran: Ran) -> Any:
        receiver = self.receivers[self.owners[ran.label]]
        text = f"{ran.label} {ran.number}"
        if receiver.gives == "text":
            return text
        if receiver.gives == "response":
            return self.watch(things.Thing(text))
        return ValueError(text) if receiver.gives == "error" else None

    def watch(self, thing: things.Thing) -> things.Thing:
        self.kept[thing.label] = weakref.ref(thing)
        return thing

    def variables(self) -> tuple[str, ...]:
        return tuple(variable.get("unset") for variable in VARIABLES.values())

    # Actions

    def perform(self, action: Action, scope: Scope) -> None:
        match action:
            case actions.Send():
                self.send(action, scope)
            case actions.HasListeners():
                label, signal = self.pick(self.signals, action.signal)
                _, sender = self.pick(self.senders, action.sender)
                try:
                    answer: Any = signal.has_listeners(sender)
                except TypeError as error:  # By a caching signal.
                    answer = str(error)
                self.note("has listeners", label, answer)
            case actions.Connect():
                receiver = self.receiver(action.receiver)
                _, sender = self.pick(self.senders, action.sender)
                _, signal = self.pick(self.signals, action.signal)
                signal.connect(receiver, sender=sender, weak=action.weak)
            case actions.Disconnect():
                receiver = self.receiver(action.receiver)
                _, sender = self.pick(self.senders, action.sender)
                _, signal = self.pick(self.signals, action.signal)
                self.note("disconnect", signal.disconnect(receiver, sender=sender))
            case actions.Drop():
                self.held.pop(action.receiver % len(self.receivers), None)
                self.note("drop", self.alive())
            case actions.SetVariable():
                VARIABLES[action.name].set(action.value)
            case actions.Log():
                logger.warning("Logged in call %s", scope.call)
            case actions.Query():
                if _may_query():
                    if action.writes:
                        Tag.objects.create(name=f"call {scope.call}")
                    else:
                        Tag.objects.count()
            case actions.Raise():
                self.throw(action, scope)
            case actions.Record():
                with self.recording(scope) as inner:
                    for one in action.actions:
                        self.perform(one, inner)
            case _:
                pass

    async def perform_async(self, action: Action, scope: Scope) -> None:
        match action:
            case actions.Send(method="asend" | "asend_robust"):
                await self.asend(action, scope)
            case actions.Pause():
                await asyncio.sleep(0)
            case actions.InThread():

                def perform() -> None:
                    for one in action.actions:
                        self.perform(one, scope)

                await sync_to_async(perform)()
            case actions.Gather():
                self.busy += len(action.sends)
                await asyncio.gather(
                    *(self.asend(send, scope) for send in action.sends)
                )
                self.busy -= len(action.sends)  # Else some may go on.
            case actions.Leave():
                self.busy += 2
                self.has_cancelled = True  # It is, if the loop ends before it does.
                self.left.append(asyncio.create_task(self._send_late(action, scope)))
            case actions.Record():
                with self.recording(scope) as inner:
                    for one in action.actions:
                        await self.perform_async(one, inner)
            case _:
                self.perform(action, scope)

    async def _send_late(self, action: actions.Leave, scope: Scope) -> None:
        try:
            for _ in range(action.pauses):
                await asyncio.sleep(0)
            await self.asend(replace(action.send, catch=True), scope)
        finally:
            self.busy -= 2

    def throw(self, action: actions.Raise, scope: Scope) -> None:
        message = f"in call {scope.call}"
        if action.kind == "shared":
            error: BaseException = self.shared
        elif action.kind == "talkative":
            error = things.Talkative(message, self.note)
        elif action.kind in ("stop", "exit") and not scope.is_plain:
            return  # It means something else to coroutines and futures.
        else:
            error = things.TYPES[action.kind](message)
        things.throw(error, action.way)

    @contextlib.contextmanager
    def recording(self, scope: Scope) -> Iterator[Scope]:
        if not self.is_traced:
            yield scope
            return
        recording = signal_trace.record()
        outer = scope.windows()
        window = Window(recording, outer[0] if outer else None, None, self.moment)
        try:
            with recording:
                yield replace(scope, window=window)
        finally:
            window.closed = self.moment
            self.closed.append(window)

    # Sends

    def send(self, send: Send, scope: Scope) -> None:
        """Send from sync code, by any method."""
        signal = self.pick(self.signals, send.signal)[1]
        if send.method.startswith("a"):
            if _in_loop() or not self._is_alone(scope):
                return
        elif not _in_loop() and not self._is_alone(scope):
            sender = self.pick(self.senders, send.sender)[1]
            if self._live(signal, sender)[1]:
                return  # It would run them in a loop that others use meanwhile.
        if scope.depth >= DEEPEST:
            return
        sent, arguments = self._begin_send(send, scope)
        method = getattr(signal, send.method)
        if send.method.startswith("a"):
            method = async_to_sync(method)
        try:
            responses = method(self.senders[sent.sender], **arguments)
        except BaseException as error:
            self._end_send(sent, error)
            if not (send.catch and isinstance(error, Exception)):
                raise
        else:
            self._end_send(sent, None)
            self._note_responses(sent, responses)

    async def asend(self, send: Send, scope: Scope) -> None:
        if scope.depth >= DEEPEST or not send.method.startswith("a"):
            return
        signal = self.pick(self.signals, send.signal)[1]
        sent, arguments = self._begin_send(send, scope)
        try:
            responses = await getattr(signal, send.method)(
                self.senders[sent.sender], **arguments
            )
        except BaseException as error:
            self._end_send(sent, error)
            if not (send.catch and isinstance(error, Exception)):
                raise
        else:
            self._end_send(sent, None)
            self._note_responses(sent, responses)

    def _begin_send(self, send: Send, scope: Scope) -> tuple[Sent, dict[str, Any]]:
        signal_label, signal = self.pick(self.signals, send.signal)
        sender_label, sender = self.pick(self.senders, send.sender)
        number = len(self.sent)
        is_refused = bool(
            signal.use_caching and signal.receivers and sender_label in ("none", "text")
        )
        sync, asynchronous = self._live(signal, sender)
        if type(signal) is things.Backwards:
            sync, asynchronous = sync[::-1], asynchronous[::-1]
        arguments: dict[str, Any] = {"sent": number, "number": send.number}
        if send.number % 2:
            arguments["thing"] = self.watch(things.Thing(f"thing {number}"))
        began = self.note("send", number, signal_label, sender_label, send.method)
        is_own = type(signal) is things.Own and send.method == "send_robust"
        sent = Sent(
            number,
            signal_label,
            sender_label,
            send.method,
            scope,
            scope.windows(),
            sync,
            asynchronous,
            is_refused,
            not is_own,
            began,
        )
        self.sent.append(sent)
        self.busy += len(asynchronous)
        return sent, arguments

    def _end_send(self, sent: Sent, error: BaseException | None) -> None:
        have_begun = any(ran.is_async for ran in sent.ran)
        if error is not None and not have_begun and not self._beside(sent):
            self.busy -= len(sent.asynchronous)  # They are never to run.
        if error is not None:
            self.has_cancelled |= isinstance(error, CANCELLATIONS)
            sent.error = type_name(error)
        sent.ended = self.note(
            "sent", sent.number, describe_error(error), self.variables(), self.alive()
        )

    def _note_responses(self, sent: Sent, responses: Any) -> None:
        assert type(responses) is list
        self.note(
            "responses",
            sent.number,
            [(self.label(one), self._show(response)) for one, response in responses],
        )

    def _show(self, response: Any) -> Any:
        if isinstance(response, things.Thing):
            return response.label
        if isinstance(response, BaseException):
            return describe_error(response)
        return response if type(response) in (str, type(None)) else "unknown"

    def _live(self, signal: Any, sender: Any) -> tuple[list[str], list[str]]:
        """The labels of whom a send is to reach, sync and async."""
        keys = (dispatcher.NONE_ID, dispatcher._make_id(sender))
        found: tuple[list[str], list[str]] = [], []
        for (_, key), receiver, *_, is_async in signal.receivers:
            if isinstance(receiver, weakref.ReferenceType):
                receiver = receiver()
            if receiver is not None and key in keys:
                found[is_async].append(self.label(receiver))
        return found

    def _is_alone(self, scope: Scope) -> bool:
        """Whether nothing else goes on, so that a thread may wait for the loop."""
        return self.busy == scope.waiting

    # Steps, from outside of any receiver

    def step(self, do: Callable[[World], None]) -> dict[str, Any]:
        """What is seen of the world while and after it does that."""
        self.events = []
        self.fuel = MOST_RUNS
        self.busy = 0  # Async receivers that are about to run, or run.
        self.left = []
        self.has_cancelled = False
        seen: dict[str, Any] = {"events": self.events}

        def work() -> None:
            try:
                do(self)
            except BaseException as error:
                self._look_for_bug(error)
                seen["error"] = describe_error(error)

        with observing(seen):
            self.context.run(work)
            seen["alive at first"] = self.alive()
            self.left = []
            _forget_loops()
            gc.collect()  # Of what is in it some complains.
        return seen | {
            "variables": self.context.run(self.variables),
            "alive": self.alive_at_last(),
            "receivers": {
                label: self._show_signal(signal)
                for label, signal in self.signals.items()
            },
        }

    def _show_signal(self, signal: Any) -> Any:
        senders = {
            dispatcher._make_id(one): label for label, one in self.senders.items()
        }

        def show(receiver: Any, is_async: bool) -> Any:
            is_weak = isinstance(receiver, weakref.ReferenceType)
            found = receiver() if is_weak else receiver
            return (found and self.label(found), is_weak, is_async)

        return (
            [
                (senders[key], *show(receiver, is_async))
                for (_, key), receiver, *_, is_async in signal.receivers
            ],
            signal._dead_receivers,
            {
                senders[dispatcher._make_id(sender)]: [
                    show(entry[0], entry[-1]) for entry in cached
                ]
                if cached is not dispatcher.NO_RECEIVERS
                else "none"
                for sender, cached in list(signal.sender_receivers_cache.items())
            },
        )

    def _look_for_bug(self, error: BaseException) -> None:
        """Keep an exception that is a mistake of these modules, which would go unseen
        where both worlds make it."""
        if frames(error)[-1][0] in OWN_FILES and not isinstance(error, MEANT):
            self.bugs.append("".join(traceback.format_exception(error)))

    def check_closed(self) -> None:
        """Compare the traces of what has closed with what happened."""
        closed, self.closed = self.closed, []
        for window in closed:
            verdict.check(self, window)

    def scope(self) -> Scope:
        return Scope(window=self.position, is_plain=True)

    def start(self, sends: Sends) -> None:
        if sends.driver == "none":
            if sends.recorded == "no":
                self._send_all(sends, self.scope())
                return
            with self.recording(self.scope()) as scope:
                self._send_all(sends, scope)
        elif sends.recorded == "around":
            with self.recording(self.scope()) as scope:
                self._drive(sends, scope)
        else:
            self._drive(sends, self.scope())

    def _send_all(self, sends: Sends, scope: Scope) -> None:
        for send in sends.sends:
            self.send(send, scope)

    def _drive(self, sends: Sends, scope: Scope) -> None:
        scope = replace(scope, is_plain=False)

        async def main() -> None:
            if sends.recorded == "inside":
                with self.recording(scope) as inner:
                    await self._send_all_async(sends, inner)
            else:
                await self._send_all_async(sends, scope)

        if sends.driver == "run":
            asyncio.run(main())
        else:
            async_to_sync(main)()

    async def _send_all_async(self, sends: Sends, scope: Scope) -> None:
        try:
            if sends.at_once:
                self.busy += len(sends.sends)
                await asyncio.gather(*(self.asend(send, scope) for send in sends.sends))
            else:
                for send in sends.sends:
                    await self.perform_async(send, scope)
        finally:
            for task in self.left:
                with contextlib.suppress(BaseException):
                    await task

    def open_recording(self) -> None:
        if self.is_traced:
            recording = signal_trace.record()
            outer = self.scope().windows()
            recording.__enter__()
            window = Window(
                recording, outer[0] if outer else None, self.position, self.moment
            )
            self.position = window
            self.open.append(window)

    def close_recording(self, number: int) -> None:
        if self.open:
            window = self.open.pop(number % len(self.open))
            window.recording.__exit__(None, None, None)
            window.closed = self.moment
            self.closed.append(window)
            if self.position is window:
                self.position = window.previous

    def abandon_recording(self) -> None:
        """Let go of the newest without closing it."""
        if self.open:
            window = self.open.pop()
            window.closed = self.moment
            del window.recording


def _forget_loops() -> None:
    """Let asgiref forget the event loops of this step, which it would remember until
    the other world's."""
    SyncToAsync.threadlocal.__dict__.clear()
    executor = SyncToAsync.single_thread_executor
    executor.submit(lambda: SyncToAsync.threadlocal.__dict__.clear()).result()


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _may_query() -> bool:
    return not _in_loop() and threading.current_thread() is threading.main_thread()
