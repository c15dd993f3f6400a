"""Filters for the templates of panel and report."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from signal_trace.durations import shown
from signal_trace.tree import short_name

if TYPE_CHECKING:
    from signal_trace.parts import Call, Error, NotCalled

register = template.Library()

register.filter("duration", shown)


register.filter("short_name", short_name)


@register.filter
def traceback(error: Error) -> str:
    """The frames of an exception and itself, as Python prints them."""
    frames = [
        f'File "{frame.file}", line {frame.line}, in {frame.function}\n'
        for frame in error.frames
    ]
    return f"{''.join(frames)}{error}"


@register.filter
def full_source(called: Call | NotCalled) -> str:
    """Where a receiver's code begins, with the file's whole path."""
    return f"{called.file}:{called.line}" if called.file else ""


@register.filter
def breakable(name: str) -> SafeString:
    """*name* with places to break the line at: behind dots, between words."""
    return mark_safe(re.sub(r"(\.|(?<=[^\W_])(?=_[^\W_]))", r"\1<wbr>", escape(name)))


@register.filter
def source(called: Call | NotCalled) -> str:
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
