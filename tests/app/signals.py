"""Signals that the test project's views send."""

from django.dispatch import Signal

opened = Signal()
closed = Signal()
