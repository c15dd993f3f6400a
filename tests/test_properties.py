"""Any program of signals runs the same with and without a recording, and the trace
tells what it did."""

from __future__ import annotations

import gc
import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, reject, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from signal_trace import recording
from tests.programs import actions
from tests.programs.observed import difference
from tests.programs.turns import TurnLoop
from tests.programs.worlds import World

# What is more frequent makes them meet: most are of the plain signal and one sender, of
# whom most receivers hear, and most go on after a failure.
numbers = st.integers(0, 11)
signals = st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6])
senders = st.sampled_from([1, 1, 1, 1, 1, 1, 0, 2, 3, 4, 5])
connected_senders = st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3, 4, 5])


def sends(methods: tuple[str, ...] = actions.METHODS) -> st.SearchStrategy[Any]:
    return st.builds(
        actions.Send,
        signal=signals,
        sender=senders,
        method=st.sampled_from(methods),
        number=st.integers(0, 3),
        catch=st.sampled_from([True, True, True, False]),
    )


async_sends = sends(("asend", "asend_robust"))
connects = st.builds(
    actions.Connect, numbers, signals, connected_senders, st.booleans()
)
raises = st.builds(
    actions.Raise, st.sampled_from(actions.ERRORS), st.sampled_from(actions.WAYS)
)
simple = st.one_of(
    connects,
    st.builds(actions.Disconnect, numbers, signals, connected_senders),
    st.builds(actions.Drop, numbers),
    st.builds(actions.SetVariable, st.sampled_from(["color", "shade"]), st.text("ab")),
    st.builds(actions.Log),
    st.builds(actions.Query, st.booleans()),
    st.builds(actions.HasListeners, signals, senders),
)
sync_actions = st.one_of(sends(), sends(), simple, raises)


def several(one: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[Any]:
    return st.lists(one, min_size=1, max_size=most).map(tuple)


any_actions = st.one_of(
    sync_actions,
    async_sends,
    async_sends,
    st.builds(actions.Pause),
    st.builds(actions.Pause),
    st.builds(actions.Pause),
    st.builds(actions.InThread, several(sync_actions, 2)),
    st.builds(actions.Gather, several(async_sends, 3)),
    st.builds(actions.Leave, async_sends, st.integers(0, 3)),
)
sync_actions |= st.builds(actions.Record, several(sync_actions, 2))
any_actions |= st.builds(actions.Record, several(any_actions, 2))


def receivers_of(kinds: tuple[str, ...], does: Any) -> st.SearchStrategy[Any]:
    script = st.lists(does, max_size=4).map(tuple)
    return st.builds(
        actions.Receiver, st.sampled_from(kinds), st.sampled_from(actions.GIVES), script
    )


receivers = st.one_of(
    receivers_of(actions.SYNC_KINDS, sync_actions),
    receivers_of(actions.ASYNC_KINDS, any_actions),
)


class TwoWorlds(RuleBasedStateMachine):
    plain: World
    traced: World

    @initialize(
        receivers=st.lists(receivers, min_size=3, max_size=8),
        connected=st.lists(connects, min_size=3, max_size=12),
    )
    def begin(
        self, receivers: list[actions.Receiver], connected: list[actions.Connect]
    ) -> None:
        self.plain = World(False, receivers)
        self.traced = World(True, receivers)
        for connect in connected:
            self.do(connect)

    def both(self, step: Callable[[World], None]) -> None:
        self.has_failed = True
        plain, traced = (world.step(step) for world in (self.plain, self.traced))
        if TurnLoop.has_stuck:
            TurnLoop.has_stuck = False
            reject()
        for key, value in plain.items():
            assert traced[key] == value, difference(value, traced[key], key)
        assert not self.plain.bugs, "\n".join(self.plain.bugs)
        self.traced.check_closed()
        self.has_failed = False

    @rule(action=simple)
    def do(self, action: actions.Action) -> None:
        self.both(lambda world: world.perform(action, world.scope()))

    @rule(
        sends=st.builds(
            actions.Sends,
            several(sends(), 3),
            st.sampled_from(actions.DRIVERS),
            st.sampled_from(actions.RECORDED),
            st.booleans(),
        )
    )
    def send(self, sends: actions.Sends) -> None:
        self.both(lambda world: world.start(sends))

    @rule()
    def open_recording(self) -> None:
        self.both(lambda world: world.open_recording())

    @rule(number=st.sampled_from([-1, -1, -1, 0]))
    def close_recording(self, number: int) -> None:
        self.both(lambda world: world.close_recording(number))

    @rule()
    def abandon_recording(self) -> None:
        self.both(lambda world: world.abandon_recording())

    def teardown(self) -> None:
        while hasattr(self, "traced") and self.traced.open:
            if self.has_failed:
                self.traced.close_recording(-1)
            else:
                self.close_recording(-1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of coroutines that nobody awaited.
            self.__dict__.clear()
            gc.collect()
        gc.freeze()


@pytest.fixture
def quiet_garbage() -> Iterator[None]:
    """Objects die when nobody holds them, or when it is asked for, in no other moment;
    and what was there before costs nothing."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()
    gc.collect()


@pytest.mark.django_db
@pytest.mark.usefixtures("quiet_garbage")
def test_any_program_runs_the_same_and_the_trace_tells_what_it_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # No two moments are the same.
    monkeypatch.setattr(recording, "clock", itertools.count().__next__)
    run_state_machine_as_test(
        TwoWorlds,
        settings=settings(
            max_examples=200,
            stateful_step_count=8,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
