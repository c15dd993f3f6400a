"""The tables, for the terminal and for the documentation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.figures import Figure, summarize
from tests.benchmarks.measures import Result
from tests.benchmarks.plan import AUTOCOMMIT, SENDS, TRANSACTION, Phase
from tests.benchmarks.rounds import Cells

Table = list[list[str]]


def number(value: float) -> str:
    """Three digits that count, as people write numbers."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def amount(value: float, unit: str) -> str:
    if unit == "yes":
        return "yes" if value == 1 else "no"
    if unit == "1/x":
        return f"1/{1 / value:.0f}"
    return f"{number(value)}x" if unit == "x" else f"{number(value)} {unit}"


def with_spread(figure: Figure, unit: str) -> str:
    value, low, high = (
        amount(one, unit) for one in (figure.value, figure.low, figure.high)
    )
    return value if low == high else f"{value} ({low.split()[0]} to {high.split()[0]})"


def limit(result: Result) -> str:
    measure = result.measure
    if measure.unit == "yes":
        return "yes"
    if measure.at_most == math.inf:
        return f"at least {amount(measure.at_least, measure.unit)}"
    if measure.at_least > 0:
        return f"{number(measure.at_least)} to {amount(measure.at_most, measure.unit)}"
    return amount(measure.at_most, measure.unit)


def promises(results: Sequence[Result]) -> Table:
    return [
        ["measure", "measured", "at most", "met"],
        *(
            [
                one.measure.label,
                with_spread(one.figure, one.measure.unit),
                limit(one),
                "yes" if one.is_met else "**no**",
            ]
            for one in results
        ),
    ]


def times(
    observed: Sequence[Cells], phase: Phase, unit: str, nanoseconds: float
) -> Table:
    """What each contender takes for each workload, and how often bare Django's time
    that is."""
    measured = {cell for cells in observed for cell in cells}
    contenders = [
        one
        for one in CONTENDERS.values()
        if any(one.name == name for name, _ in measured)
    ]
    rows = [["", *(one.label for one in contenders)]]
    for workload in phase.workloads:
        row = [f"{workload.label} ({unit})"]
        for contender in contenders:
            here, bare = (contender.name, workload.name), ("bare", workload.name)
            if here not in measured:
                row.append("")
                continue
            value = summarize([cells[here] for cells in observed if here in cells])
            text = number(value.value / nanoseconds)
            if bare in measured and contender.name != "bare":
                ratios = [
                    cells[here] / cells[bare] for cells in observed if here in cells
                ]
                text += f" ({amount(summarize(ratios).value, 'x')})"
            row.append(text)
        if any(row[1:]):
            rows.append(row)
    return rows


def tables(
    observed: Mapping[str, list[Cells]], results: Sequence[Result]
) -> list[Table]:
    found = [promises(results)] if results else []
    for phase, unit, nanoseconds in (
        (SENDS, "µs", 1e3),
        (TRANSACTION, "ms", 1e6),
        (AUTOCOMMIT, "ms", 1e6),
    ):
        if observed.get(phase.name):
            table = times(observed[phase.name], phase, unit, nanoseconds)
            if found and found[-1][0] == table[0]:  # Of the same contenders.
                found[-1] += table[1:]
            else:
                found.append(table)
    return [table for table in found if len(table) > 1]


def as_markdown(table: Table) -> str:
    head, *rows = (f"| {' | '.join(row)} |" for row in table)
    rule = "|" + " --- |" * len(table[0])
    return "\n".join([head, rule, *rows])


def as_text(table: Table) -> str:
    plain = [[cell.replace("`", "").replace("*", "") for cell in row] for row in table]
    widths = [max(map(len, column)) for column in zip(*plain, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in plain
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)
