"""What of ours is alive."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def only_new() -> Iterator[None]:
    """Leave out what is alive already: a hundred times quicker."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def ours() -> Counter[str]:
    """How many objects of our classes are alive, by the name of the class."""
    gc.collect()
    return Counter(
        type(one).__qualname__
        for one in gc.get_objects()
        if str(type(one).__module__).partition(".")[0] == "signal_trace"
    )
