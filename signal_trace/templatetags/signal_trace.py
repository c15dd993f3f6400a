"""Filters for the templates of panel and report."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath
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

    from signal_trace.parts import Call, Error, Frame, NotCalled, Send
    from signal_trace.runs import Heard, Run

register = template.Library()

register.filter("duration", shown)


register.filter("short_name", short_name)

register.filter("sender", telling.sender)
register.filter("arguments", telling.arguments)
register.filter("place", telling.place)

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
def full_source(called: Call | NotCalled | Heard | Frame) -> str:
    """Where a receiver's code begins, or a line is, with the file's whole path."""
    return f"{called.file}:{called.line}" if called.file else ""


@register.filter
def breakable(name: str) -> SafeString:
    """*name* with places to break the line at: behind dots, between words."""
    return mark_safe(re.sub(r"(\.|(?<=[^\W_])(?=_[^\W_]))", r"\1<wbr>", escape(name)))


@register.filter
def source(called: Call | NotCalled | Heard) -> str:
    """Where a receiver's code begins, as ``shop/receivers.py:12``: its file from the
    top of its package on, where that can be told from its dotted name."""
    if called.file is None:
        return ""
    path = PurePath(called.file)
    parts = path.with_suffix("").parts
    for start in range(len(parts)):
        if f"{called.receiver}.".startswith(".".join(parts[start:]) + "."):
            path = PurePath(*path.parts[start:])
            break
    return f"{path.as_posix()}:{called.line}"
