"""What settings name that is to be called: what can be said of it before."""

from __future__ import annotations

import inspect


def is_awaited(given: object) -> bool:
    """Whether to call *given* makes a coroutine, which somebody has to await: a
    coroutine function, or an object that is called as one."""
    return inspect.iscoroutinefunction(given) or inspect.iscoroutinefunction(
        getattr(type(given), "__call__", None)  # noqa: B004
    )


def refusal(given: object) -> str:
    """Why *given* can't be called with one argument, or nothing."""
    assert callable(given)
    try:
        inspect.signature(given).bind(None)
    except TypeError as error:
        return str(error)
    except ValueError:
        pass  # Nothing is known of what it takes.
    return ""
