"""What was measured on, and the samples in pyperf's own form."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pyperf

from tests.benchmarks.rounds import Samples

PACKAGES = {
    "Django": "django",
    "sentry-sdk": "sentry-sdk",
    "opentelemetry-sdk": "opentelemetry-sdk",
}


def describe() -> str:
    """One sentence about the machine and what runs on it."""
    known = pyperf.Run([1.0]).get_metadata()
    processor = known.get("cpu_model_name", platform.processor() or "unknown processor")
    cores = known.get("cpu_count", "?")
    packages = ", ".join(f"{name} {there(of)}" for name, of in PACKAGES.items())
    today = datetime.datetime.now(datetime.UTC).date()
    return (
        f"Measured on {today:%Y-%m-%d}: {processor}, {cores} cores,"
        f" {platform.system()} {platform.release()},"
        f" {platform.python_implementation()} {platform.python_version()},"
        f" {packages}."
    )


def there(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"


def save(phases: Mapping[str, Sequence[Samples]], path: Path) -> None:
    """Write all samples that are times as a suite, for pyperf to read.

    Each generation is one of pyperf's runs, since it is one process.
    """
    runs: dict[str, list[pyperf.Run]] = {}
    for phase, generations in phases.items():
        if phase == "memory":
            continue
        for samples in generations:
            for (contender, workload), values in samples.items():
                name = f"{workload} {contender}"
                seconds = [value / 1e9 for value in values]
                run = pyperf.Run(
                    seconds, metadata={"name": name}, collect_metadata=False
                )
                runs.setdefault(name, []).append(run)
    suite = pyperf.BenchmarkSuite([pyperf.Benchmark(one) for one in runs.values()])
    suite.dump(str(path), replace=True)
