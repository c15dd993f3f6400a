"""The panel's modules: their own tests, the same results as Python, and their types.

They run under Node.js, without a browser.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from signal_trace import Trace, aggregates, highlights, telling, words
from signal_trace.durations import shown
from signal_trace.parts import Call, NotCalled, Send
from signal_trace.runs import Run, fold
from signal_trace.tree import short_name, walk_folded
from tests.conftest import npm_package
from tests.missing import missing
from tests.traces import CHECKOUT, EMPTY, IMPORT, LARGE, traces

ROOT = Path(__file__).parent.parent
MODULES = ROOT / "signal_trace/static/signal_trace"
TYPESCRIPT = "typescript@5.9.3"


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        missing("Node.js", "install it", "REQUIRE_BROWSER")
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The modules and their tests next to each other, as modules for Node.js too."""
    made = tmp_path_factory.mktemp("modules")
    for path in (*MODULES.glob("*.js"), *(ROOT / "tests/modules").glob("*.js")):
        shutil.copy(path, made)
    (made / "package.json").write_text('{"type": "module"}')
    return made


def test_the_modules_tests_pass(node: str, folder: Path) -> None:
    tests = sorted(path.name for path in folder.glob("*.test.js"))
    assert tests
    finished = subprocess.run(
        [node, "--test", *tests], cwd=folder, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stdout


def compared(node: str, folder: Path, documents: list[Trace]) -> list[Any]:
    given = {
        "traces": [one.to_dict() for one in documents],
        "folders": telling.import_folders(),
    }
    finished = subprocess.run(
        [node, "compare.js"],
        cwd=folder,
        input=json.dumps(given),
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    made: list[Any] = json.loads(finished.stdout)
    return made


def by_python(trace: Trace) -> dict[str, Any]:
    def plain(sums: list[aggregates.Aggregate]) -> list[Any]:
        names = aggregates.Aggregate.__slots__
        return [{name: getattr(one, name) for name in names} for one in sums]

    def name(node: Any) -> Any:
        if isinstance(node, Run):
            return node.count
        return node.receiver if isinstance(node, Call | NotCalled) else node.signal

    queries, queries_ns = highlights.all_queries(trace)
    failed = highlights.failures(trace)
    slowest = highlights.slowest(trace, 1)
    return {
        "sends": trace.send_count,
        "calls": trace.call_count,
        "failures": len(failed) + trace.omitted_failures,
        "missed": sum(one.send is not None for one in trace.not_called),
        "receiversNs": trace.receivers_ns,
        "queries": queries,
        "queriesNs": queries_ns,
        "failed": [call.id for _, call, _ in failed],
        "slowest": slowest[0].self_ns if slowest else None,
        "receivers": plain(aggregates.by_receiver(trace)),
        "apps": plain(aggregates.by_app(trace)),
        "signals": plain(aggregates.by_signal(trace)),
        "folded": [
            [
                parent,
                [
                    one.id if isinstance(one, Send) else [each.id for each in one.sends]
                    for one in sends
                ],
            ]
            for parent, sends in fold(trace).items()
        ],
        "tree": [[depth, name(node)] for depth, node in walk_folded(trace)],
        "senders": [telling.sender(send) for send in trace.sends],
        "arguments": [telling.arguments(send) for send in trace.sends],
        "signalNames": [short_name(send.signal) for send in trace.sends],
        "places": [
            telling.place(send.call_site) for send in trace.sends if send.call_site
        ],
        "times": [shown(send.duration_ns) for send in trace.sends],
    }


@pytest.mark.parametrize("trace", [CHECKOUT, EMPTY, IMPORT, LARGE])
def test_the_modules_say_what_python_says(
    node: str, folder: Path, trace: Trace
) -> None:
    [made] = compared(node, folder, [trace])
    expected = by_python(trace)
    # Halves are rounded up there, and here as the nearest binary fraction lies.
    for time, there in zip(expected.pop("times"), made.pop("times"), strict=True):
        assert milliseconds(there) == pytest.approx(milliseconds(time), abs=0.0011)
    assert made == expected


def milliseconds(time: str) -> float:
    return 0 if time == "–" else float(time.removesuffix(" ms").replace(",", ""))


def test_of_any_trace_the_modules_say_what_python_says(node: str, folder: Path) -> None:
    drawn: list[Trace] = []

    @settings(
        max_examples=100,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(traces())
    def draw(trace: Trace) -> None:
        drawn.append(trace)

    draw()
    for trace, made in zip(drawn, compared(node, folder, drawn), strict=True):
        expected = by_python(trace)
        # JavaScript's integers are exact up to 2**53 only.
        for varying in ("arguments", "times"):
            del made[varying], expected[varying]
        assert made == expected


def said() -> set[str]:
    """The texts that the modules say by a name that stands in them."""
    found: set[str] = set()
    for path in MODULES.glob("*.js"):
        text = path.read_text()
        for said in re.findall(r"\.say\(([^;]*?)[,)]", text):
            found.update(re.findall(r'"([^"]+)"', said))
        found.update(re.findall(r'label: "([^"]+)"', text))
        found.update(re.findall(r'(?:number|time)\("\w+", "([^"]+)"', text))
        found.update(re.findall(r'_figure\("([^"]+)"', text))
    return found


def test_every_text_that_the_modules_say_exists() -> None:
    assert said() <= words.TEXTS.keys()


def test_every_text_is_said() -> None:
    scripts = "".join(path.read_text() for path in MODULES.glob("*.js"))
    composed = ("only ", "by ", "column ", "near miss ")
    unsaid = [
        name
        for name in words.TEXTS
        if f'"{name}"' not in scripts and not name.startswith(composed)
    ]
    assert unsaid == []


def test_no_module_has_a_name_that_another_has() -> None:
    """So that a report can have all of them in one script."""
    found: dict[str, str] = {}
    for path in MODULES.glob("*.js"):
        for name in re.findall(
            r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)",
            path.read_text(),
            re.MULTILINE,
        ):
            assert name not in found, (name, path.name, found[name])
            found[name] = path.name


def test_imports_and_exports_are_such_that_a_report_can_leave_them_out() -> None:
    for path in MODULES.glob("*.js"):
        for line in path.read_text().splitlines():
            if line.startswith("import"):
                assert re.fullmatch(r'import \{ [\w, ]+ \} from "\./\w+\.js";', line)
            if line.startswith("export"):
                assert re.match(r"export (async )?(function|const|class) \w+", line)


def test_the_types_of_the_modules_hold() -> None:
    compiler = npm_package(TYPESCRIPT) / "lib/tsc.js"
    node = shutil.which("node")
    assert node is not None
    options = "--noEmit --allowJs --checkJs --noUnusedLocals --noUnusedParameters"
    target = "--target es2024 --module esnext --moduleResolution bundler"
    target += " --lib es2024,dom,dom.iterable"
    finished = subprocess.run(
        [node, compiler, *options.split(), *target.split(), *MODULES.glob("*.js")],
        cwd=os.sep,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout
