"""OpenTelemetry, set up as docs/staging.md says, where an endpoint is given."""

from __future__ import annotations

import os

IS_ON = "OTEL_EXPORTER_OTLP_ENDPOINT" in os.environ


def start() -> None:
    """To be called before the application is there."""
    if not IS_ON:
        return
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracers)
    DjangoInstrumentor().instrument()


def flush() -> None:
    """Send what hasn't been sent yet."""
    if IS_ON:
        from opentelemetry import trace

        trace.get_tracer_provider().force_flush()  # type: ignore[attr-defined]
