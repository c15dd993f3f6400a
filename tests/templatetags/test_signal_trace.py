from __future__ import annotations

from dataclasses import replace

import pytest

from signal_trace.parts import Error, Frame, NotCalled
from signal_trace.templatetags.signal_trace import (
    breakable,
    full_source,
    in_words,
    marks,
    source,
    stack,
    traceback,
)
from tests.traces import CHECKOUT


def test_a_traceback_is_written_as_python_writes_it() -> None:
    error = Error("ValueError", "no", (Frame("/srv/shop.py", 2000, "pay"),))
    assert traceback(error) == 'File "/srv/shop.py", line 2000, in pay\nValueError: no'


def test_a_full_source_is_no_localised_number() -> None:
    called = NotCalled(1, "a.signal", "shop.pay", "/srv/shop.py", 2000, "")
    assert full_source(called) == "/srv/shop.py:2000"


def test_a_name_can_be_broken_and_is_escaped() -> None:
    assert breakable("a.b_c") == "a.<wbr>b<wbr>_c"
    assert breakable("f.<locals>.g") == "f.<wbr>&lt;locals&gt;.<wbr>g"


@pytest.mark.parametrize(
    ("receiver", "file", "expected"),
    [
        (
            "shop.receivers.mail.send",
            "/srv/shop/receivers/mail.py",
            "shop/receivers/mail.py:7",
        ),
        ("shop.models.Order.touch", "/srv/shop/models.py", "shop/models.py:7"),
        ("shop.apps.f.<locals>.g", "/srv/shop/shop/apps.py", "shop/apps.py:7"),
        ("run", "/srv/run.py", "run.py:7"),
        ("shopping.f", "/srv/shop.py", "/srv/shop.py:7"),
        ("__main__.f", "/srv/manage.py", "/srv/manage.py:7"),
        ("print", None, ""),
    ],
)
def test_source_begins_at_the_top_of_the_package(
    receiver: str, file: str | None, expected: str
) -> None:
    line = None if file is None else 7
    assert source(NotCalled(1, "a.signal", receiver, file, line, "")) == expected


def test_a_stack_is_written_as_python_writes_it() -> None:
    frames = (Frame("a.py", 1, "f"), Frame("b.py", 2000, "g"))
    assert stack(frames) == 'File "a.py", line 1, in f\nFile "b.py", line 2000, in g\n'


def test_words_of_a_trace_are_put_for_readers() -> None:
    assert in_words("warning") == "Warning"
    assert in_words("a word of a newer version") == "a word of a newer version"


def test_marks_are_what_is_out_of_the_ordinary() -> None:
    [saved, placed] = CHECKOUT.sends
    assert marks(replace(saved, on_commit=True)) == ["on_commit", "rolled back"]
    assert marks(replace(saved, transaction="committed")) == []
    assert marks(placed.calls[0]) == []
    assert marks(placed.calls[1]) == ["never finished"]
    cancelled = replace(placed.calls[1], outcome="cancelled by a sibling")
    assert marks(cancelled) == ["cancelled by a sibling"]
