from django.apps import AppConfig
from django.core.checks import register

from signal_trace import checks


class SignalTraceConfig(AppConfig):
    name = "signal_trace"
    verbose_name = "Signal trace"

    def ready(self) -> None:
        register(checks.check_settings)
        register(checks.check_sinks)
        register(checks.check_sinks_can_write)
        register(checks.check_redactor)
        register(checks.check_silenced_findings)
        register(checks.check_idle_settings)
