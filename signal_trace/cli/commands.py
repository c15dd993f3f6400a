"""The commands that read traces, and how one of them runs and ends."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from signal_trace.cli import compare, export, listing, show, top
from signal_trace.cli.failing import INTERRUPTED, of_os
from signal_trace.cli.terminal import Terminal

COMMANDS: dict[str, ModuleType] = {
    "list": listing,
    "show": show,
    "top": top,
    "export": export,
    "compare": compare,
}

EXIT_STATUS = """
exit status:
  0  done
  1  something can't be read, found or written
  2  what was asked for makes no sense
"""


def add(commands: Any, name: str, module: ModuleType) -> argparse.ArgumentParser:
    """Add a module's command to a parser's *commands*."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=module.HELP,
        description=f"{module.HELP[0].upper()}{module.HELP[1:]}.",
        epilog=f"examples:{module.EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_options(parser)
    return parser


def run(work: Callable[[], int], terminal: Terminal) -> int:
    """Do what a command does, and give its exit status.

    Raises `Failure`. What ends it otherwise ends it quietly: somebody who stops it, or
    who reads no further.
    """
    try:
        try:
            return work()
        finally:
            terminal.out.flush()
            terminal.tell_passed_over()
    except BrokenPipeError:
        _write_no_more(terminal)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        _write_no_more(terminal)
        raise of_os(error) from None


def _write_no_more(terminal: Terminal) -> None:
    """Python would write out what is left, once more, when it ends."""
    if terminal.out.stream is sys.stdout:
        with suppress(OSError, ValueError), Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
