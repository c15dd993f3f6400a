from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "shop"
    verbose_name = "The Quiet Kettle"

    def ready(self) -> None:
        from . import receivers  # noqa: F401  (importing them connects them)
