"""The benchmarks run, and calculate rightly. What they measure is nobody's test."""

from __future__ import annotations

from pathlib import Path

import pyperf
import pytest

from signal_trace import exports
from tests.benchmarks import loaded, plan, promised, report, run
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.figures import Figure, low, slope, summarize
from tests.benchmarks.measures import Measure, Result, evaluate, measures
from tests.benchmarks.page import COMMANDS, EXPORTS, LOAD, PANEL, TRACING, put_in
from tests.benchmarks.rounds import ROOT, Cells, checkout


def test_low_is_the_lower_quartile() -> None:
    assert low([5, 1, 2, 4, 3]) == 2
    assert low([7]) == 7


def test_the_middle_half_is_summarized() -> None:
    assert summarize([100, 1, 2, 4, 3, 5, 6, -90]) == Figure(3.5, 2, 5)
    assert summarize([7]) == Figure(7, 7, 7)


def test_the_slope_is_what_one_receiver_takes() -> None:
    assert slope(at_5=20, at_20=50) == 2


def cells(**times: tuple[float, float]) -> Cells:
    """Of contenders that take so much for any send, and so much for each receiver."""
    return {
        (name, f"send-{receivers}"): once + receivers * each
        for name, (once, each) in times.items()
        for receivers in (0, 1, 5, 20)
    }


def value_of(label: str, results: list[Result]) -> float:
    (value,) = [one.figure.value for one in results if label in one.measure.label]
    return value


def test_figures_are_what_is_added_to_bare_django() -> None:
    observed = cells(
        bare=(1000, 400), loop=(1000, 500), idle=(1300, 400), recording=(3500, 650)
    )
    results = evaluate({"sends": [observed, observed]})
    assert value_of("hand-written loop", results) == pytest.approx(2.5)
    assert value_of("added once", results) == pytest.approx(2.5)
    assert value_of("installed", results) == pytest.approx(0.3)
    assert value_of("without receivers", results) == pytest.approx(3.5)
    assert not any("Sentry" in one.measure.label for one in results)


def test_what_is_compared_was_measured_at_one_time() -> None:
    pages = [
        {("bare", "page-autocommit"): 100, ("recording", "page-autocommit"): 110},
        {("bare", "page-autocommit"): 300, ("recording", "page-autocommit"): 330},
        {("recording", "page-autocommit"): 900},
    ]
    result, *_ = evaluate({"pages": pages})
    assert result.figure == Figure(*[pytest.approx(1.1)] * 3)
    assert not result.is_met


def test_to_be_off_once_is_not_enough() -> None:
    off = [{("off", "is-djangos"): value} for value in (1, 1, 1, 0, 1, 1)]
    (result,) = evaluate({"sends": off})
    assert not result.is_met


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (2.517, "x", "2.52x"),
        (1 / 23, "1/x", "1/23"),
        (0.0384, "µs", "0.038 µs"),
        (12.34, "µs", "12.3 µs"),
        (1234.5, "bytes", "1,234 bytes"),
        (1, "yes", "yes"),
        (0, "yes", "no"),
    ],
)
def test_amounts_read_well(value: float, unit: str, expected: str) -> None:
    assert report.amount(value, unit) == expected


def test_the_promises_are_a_table() -> None:
    within = Measure("within", lambda cells: 0, at_most=1.2, unit="x", at_least=0.8)
    below = Measure("`below`", lambda cells: 0, at_most=3, unit="µs")
    table = report.promises(
        [Result(within, Figure(1, 1, 1)), Result(below, Figure(4, 3.9, 4.1))]
    )
    assert report.as_markdown(table).splitlines() == [
        "| measure | measured | at most | met |",
        "| --- | --- | --- | --- |",
        "| within | 1.00x | 0.80 to 1.20x | yes |",
        "| `below` | 4.00 µs (3.90 to 4.10) | 3.00 µs | **no** |",
    ]
    assert report.as_text(table).splitlines() == [
        "measure  measured                at most        met",
        "-------  ----------------------  -------------  ---",
        "within   1.00x                   0.80 to 1.20x  yes",
        "below    4.00 µs (3.90 to 4.10)  3.00 µs        no",
    ]


def test_times_are_compared_with_bare_djangos() -> None:
    observed = [cells(bare=(1000, 500), recording=(3000, 1000))]
    head, _, one, *_ = report.times(observed, plan.SENDS, "µs", 1000)
    assert head == ["", "bare Django", "recording"]
    assert one == ["1 receiver (µs)", "1.50", "4.00 (2.67x)"]


