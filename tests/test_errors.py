from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import IntegrityError
from django.dispatch import Signal, dispatcher

import signal_trace
from signal_trace.errors import LONGEST_MESSAGE, MOST_FRAMES, describe_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from signal_trace.parts import Call, Send
    from signal_trace.trace import Trace


class Untouchable:
    def _fail(self, *args: object) -> Any:
        pytest.fail("the application's code was run")

    __repr__ = __str__ = __eq__ = __hash__ = __bool__ = __len__ = _fail
    __format__ = _fail


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        pytest.fail("the application's code was run")

    __repr__ = __str__


class TellsItself(Exception):
    def __str__(self) -> str:
        pytest.fail("the application's code was run")


class ArgumentsAnew(Exception):
    @property
    def args(self) -> Any:
        pytest.fail("the application's code was run")

    @args.setter
    def args(self, value: Any) -> None:
        pass


def with_strerror(strerror: Any) -> OSError:
    error = OSError(2, "missing", "a file")
    error.strerror = strerror
    return error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("too small"), "too small"),
        (ValueError(), ""),
        (ValueError("two", 2), "('two', 2)"),
        (RuntimeError(None), "None"),
        (KeyError("isbn"), "'isbn'"),
        (OSError(2, "missing", "a file"), "[Errno 2] missing: 'a file'"),
        (OSError(2, "missing", "a", None, "b"), "[Errno 2] missing: 'a' -> 'b'"),
        (ImportError("no shop"), "no shop"),
        (ModuleNotFoundError("no shop", name="shop"), "no shop"),
        (ImproperlyConfigured("no secret"), "no secret"),
        (SystemExit(2), "2"),
        (asyncio.CancelledError(), ""),
    ],
)
def test_message_of_plain_values_is_kept(error: BaseException, message: str) -> None:
    assert describe_error(error).message == message


@pytest.mark.parametrize(
    "error",
    [
        TellsItself("secret"),
        ValueError(Untouchable()),
        ValueError("fine", Untouchable()),
        ValueError(Text("changed")),
        ValueError(["a list"]),
        KeyError(Untouchable()),
        OSError(2, "missing", Untouchable()),
        OSError(2, "missing", "a file", None, Untouchable()),
        OSError(2, "missing", b"bytes"),
        with_strerror(Untouchable()),
        ImportError(Untouchable()),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text"),
        SyntaxError("no code"),
        ExceptionGroup("two", [ValueError("one"), ValueError("other")]),
        ValidationError("no title"),
        ValueError(10**5000),
    ],
    ids=lambda error: type(error).__name__,
)
def test_message_that_could_run_the_applications_code_is_left_out(
    error: BaseException,
) -> None:
    described = describe_error(error)
    assert described.message is None
    assert described.type.endswith(type(error).__name__)


def test_arguments_are_read_past_a_property_of_that_name() -> None:
    assert describe_error(ArgumentsAnew("seen")).message == "seen"
    assert describe_error(ArgumentsAnew(Untouchable())).message is None


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ValueError(), "ValueError"),
        (TellsItself(), f"{__name__}.TellsItself"),
        (ImproperlyConfigured(), "django.core.exceptions.ImproperlyConfigured"),
    ],
)
def test_type_is_dotted_but_for_builtins(error: BaseException, name: str) -> None:
    assert describe_error(error).type == name


def test_long_message_is_cut() -> None:
    assert describe_error(ValueError("x" * 10**6)).message == "x" * LONGEST_MESSAGE


def test_message_can_be_written_whatever_a_file_is_called() -> None:
    name = os.fsdecode(b"caf\xe9")
    message = describe_error(FileNotFoundError(2, "missing", name)).message
    assert message == r"[Errno 2] missing: 'caf\udce9'"


def test_error_that_was_never_raised_has_no_frames() -> None:
    assert describe_error(ValueError()).frames == ()


def test_frames_are_those_of_the_traceback_in_its_order() -> None:
    def outer() -> None:
        inner()

    def inner() -> None:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$") as caught:
        outer()
    this = "test_frames_are_those_of_the_traceback_in_its_order"
    assert [
        (frame.file, frame.line, frame.function)
        for frame in describe_error(caught.value).frames[-2:]
    ] == [
        (__file__, outer.__code__.co_firstlineno + 1, f"{this}.<locals>.outer"),
        (__file__, inner.__code__.co_firstlineno + 1, f"{this}.<locals>.inner"),
    ]


