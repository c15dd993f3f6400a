"""What becomes of tests whose tools aren't installed."""

from __future__ import annotations

import importlib.util
import os
from typing import NoReturn

import pytest


def missing(what: str, remedy: str, required_by: str) -> NoReturn:
    """Skip the test, or fail it where the variable *required_by* is set to 1."""
    if os.environ.get(required_by) == "1":
        pytest.fail(f"{what} is missing: {remedy}", pytrace=False)
    pytest.skip(f"{what} is missing: {remedy}")


def need_instrumentation() -> None:
    """Skip the test without opentelemetry-instrumentation-django."""
    if importlib.util.find_spec("opentelemetry.instrumentation") is None:
        remedy = "pip install 'opentelemetry-instrumentation-django[asgi]'"
        missing("OpenTelemetry's instrumentation of Django", remedy, "REQUIRE_OTEL")