def test_names_choose_contenders_and_workloads() -> None:
    def chosen(*names: str) -> list[tuple[tuple[str, ...], list[str]]]:
        return [
            (phase.contenders, [one.name for one in phase.workloads])
            for phase in plan.only(plan.PHASES, set(names))
        ]

    assert chosen("bare", "send-5", "send-1") == [(("bare",), ["send-1", "send-5"])]
    (memory,) = chosen("memory")
    assert memory == (("least", "recording"), ["memory-1", "memory-5"])
    assert len(chosen("recording")) == len(plan.PHASES)


def test_a_transaction_of_sentrys_is_never_full() -> None:
    for workload in plan.SENDS.workloads:
        times = workload.times_for(CONTENDERS["sentry"])
        assert (times + 1) * workload.calls < 1000


def test_another_checkout_can_be_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert checkout() == ROOT
    (tmp_path / "signal_trace").mkdir()
    assert checkout() == tmp_path.resolve()


def test_only_what_stands_between_the_markers_is_rewritten() -> None:
    begin, end = "<!-- make bench: begin -->", "<!-- make bench: end -->"
    page = f"before\n{begin}\nold\n{end}\nafter\n"
    expected = f"before\n{begin}\n\nnew\n\n{end}\nafter\n"
    assert put_in(page, TRACING, "new\n") == expected
    with pytest.raises(ValueError, match="lacks"):
        put_in("a page", TRACING, "new")
    for part in (TRACING, PANEL, EXPORTS, LOAD, COMMANDS):
        assert put_in(run.PAGE.read_text(), part, "new")


def test_of_the_panel_the_lower_quartile_counts() -> None:
    made, opened = promised.results(
        promised.PANEL, {"opened": [500, 310, 290], "made-5": [60]}
    )
    assert made.measure.label == promised.PANEL.promises["made-5"][0]
    assert not made.is_met
    assert opened.figure == Figure(290, 290, 310)
    assert opened.is_met


def served(per_second: float, *ms: float) -> dict[str, object]:
    return {"per_second": per_second, "ms": ms, "processor_ms": 20}


def test_servers_are_compared_round_by_round() -> None:
    first = {
        "without": [served(50, *[80] * 98, 100, 120)],
        "tail": [served(49, *[80] * 98, 104, 120)],
        "log": [served(45, 80)],
        "file": [served(40, 80)],
    }
    second = {
        "without": [served(20, 80)],
        "tail": [served(19.6, 80)],
        "log": [served(18, 80)],
        "file": [served(16, 200)],
    }
    observed = {"sync": [first, second]}
    found = {
        one.measure.label.removeprefix("gunicorn, sync, 4 workers, "): one
        for one in loaded.results(observed)
    }
    shown = [
        [label, report.with_spread(one.figure, one.measure.unit), one.is_met]
        for label, one in found.items()
        if "throughput" in label
    ]
    assert shown == [
        ["tail rules and 1% sampled: throughput", "0.98x", True],
        ["everything kept, in the log: throughput", "0.90x", True],
        ["everything kept, in the file: throughput", "0.80x", False],
    ]
    tail = found["tail rules and 1% sampled: added to the p99"]
    assert (tail.figure.value, tail.figure.high) == (4, 4)
    assert tail.is_met
    file = found["everything kept, in the file: added to the p99"]
    assert file.figure.value == 100
    assert not file.is_met
    log = found["everything kept, in the log: added to the p99"]
    assert log.figure.value == -20
    assert log.is_met
    goals = [row[2] for row in report.promises(list(found.values()))[1:3]]
    assert goals == ["at least 0.97x", "10.0 ms"]
    assert loaded.times(observed)[3] == [
        "gunicorn, sync, 4 workers: p99 (ms)",
        *("100", "104", "80.0", "200"),
    ]


def test_every_format_is_measured() -> None:
    assert set(promised.FORMATS) == set(exports.FORMATS)


@pytest.mark.slow
def test_everything_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = run.PAGE.read_text()
    run.main(["--tiny", "--output", str(tmp_path / "bench.json")])
    printed = capsys.readouterr().out
    for measure in measures():
        assert measure.label.replace("`", "") in printed
    assert "uvicorn, everything kept, in the log: throughput" in printed
    assert "uvicorn: processor time a request (ms)" in printed
    for part in (promised.PANEL, promised.EXPORTS, promised.COMMANDS):
        for label, _, _ in part.promises.values():
            if "Chromium" not in label:
                assert label.replace("`", "") in printed
    saved = pyperf.BenchmarkSuite.load(str(tmp_path / "bench.json"))
    assert set(saved.get_benchmark_names()) >= {
        f"{workload.name} {contender}"
        for phase in plan.PHASES
        if phase is not plan.MEMORY
        for workload in phase.workloads
        for contender in phase.contenders
    }
    assert run.PAGE.read_text() == before
