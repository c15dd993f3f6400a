from django.apps import AppConfig


class TestAppConfig(AppConfig):
    name = "tests.app"

    def ready(self) -> None:
        from tests.app import receivers  # noqa: F401
