"""Which facts are taken down of each send."""

from __future__ import annotations

from typing import NamedTuple

from signal_trace import arguments


class Captures(NamedTuple):
    """What to take down, as the settings of these names say."""

    call_sites: bool
    stacks: bool
    arguments: str
    queries: bool


NOTHING = Captures(False, False, arguments.NOTHING, False)
