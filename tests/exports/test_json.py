from __future__ import annotations

from signal_trace import Trace
from tests.traces import CHECKOUT


def test_export_is_the_document_that_is_read_back() -> None:
    assert Trace.from_json(CHECKOUT.export("json")) == CHECKOUT
