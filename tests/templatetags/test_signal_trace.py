from __future__ import annotations

from dataclasses import replace

from signal_trace.parts import Error, Frame
from signal_trace.templatetags.signal_trace import (
    breakable,
    in_words,
    marks,
    stack,
    traceback,
)
from tests.traces import CHECKOUT


def test_a_traceback_is_written_as_python_writes_it() -> None:
    error = Error("ValueError", "no", (Frame("/srv/shop.py", 2000, "pay"),))
    assert traceback(error) == 'File "/srv/shop.py", line 2000, in pay\nValueError: no'


def test_a_name_can_be_broken_and_is_escaped() -> None:
    assert breakable("a.b_c") == "a.<wbr>b<wbr>_c"
    assert breakable("f.<locals>.g") == "f.<wbr>&lt;locals&gt;.<wbr>g"


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
