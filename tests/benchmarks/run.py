"""Measure what tracing costs, and print it.

A full run writes its tables into docs/performance.md. Measures the signal_trace of
this checkout, or of one that PYTHONPATH names.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.benchmarks import loaded, machine, page, plan, promised, report, rounds
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.measures import evaluate

PARTS = {
    "panel": (promised.PANEL, page.PANEL),
    "exports": (promised.EXPORTS, page.EXPORTS),
    "commands": (promised.COMMANDS, page.COMMANDS),
}
LOAD = "load"
PAGE = rounds.ROOT / "docs/performance.md"


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    phases = plan.PHASES
    parts = {*PARTS, LOAD}
    if options.only:
        names = set(options.only.split(","))
        parts &= names
        phases = plan.only(phases, names - parts) if names - parts else ()
    if options.quick:
        phases = plan.quick(phases)
    if options.tiny:
        phases = plan.tiny(phases)
    checkout = rounds.checkout()
    is_whole = not (options.only or options.quick or options.tiny)
    started = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - started:4.0f} s  {text}", file=sys.stderr)

    samples: dict[str, list[rounds.Samples]] = {}
    observed: dict[str, list[rounds.Cells]] = {}
    for phase in phases:
        for generation, cells in rounds.measure(phase, checkout, tell):
            samples.setdefault(phase.name, []).append(generation)
            observed.setdefault(phase.name, []).extend(cells)

    results = evaluate(observed)
    tables = report.tables(observed, results)
    about = machine.describe()
    print(about)
    print(f"signal_trace of {checkout}")
    for table in tables:
        print(f"\n{report.as_text(table)}")
    if options.output:
        machine.save(samples, options.output)
    of_parts = {}
    for name, (part, _) in PARTS.items():
        if name in parts:
            tell(name)
            numbers = much_to_do(name, options)
            of_parts[name] = report.promises(promised.measure(part, checkout, *numbers))
            print(f"\n{report.as_text(of_parts[name])}")
    under_load = []
    if LOAD in parts:
        tell(LOAD)
        under_load = measure_load(checkout, options.quick, options.tiny)
        for table in under_load:
            print(f"\n{report.as_text(table)}")
    if is_whole and checkout == rounds.ROOT:
        page.rewrite(
            PAGE, page.TRACING, "\n\n".join([about, *map(report.as_markdown, tables)])
        )
        for name, (_, place) in PARTS.items():
            page.rewrite(PAGE, place, report.as_markdown(of_parts[name]))
        page.rewrite(PAGE, page.LOAD, "\n\n".join(map(report.as_markdown, under_load)))
        print(f"\nWritten to {PAGE.relative_to(rounds.ROOT)}.")
    return 0


def much_to_do(part: str, options: argparse.Namespace) -> tuple[int, ...]:
    """How many calls a trace has, for exports also how many the largest one has, for
    commands how many megabytes a file has; and how often each is measured."""
    times = 1 if options.tiny else 5 if options.quick else 15
    if part == "commands":
        return (1, 1) if options.tiny else (100, 3) if options.quick else (1_000, 3)
    if part == "panel":
        return (100 if options.tiny else 10_000, times)
    if options.tiny:
        return (100, 1_000, times)
    return (10_000, 100_000 if options.quick else 1_000_000, times)


def measure_load(checkout: Path, quick: bool, tiny: bool) -> list[report.Table]:
    servers, generations, many, requests = [*loaded.SERVERS], 2 if quick else 8, 5, 24
    if tiny:  # What takes longest is to start them.
        servers, generations, many, requests = servers[-1:], 1, 1, 2
    observed = loaded.measure(checkout, generations, many, requests, servers)
    return [report.promises(loaded.results(observed)), loaded.times(observed)]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    names = [*CONTENDERS, *(one.name for one in plan.PHASES)]
    names += [one.name for one in plan.WORKLOADS]
    names += [*PARTS, LOAD]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only",
        metavar="NAME,...",
        help="measure only these contenders, workloads or groups of workloads, and"
        f" write nothing: {', '.join(names)}",
    )
    parser.add_argument(
        "--quick", action="store_true", help="measure roughly, and write nothing"
    )
    parser.add_argument(
        "--tiny", action="store_true", help="only see that everything runs"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="save all times for pyperf to read"
    )
    options = parser.parse_args(arguments)
    if unknown := set(filter(None, (options.only or "").split(","))) - set(names):
        parser.error(
            f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(names)}"
        )
    return options


if __name__ == "__main__":
    sys.exit(main())
