from django.apps import AppConfig
from django.core.checks import register

from signal_trace import (
    celery_tasks,
    checks,
    choice_checks,
    commands,
    conf,
    django_tasks,
)


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
        register(choice_checks.check_should_trace)
        register(choice_checks.check_tasks)
        register(choice_checks.check_middleware)
        register(choice_checks.check_toolbar, deploy=True)
        register(choice_checks.check_idle_choice)
        register(choice_checks.check_commands)
        register(choice_checks.check_entrances)
        settings = conf.settings()
        if settings.ENABLED:
            if settings.COMMANDS:
                commands.watch()
            if "django" in settings.TASKS:
                django_tasks.watch()
            if "celery" in settings.TASKS:
                celery_tasks.watch()
