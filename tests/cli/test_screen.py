from __future__ import annotations

import io
import sys

import pytest

from signal_trace.cli.screen import Row, Screen
from tests.cli.conftest import Screenful

ROWS = [Row(("1", "20.00 ms", "shop.receivers.announce")), Row(("30", "–", "b"), "bad")]
HEADINGS = ("count", "self", "receiver")


def terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setenv("COLUMNS", str(columns))
    return Screen(Screenful())


def printed(screen: Screen) -> str:
    assert isinstance(screen.stream, io.StringIO)
    return screen.stream.getvalue()


def lines(screen: Screen) -> list[str]:
    return [one.rstrip() for one in printed(screen).splitlines()]


@pytest.fixture
def colourless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


def test_plain_line_is_never_folded() -> None:
    screen = Screen(io.StringIO())
    screen.line(("a " * 100, "bad"), "b", lead="> ")
    assert printed(screen) == f"> {'a ' * 100}b\n"


@pytest.mark.usefixtures("colourless")
def test_line_of_a_terminal_is_folded_below_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = terminal(20, monkeypatch)
    screen.line("one two three four", (" five", "bad"), lead=">>> ")
    assert lines(screen) == [">>> one two three", "    four five"]
    assert screen.height_of("one two three four five", lead=">>> ") == 2


@pytest.mark.usefixtures("colourless")
def test_long_words_are_folded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(20, monkeypatch)
    screen.line("x" * 50)
    assert lines(screen) == ["x" * 20, "x" * 20, "x" * 10]


def test_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(40, monkeypatch)
    screen.line("a ", ("b", "bad"))
    assert printed(screen) == "a \x1b[1;31mb\x1b[0m\n"


@pytest.mark.parametrize("value", ["1", "yes"])
def test_no_color_leaves_no_escapes(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("NO_COLOR", value)
    screen = terminal(40, monkeypatch)
    screen.line(("a", "bad"), ("b", "heading"))
    screen.table(HEADINGS, ROWS)
    assert "\x1b" not in printed(screen)


def test_empty_no_color_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    screen = terminal(40, monkeypatch)
    screen.line(("a", "bad"))
    assert "\x1b" in printed(screen)


def test_color_can_be_forced_and_forbidden() -> None:
    forced, forbidden = Screen(io.StringIO(), True), Screen(Screenful(), False)
    for screen in (forced, forbidden):
        screen.line(("a", "bad"))
    assert printed(forced) == "\x1b[1;31ma\x1b[0m\n"
    assert printed(forbidden) == "a\n"


def test_markup_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(60, monkeypatch)
    screen.line("[red]a[/red] :smile: [link=x]")
    screen.table(("n", "name"), [Row(("[b]1", "[bold]x[/] :smile:"))])
    assert "[red]a[/red] :smile: [link=x]\n" in printed(screen)
    assert "[bold]x[/] :smile:" in printed(screen)
    assert "[b]1" in printed(screen)


def test_plain_table() -> None:
    screen = Screen(io.StringIO())
    screen.table(HEADINGS, ROWS)
    assert printed(screen).splitlines() == [
        "count      self  receiver",
        "    1  20.00 ms  shop.receivers.announce",
        "   30         –  b",
    ]


@pytest.mark.usefixtures("colourless")
def test_table_of_a_terminal_is_the_same_where_it_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen, other = terminal(60, monkeypatch), Screen(io.StringIO())
    for one in (screen, other):
        one.table(HEADINGS, ROWS)
    assert lines(screen) == lines(other)


@pytest.mark.usefixtures("colourless")
def test_last_column_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(32, monkeypatch)
    screen.table(HEADINGS, ROWS)
    assert lines(screen) == [
        "count      self  receiver",
        "    1  20.00 ms  shop.receivers.",
        "                 announce",
        "   30         –  b",
    ]


@pytest.mark.usefixtures("colourless")
@pytest.mark.parametrize("columns", [25, 28])
def test_names_stand_above_their_rows_where_there_is_no_room(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    screen = terminal(columns, monkeypatch)
    screen.table(HEADINGS, ROWS)
    assert lines(screen) == [
        "count      self",
        "shop.receivers.announce",
        "    1  20.00 ms",
        "b",
        "   30         –",
    ]


def test_without_rich_a_terminal_has_plain_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    screen = terminal(20, monkeypatch)
    assert screen.is_terminal
    assert screen.width == 20
    screen.line(("a " * 20, "bad"))
    screen.table(HEADINGS, ROWS)
    assert lines(screen)[0] == ("a " * 20).rstrip()
    assert lines(screen)[1] == "count      self  receiver"
    assert screen.height_of("x" * 50) == 3


def test_what_the_stream_cannot_encode_is_escaped() -> None:
    binary = io.BytesIO()
    screen = Screen(io.TextIOWrapper(binary, "ascii"))
    screen.line("✗ a")
    screen.flush()
    assert binary.getvalue() == b"\\u2717 a\n"
