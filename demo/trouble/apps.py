from django.apps import AppConfig


class TroubleConfig(AppConfig):
    name = "trouble"
    verbose_name = "What can go wrong"

    def ready(self) -> None:
        from . import catalogue  # noqa: F401  (importing it connects the receivers)
