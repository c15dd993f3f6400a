"""What is promised: each measure, how it is worked out, and the most it may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.benchmarks.contenders import RECORDINGS, Contender
from tests.benchmarks.figures import Figure, slope, summarize
from tests.benchmarks.plan import PAGE_ROWS
from tests.benchmarks.rounds import Cells


@dataclass(frozen=True)
class Measure:
    """``figure`` makes a number of what was measured at one time; it raises KeyError
    where something of it wasn't."""

    label: str
    figure: Callable[[Cells], float]
    at_most: float
    unit: str  # "x", "1/x", "µs", "bytes" or "yes"
    at_least: float = 0

    def is_met_by(self, value: float) -> bool:
        # Judged as it is shown: the third decimal is noise.
        shown = round(value, 2) if self.unit == "x" else value
        return self.at_least <= shown <= self.at_most


@dataclass(frozen=True)
class Result:
    measure: Measure
    figure: Figure

    @property
    def is_met(self) -> bool:
        return self.measure.is_met_by(self.figure.value)


def added(cells: Cells, contender: str, workload: str) -> float:
    """Nanoseconds that a contender adds to bare Django's."""
    return cells[contender, workload] - cells["bare", workload]


def added_per_call(cells: Cells, contender: str) -> float:
    at_5, at_20 = (added(cells, contender, f"send-{n}") for n in (5, 20))
    return slope(at_5, at_20)


def fixed(cells: Cells, contender: str, workload: str = "send-1") -> float:
    """What is added to a send whatever the number of its receivers, in µs."""
    at_1 = added(cells, contender, workload)
    return (at_1 - added_per_call(cells, contender)) / 1000


def ratio(contender: str, workload: str) -> Callable[[Cells], float]:
    return lambda cells: cells[contender, workload] / cells["bare", workload]


def by_processor(contender: str, page: str) -> Callable[[Cells], float]:
    """How much slower a page gets by what the processor works longer: without what
    the disk does to a single page."""
    return lambda cells: (
        1 + added(cells, contender, f"{page}-cpu") / cells["bare", page]
    )


def per_call(contender: str, other: str) -> Callable[[Cells], float]:
    return lambda cells: added_per_call(cells, contender) / added_per_call(cells, other)


def measures() -> Iterator[Measure]:
    yield Measure(
        "off: `Signal` has Django's own functions",
        lambda cells: cells["off", "is-djangos"],
        at_least=1,
        at_most=1,
        unit="yes",
    )
    yield Measure(
        "installed, but this context not recording: added to a send",
        lambda cells: added(cells, "idle", "send-1") / 1000,
        0.5,
        "µs",
    )
    yield Measure(
        "the same, added to a `post_save` with all its arguments",
        lambda cells: added(cells, "idle", "model") / 1000,
        0.5,
        "µs",
    )
    for one in RECORDINGS:
        yield from measures_of(one, f"{one.name}: " if len(RECORDINGS) > 1 else "")


def measures_of(one: Contender, prefix: str) -> Iterator[Measure]:
    name = one.name
    assert one.most_per_call is not None
    yield Measure(
        f"{prefix}added per receiver call, against what the hand-written loop adds",
        per_call(name, "loop"),
        one.most_per_call,
        "x",
    )
    for other, label in (("sentry", "Sentry"), ("otel", "OpenTelemetry")):
        yield Measure(
            f"{prefix}added per receiver call, against what {label} adds",
            per_call(name, other),
            1 / 25,
            "1/x",
        )
    yield Measure(
        f"{prefix}added once to a send that is received",
        lambda cells: fixed(cells, name),
        3,
        "µs",
    )
    yield Measure(
        f"{prefix}the same, ten frames from the line that caused it",
        lambda cells: fixed(cells, name, "send-far"),
        4,
        "µs",
    )
    for workload, label in (
        ("send-0", "of a signal without receivers"),
        ("send-others", "of a signal with receivers for other senders"),
        ("model-others", "of a model signal with receivers for other models"),
    ):
        yield Measure(
            f"{prefix}a send that nobody receives, {label}, against bare Django",
            ratio(name, workload),
            2.5,
            "x",
        )
    yield Measure(
        f"{prefix}a page with {PAGE_ROWS} saves in one transaction",
        ratio(name, "page-transaction"),
        1.25,
        "x",
    )
    yield Measure(
        f"{prefix}the same, by the processor's time",
        ratio(name, "page-transaction-cpu"),
        1.25,
        "x",
    )
    yield Measure(
        f"{prefix}a page with {PAGE_ROWS} autocommit saves to an SQLite file",
        ratio(name, "page-autocommit"),
        1.03,
        "x",
    )
    yield Measure(
        f"{prefix}the same, by the processor time that is added",
        by_processor(name, "page-autocommit"),
        1.03,
        "x",
    )
    for receivers, most in ((5, 300), (1, 600)):
        yield Measure(
            f"{prefix}memory of an open recording per call, with {receivers} to a send",
            lambda cells, receivers=receivers: cells[name, f"memory-{receivers}"],
            most,
            "bytes",
        )
    yield Measure(
        f"{prefix}closing and reading 100,000 sends, per send, against 1,000",
        lambda cells: cells[name, "close-100000"] / cells[name, "close-1000"],
        at_least=0.8,
        at_most=1.2,
        unit="x",
    )


def evaluate(observed: Mapping[str, list[Cells]]) -> list[Result]:
    """The results of those measures of which enough was measured."""
    results = []
    for measure in measures():
        values = []
        for cells in (one for phase in observed.values() for one in phase):
            try:
                values.append(measure.figure(cells))
            except KeyError:
                continue
        if values:
            # What must hold isn't to hold by and large.
            summary = summarize([min(values)] if measure.unit == "yes" else values)
            results.append(Result(measure, summary))
    return results
