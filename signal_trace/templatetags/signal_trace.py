"""Filters for the templates of panel and report."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from signal_trace import parts, telling
from signal_trace.durations import shown
from signal_trace.tree import short_name

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from signal_trace.parts import Call, Error, Frame, Send
    from signal_trace.runs import Run

register = template.Library()

register.filter("duration", shown)


register.filter("short_name", short_name)

register.filter("sender", telling.sender)
register.filter("arguments", telling.arguments)
register.filter("place", telling.place)
register.filter("source", telling.place)
register.filter("full_source", telling.full_place)

# The words of a trace that people read.
WORDS = {
    parts.PROBLEM: _("Problem"),
    parts.WARNING: _("Warning"),
    parts.HINT: _("Hint"),
    parts.COMMITTED: _("committed"),
    parts.ROLLED_BACK: _("rolled back"),
    parts.OPEN: _("still open when the trace ended"),
    parts.CANCELLED: _("cancelled"),
    parts.CANCELLED_BY_SIBLING: _("cancelled by a sibling"),
    parts.UNFINISHED: _("never finished"),
    parts.EARLIER_RAISED: _("not called: an earlier receiver raised"),
    parts.SEND_FAILED: _("not called: the send failed or was cancelled"),
}


@register.filter
def in_words(word: str) -> str | _StrPromise:
    """A word of a trace in the reader's language."""
    return WORDS.get(word, word)


@register.filter
def marks(node: Send | Run | Call) -> list[str | _StrPromise]:
    """What is out of the ordinary about a send or call, in the reader's language."""
    return [in_words(mark) for mark in telling.marks(node)]


@register.filter
def traceback(error: Error) -> str:
    """The frames of an exception and itself, as Python prints them."""
    return f"{stack(error.frames)}{error}"


@register.filter
def stack(frames: Iterable[Frame]) -> str:
    """Lines of code, as Python prints them."""
    return "".join(
        f'File "{frame.file}", line {frame.line}, in {frame.function}\n'
        for frame in frames
    )


@register.filter
def breakable(name: str) -> SafeString:
    """*name* with places to break the line at: behind dots, between words."""
    return mark_safe(re.sub(r"(\.|(?<=[^\W_])(?=_[^\W_]))", r"\1<wbr>", escape(name)))
