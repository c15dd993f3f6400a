"""What is measured, how often, and by whom."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.benchmarks.contenders import CONTENDERS, RECORDINGS, Contender

PAGE_ROWS = 500


@dataclass(frozen=True)
class Workload:
    """``times`` is how often a sample does it, ``calls`` the receivers that it calls
    each time. A page does it so often, and is taken as a whole."""

    name: str
    label: str
    times: int
    calls: int = 0

    def times_for(self, contender: Contender) -> int:
        if contender.most_calls is None or not self.calls:
            return self.times
        return min(self.times, contender.most_calls // self.calls)


@dataclass(frozen=True)
class Phase:
    """Workloads that are measured in the same way.

    In each generation every contender has a new process: where a process's memory
    happens to lie, and how its strings hash, makes it faster or slower by some per
    cent for as long as it lives. In each round every contender does every workload.

    Of a generation's samples the low ones are taken (see `figures.low`) where
    ``steady``, for what waits for nothing but the processor. Otherwise each round
    is compared for itself.

    No round begins after so many ``seconds``, on a machine that is slow or busy.
    """

    name: str
    workloads: tuple[Workload, ...]
    contenders: tuple[str, ...]
    generations: int
    rounds: int
    seconds: int
    steady: bool = True


SENDS = Phase(
    "sends",
    (
        Workload("send-0", "0 receivers", 8000),
        Workload("send-others", "0 receivers, other senders have 1", 2000),
        Workload("send-1", "1 receiver", 1000, 1),
        Workload("send-far", "1 receiver, sent ten frames from its cause", 1000, 1),
        Workload("send-5", "5 receivers", 500, 5),
        Workload("send-20", "20 receivers", 200, 20),
        Workload("nested", "1 receiver, which sends to 1", 500, 2),
        Workload("model", "`post_save`, 1 receiver", 1000, 1),
        Workload("model-others", "`pre_save`, another model has 1", 4000),
    ),
    tuple(name for name in CONTENDERS if name != "asked"),
    generations=20,
    rounds=8,
    seconds=120,
)
CLOSING = Phase(
    "closing",
    (
        Workload("close-1000", "1,000 sends", 1_000),
        Workload("close-100000", "100,000 sends", 100_000),
    ),
    tuple(one.name for one in RECORDINGS),
    generations=4,
    rounds=2,
    seconds=40,
)
MEMORY = Phase(
    "memory",
    (
        Workload("memory-1", "1 receiver a send", 5_000),
        Workload("memory-5", "5 receivers a send", 2_000),
    ),
    tuple(one.name for one in RECORDINGS),
    generations=2,
    rounds=1,
    seconds=10,
)
WITH_PAGES = ("bare", *(one.name for one in RECORDINGS), "asked", "sentry")
TRANSACTION = Phase(
    "transaction",
    (Workload("page-transaction", f"{PAGE_ROWS} saves in one transaction", PAGE_ROWS),),
    WITH_PAGES,
    generations=6,
    rounds=12,
    seconds=30,
    steady=False,
)
AUTOCOMMIT = Phase(
    "autocommit",
    (Workload("page-autocommit", f"{PAGE_ROWS} autocommit saves", PAGE_ROWS),),
    WITH_PAGES,
    generations=4,
    rounds=12,
    seconds=60,
    steady=False,
)
PHASES = (SENDS, TRANSACTION, AUTOCOMMIT, CLOSING, MEMORY)
WORKLOADS = [workload for phase in PHASES for workload in phase.workloads]


def only(phases: tuple[Phase, ...], names: set[str]) -> tuple[Phase, ...]:
    """What is left of *phases* where names of contenders, of workloads and of phases
    are given. Names of a kind that isn't given leave out nothing of that kind."""
    contenders = names & set(CONTENDERS)
    wanted = names - contenders
    left = []
    for phase in phases:
        named = phase.name in wanted or not wanted
        workloads = [one for one in phase.workloads if named or one.name in wanted]
        runners = [
            one for one in phase.contenders if one in contenders or not contenders
        ]
        if workloads and runners:
            left.append(
                replace(phase, workloads=tuple(workloads), contenders=tuple(runners))
            )
    return tuple(left)


def quick(phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """The same, rough and fast."""
    return tuple(
        replace(
            phase,
            generations=max(1, phase.generations // 4),
            rounds=max(1, phase.rounds // 2),
        )
        for phase in phases
    )


def tiny(phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """The same, as little of it as there can be: to see that it runs."""
    return tuple(
        replace(
            phase,
            workloads=tuple(
                replace(one, times=min(one.times, 10)) for one in phase.workloads
            ),
            generations=1,
            rounds=1,
        )
        for phase in phases
    )