def test_describing_keeps_neither_the_exception_nor_what_its_frames_hold() -> None:
    class Failure(Exception):
        pass

    def fail_with(held: object) -> None:
        raise Failure("gone")

    held = Untouchable()
    with pytest.raises(Failure) as caught:
        fail_with(held)
    described = describe_error(caught.value)
    error, argument = weakref.ref(caught.value), weakref.ref(held)
    del caught, held
    gc.collect()
    assert described.message == "gone"
    assert error() is None
    assert argument() is None


def test_deep_traceback_keeps_its_innermost_frames() -> None:
    def dig(depth: int) -> None:
        if depth == 0:
            raise ValueError
        dig(depth - 1)

    with pytest.raises(ValueError, match=r"^$") as caught:
        dig(300)
    frames = describe_error(caught.value).frames
    assert len(frames) == MOST_FRAMES
    assert frames[-1].line == dig.__code__.co_firstlineno + 2


def test_endless_recursion_is_described() -> None:
    def dig() -> None:
        dig()

    with pytest.raises(RecursionError) as caught:
        dig()
    described = describe_error(caught.value)
    assert described.type == "RecursionError"
    assert len(described.frames) == MOST_FRAMES


def test_package_whose_name_begins_as_ours_keeps_its_frames() -> None:
    file = str(Path(signal_trace.__file__).parent) + "_extras/receivers.py"
    with pytest.raises(ValueError, match=r"^$") as caught:
        exec(compile("raise ValueError", file, "exec"), {})
    assert describe_error(caught.value).frames[-1].file == file


def fail(**kwargs: Any) -> None:
    raise ValueError("failed")


async def fail_async(**kwargs: Any) -> None:
    await asyncio.sleep(0)
    raise ValueError("failed")


def resend(**kwargs: Any) -> None:
    inner = Signal()
    inner.connect(fail)
    inner.send("resend")


def send(signal: Signal) -> None:
    signal.send("test")


def send_robust(signal: Signal) -> None:
    signal.send_robust("test")


def asend(signal: Signal) -> None:
    asyncio.run(signal.asend("test"))


def asend_robust(signal: Signal) -> None:
    asyncio.run(signal.asend_robust("test"))


@pytest.mark.parametrize("send", [send, send_robust, asend, asend_robust])
@pytest.mark.parametrize("receiver", [fail, fail_async])
def test_frames_of_a_call_begin_at_its_receiver(
    send: Callable[[Signal], None], receiver: Callable[..., Any]
) -> None:
    signal = Signal()
    signal.connect(receiver)
    with signal_trace.record() as recording:
        with contextlib.suppress(ValueError, ExceptionGroup):
            send(signal)
    [call] = recording.trace.calls
    assert call.error is not None
    assert [frame.function for frame in call.error.frames] == [receiver.__qualname__]


def test_frames_of_a_send_begin_at_the_receiver_that_raised() -> None:
    signal = Signal()
    signal.connect(fail)
    with signal_trace.record() as recording, pytest.raises(ValueError, match="failed"):
        signal.send("test")
    [send] = recording.trace.sends
    assert send.error is not None
    assert send.error.frames[0].function == "fail"


def test_frames_between_receivers_are_the_dispatchers_own() -> None:
    signal = Signal()
    signal.connect(resend)
    with signal_trace.record() as recording, pytest.raises(ValueError, match="failed"):
        signal.send("test")
    error = recording.trace.sends[0].error
    assert error is not None
    assert [
        frame.function for frame in error.frames if frame.file != dispatcher.__file__
    ] == ["resend", "fail"]


def test_no_frame_is_ours() -> None:
    signal = Signal()
    signal.connect(resend)
    own = str(Path(signal_trace.__file__).parent) + os.sep
    with pytest.raises(ValueError, match="failed"), signal_trace.record() as recording:
        signal.send("test")
    trace = recording.trace
    everything: list[Trace | Send | Call] = [trace, *trace.sends, *trace.calls]
    errors = [one.error for one in everything if one.error]
    assert len(errors) == 5
    assert not [
        frame for one in errors for frame in one.frames if frame.file.startswith(own)
    ]


@pytest.mark.parametrize("wrapped", [True, False])
def test_what_a_database_says_of_the_values_is_left_out(
    postgres: str, wrapped: bool
) -> None:
    User.objects.using(postgres).create(username="a@example.com")
    with pytest.raises(IntegrityError) as caught:
        User.objects.using(postgres).create(username="a@example.com")
    raised = caught.value if wrapped else caught.value.__cause__
    assert "a@example.com" in str(raised)
    assert raised is not None
    assert describe_error(raised).message == (
        'duplicate key value violates unique constraint "auth_user_username_key"'
    )
