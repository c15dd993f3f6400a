"""Traces on demand: a signed token in a request asks for its trace, until it expires.

Who can sign is who has the project's `SECRET_KEY`. A token says nothing but for how
long it is good.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.core import signing
from django.http import parse_cookie

HEADER = "X-Signal-Trace"
COOKIE = "signal_trace"

SALT = "signal_trace.on_demand"
# No token is longer: what is, need not be looked at.
LONGEST = 200


def make_token(seconds: int) -> str:
    """A token that is good for so many *seconds* from now."""
    return signing.TimestampSigner(salt=SALT).sign(str(seconds))


def is_good(token: str) -> bool:
    """Whether *token* was made here, and hasn't expired. Nothing says why not."""
    if len(token) > LONGEST:
        return False
    signer = signing.TimestampSigner(salt=SALT)
    try:
        seconds = int(signer.unsign(token))
        signer.unsign(token, max_age=seconds)
    except Exception:  # Whoever sends it chooses what it is.
        return False
    return True


def asks(headers: Mapping[str, str]) -> bool:
    """Whether a request asks for its trace, of which *headers* has at least these by
    their names in WSGI: ``HTTP_X_SIGNAL_TRACE`` and ``HTTP_COOKIE``."""
    token = headers.get("HTTP_X_SIGNAL_TRACE")
    if token is not None and is_good(token):
        return True
    cookies = headers.get("HTTP_COOKIE", "")
    if COOKIE not in cookies:
        return False
    token = parse_cookie(cookies).get(COOKIE)
    return token is not None and is_good(token)
