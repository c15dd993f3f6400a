"""The demo under a strict Content Security Policy, and with an editor to link to."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from config.settings import *  # noqa: F403
from django.utils.decorators import sync_and_async_middleware

if TYPE_CHECKING:
    from django.http import HttpRequest

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'"
)


@sync_and_async_middleware
def strict(get_response: Any) -> Any:
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> Any:
            return protected(await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> Any:
        return protected(get_response(request))

    return answer


def protected(response: Any) -> Any:
    response["Content-Security-Policy"] = POLICY
    return response


MIDDLEWARE = ["tests.demo_settings.strict", *MIDDLEWARE]  # noqa: F405
SIGNAL_TRACE = {"EDITOR_URL": "vscode://file/{file}:{line}"}
