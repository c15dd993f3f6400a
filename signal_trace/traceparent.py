"""The `traceparent` of a request: the trace of other programs that it is part of.

After https://www.w3.org/TR/trace-context/#traceparent-header.
"""

from __future__ import annotations

import re

HEADER = "traceparent"

_VERSION, _TRACE, _PARENT, _FLAGS = (f"[0-9a-f]{{{size}}}" for size in (2, 32, 16, 2))
_FORM = re.compile(
    rf"(?!ff)(?P<version>{_VERSION})-(?!0{{32}}){_TRACE}-(?!0{{16}}){_PARENT}-{_FLAGS}"
    rf"(?P<later>-.*)?",
    re.ASCII,
)
# Of what a later version adds no more is taken than a header of ours could say.
LONGEST = 200


def valid(given: str | None) -> str | None:
    """*given* where it is a traceparent that can be relied on; else None.

    Of version 00 it is just so; a later one may go on behind another hyphen.
    """
    if given is None or len(given) > LONGEST:
        return None
    found = _FORM.fullmatch(given.strip(" \t"))
    if found is None or (found["version"] == "00" and found["later"] is not None):
        return None
    return found.group()
