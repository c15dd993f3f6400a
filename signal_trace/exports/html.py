"""A report: one file that shows a trace as the panel does, in any browser.

It has in it all that it needs, and may load nothing: its content security policy allows
its own style and script alone, by their hashes.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable, Iterator

from django.template import Context, Engine
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, get_language_bidi

from signal_trace.exports import text
from signal_trace.exports.formats import only
from signal_trace.modules import file, read, script
from signal_trace.packing import pack
from signal_trace.screen import screen
from signal_trace.trace import Trace

STYLES = ("views.css", "report.css")
ICON = "panel.svg"

LONGEST_TITLE = 200


def pieces(traces: Iterable[Trace]) -> Iterator[str]:
    """The report on a trace, in the language in force."""
    trace = only(traces, "html", "write a file for each, or many as jsonl")
    told = "".join(text.pieces([trace]))
    context = Context(
        {
            **screen(pack(trace)),
            "text": told,
            "title": text.printable((trace.name or trace.kind)[:LONGEST_TITLE]),
            "started_at": trace.started_at.isoformat(sep=" ", timespec="seconds"),
            "language": get_language() or "en",
            "direction": "rtl" if get_language_bidi() else "ltr",
            **_inside(),
        }
    )
    yield _engine().get_template("signal_trace/report.html").render(context)


@functools.cache
def _engine() -> Engine:
    """Finds the package's templates, whatever the project's settings say."""
    return Engine(
        dirs=[str(file("templates"))],
        libraries={"i18n": "django.templatetags.i18n"},
    )


@functools.cache
def _inside() -> dict[str, SafeString]:
    """What of the package's own files stands in every report."""
    style = "".join(read(name) for name in STYLES)
    code = script()
    icon = base64.b64encode(read(ICON).encode()).decode()
    policy = {
        "default-src": "'none'",
        "style-src": _hash(style),
        "script-src": _hash(code),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    inside = {
        "style": style,
        "script": code,
        "icon": f"data:image/svg+xml;base64,{icon}",
        "policy": "; ".join(" ".join(one) for one in policy.items()),
    }
    # All of it is ours. A browser would take the policy with its quotes escaped, too,
    # but the two others it takes as they stand.
    return {name: mark_safe(one) for name, one in inside.items()}


def _hash(code: str) -> str:
    digest = hashlib.sha256(code.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
