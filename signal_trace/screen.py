"""What ``views.html`` needs to show a trace, in the panel and in a report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from signal_trace import conf, telling, words


@dataclass(frozen=True, slots=True)
class Download:
    """Where the trace can be had in a format, which is called so for people."""

    label: str
    url: str


def screen(
    packed: Any,
    *,
    downloads: Sequence[Download] = (),
    text_url: str = "",
    in_toolbar: bool = False,
) -> dict[str, Any]:
    """The template's context for a trace as `packing.pack` made it: it is unpacked by
    whoever looks at it. Without a *text_url* the page holds the text itself."""
    data = {
        "trace": packed,
        "words": words.texts(),
        "settings": {
            "editor": conf.settings().EDITOR_URL,
            "folders": telling.import_folders(),
            "in_toolbar": in_toolbar,
            "language": get_language() or "",
            "text_url": text_url,
        },
    }
    return {"data": _in_script(data), "downloads": downloads}


def _in_script(data: Any) -> SafeString:
    """*data* as JSON that nothing in it can lead out of its ``script`` element, as the
    filter ``json_script`` does, which takes ten times as long for a large trace."""
    text = json.dumps(data)
    for one in "&<>":
        text = text.replace(one, f"\\u{ord(one):04x}")
    return mark_safe(text)
