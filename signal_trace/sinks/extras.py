"""Sinks that need more than Django, and what they say where that isn't installed."""

from __future__ import annotations


class MissingExtra(ImportError):
    """What an extra installs isn't there; *remedy* says how to install it."""

    def __init__(self, needed: str, extra: str) -> None:
        super().__init__(f"it needs {needed}, which isn't installed")
        self.remedy = f"Run: pip install 'django-signal-trace[{extra}]'"
