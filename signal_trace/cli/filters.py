"""Which traces a command is about, of those that it reads."""

from __future__ import annotations

import argparse
import fnmatch
import re
from collections.abc import Callable, Iterator

from signal_trace.highlights import has_failed
from signal_trace.trace import Trace

Filter = Callable[[Trace], bool]


def add_files(parser: argparse.ArgumentParser) -> None:
    """Take any number of files to read."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="files or folders with traces, or - for standard input",
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "which traces",
        "A PATTERN is a part of the name, or with * or ? in it the whole of it;\n"
        "upper and lower case are the same.",
    )
    group.add_argument(
        "--slower-than", type=_ms, metavar="MS", help="that took more milliseconds"
    )
    group.add_argument(
        "--failed",
        action="store_true",
        help="in which a receiver raised, or that an exception ended, or whose response"
        " has a status from 500",
    )
    group.add_argument(
        "--name", metavar="PATTERN", help='whose name is like that: "POST /checkout/*"'
    )
    group.add_argument(
        "--receiver", metavar="PATTERN", help="in which a receiver like that was called"
    )


def chosen(options: argparse.Namespace) -> Filter:
    """What the options of `add_options` ask for."""
    filters: list[Filter] = []
    if (ms := options.slower_than) is not None:
        filters.append(lambda trace: trace.duration_ns > ms * 1e6)
    if options.failed:
        filters.append(has_failed)
    if options.name is not None:
        is_name = like(options.name)
        filters.append(lambda trace: is_name(trace.name))
    if options.receiver is not None:
        is_receiver = like(options.receiver)
        filters.append(lambda trace: any(map(is_receiver, receivers(trace))))
    return lambda trace: all(one(trace) for one in filters)


def receivers(trace: Trace) -> Iterator[str]:
    """The receivers that were called, each as often as it was."""
    for call in trace.calls:
        yield call.receiver
    for omitted in trace.omitted:
        for calls in omitted.calls:
            yield calls.receiver


def like(pattern: str) -> Callable[[str], bool]:
    if not set(pattern) & set("*?"):
        return lambda name: pattern.casefold() in name.casefold()
    whole = fnmatch.translate(pattern.replace("[", "[[]"))
    matches = re.compile(whole, re.IGNORECASE).match
    return lambda name: matches(name) is not None


def _ms(given: str) -> float:
    try:
        ms = float(given)
    except ValueError:
        ms = -1
    if not 0 <= ms < float("inf"):
        raise argparse.ArgumentTypeError(f"{given!r} is no number of milliseconds")
    return ms
