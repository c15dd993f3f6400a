"""The documentation is complete, and what it tells people to paste works."""

from __future__ import annotations

import dataclasses
import inspect
import json
import logging.config
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

import signal_trace
from signal_trace import conf, exports, sinks
from signal_trace.middleware import SignalTraceMiddleware
from signal_trace.parts import (
    Call,
    Connection,
    Error,
    Event,
    Frame,
    NotCalled,
    OmittedCalls,
    Queries,
    Send,
    Statement,
    Unreceived,
)
from signal_trace.sinks import log_details, worker
from signal_trace.sinks.log import DETAILS, PREFIX, LogSink
from signal_trace.summary import summary
from signal_trace.trace import Trace
from tests.traces import CHECKOUT

if TYPE_CHECKING:
    from pytest_django import Settings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


def tables(name: str) -> dict[str, dict[str, list[str]]]:
    """Each table of a page by its first heading cell: the cells behind each of the
    names in the first column."""
    found: dict[str, dict[str, list[str]]] = {}
    rows: dict[str, list[str]] | None = None
    for line in text_of(name).splitlines():
        if not line.startswith("|"):
            rows = None
            continue
        first, *others = [cell.strip() for cell in line.strip("|").split(" | ")]
        if rows is None:
            rows = found[first.strip()] = {}
        elif not first.startswith("---"):
            for one in re.findall(r"`([^`]+)`", first):
                rows[one] = others
    return found


def blocks(name: str, language: str) -> list[tuple[str, str]]:
    """The code blocks of a page, each with the comment that stands before it."""
    return re.findall(
        rf"(?:<!-- (\S+) -->\n)?```{language}\n(.*?)```", text_of(name), re.DOTALL
    )


def fields(cls: Any) -> set[str]:
    return {field.name for field in dataclasses.fields(cls)}


def test_every_setting_is_documented_with_its_default() -> None:
    documented = {
        name: cells[0].strip("`")
        for name, cells in tables("docs/settings.md")["setting"].items()
    }
    defaults = dataclasses.asdict(conf.Settings())
    assert {name: repr(value) for name, value in defaults.items()} == {
        name: default.replace('"', "'") for name, default in documented.items()
    }


def test_every_check_is_documented() -> None:
    source = "".join(path.read_text() for path in ROOT.glob("signal_trace/*.py"))
    raised = set(re.findall(r'"(signal_trace\.[EW]\d{3})"', source))
    assert set(tables("docs/settings.md")["id"]) == raised


def test_every_format_is_documented_with_its_suffix() -> None:
    documented = {
        name: cells[0] for name, cells in tables("docs/exports.md")["format"].items()
    }
    assert documented == {
        one.name: f"`.{one.suffix}`" for one in exports.FORMATS.values()
    }
    for name in exports.FORMATS:
        assert f"\n## {name}\n" in text_of("docs/exports.md")


def test_every_field_of_a_log_record_is_documented() -> None:
    with signal_trace.record() as recording:
        pass
    documented = tables("docs/logging.md")["field"]
    assert list(documented) == [f"{PREFIX}{key}" for key in summary(recording.trace)]


def test_every_field_of_a_detail_is_documented() -> None:
    found = tables("docs/logging.md")
    for which, kind in (("slow", "call"), ("sends", "send")):
        detail = next(log_details.details(CHECKOUT, which, 0))
        expected = [f"{PREFIX}{key}" for key in detail.fields]
        assert sorted(found[f"field of a {kind}"]) == sorted(expected)


def test_every_kind_of_details_is_documented() -> None:
    documented = {name.strip('"') for name in tables("docs/logging.md")["`details`"]}
    assert documented == set(DETAILS) - {"none"}


def test_every_option_of_the_log_is_documented_with_its_default() -> None:
    documented = {
        name: cells[0].strip('`"')
        for name, cells in tables("docs/logging.md")["option"].items()
    }
    parameters = inspect.signature(LogSink).parameters
    assert documented == {name: one.default for name, one in parameters.items()}


@pytest.mark.parametrize(
    ("heading", "cls"),
    [("of a trace", Trace), ("of a send", Send), ("of a call", Call)],
)
def test_every_field_of_a_trace_is_documented(heading: str, cls: Any) -> None:
    assert set(tables("docs/recording.md")[heading]) >= fields(cls)


@pytest.mark.parametrize(
    "cls",
    [
        *(Error, Frame, NotCalled, Unreceived, Queries, Statement, Connection, Event),
        OmittedCalls,
    ],
)
def test_every_small_field_of_a_trace_is_mentioned(cls: Any) -> None:
    mentioned = set(re.findall(r"`(\w+)`", text_of("docs/recording.md")))
    assert mentioned >= fields(cls)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r'\]\(([^)]+)\)|(?:src|srcset)="([^"]+)"', page.read_text())
    for link in ("".join(pair) for pair in links):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.is_file(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, link


def slug(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = re.findall(r"\]\((docs/\w+\.md)", text_of("README.md"))
    assert {str(page.relative_to(ROOT)) for page in PAGES[1:]} == set(linked)


def test_the_commands_of_the_readme_exist() -> None:
    commands = re.findall(r"^\$ make (\w+)$", text_of("README.md"), re.MULTILINE)
    assert commands == ["demo", "test"]
    for command in commands:
        assert re.search(rf"^{command}:", text_of("Makefile"), re.MULTILINE)


# The README's blocks, pasted into a new project as they stand.


@pytest.fixture
def project(tmp_path: Path) -> Path:
    run(tmp_path, "-m", "django", "startproject", "mysite", ".")
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    finished = subprocess.run(
        [sys.executable, "-W", "error::SyntaxWarning", *command],
        cwd=folder,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "mysite.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished


def paste(project: Path, *headings: str) -> list[str]:
    """Append the blocks of these sections, and what they build on, to the files that
    they name; return the other blocks."""
    others = []
    for heading in ("## Use it", *(f"### {heading}" for heading in headings)):
        section = text_of("README.md").partition(heading)[2].partition("\n### ")[0]
        found = re.findall(r"<!-- (\S+) -->\n```python\n(.*?)```", section, re.DOTALL)
        assert found
        for file, block in found:
            if file.endswith(".py"):
                with (project / "mysite" / file).open("a") as opened:
                    opened.write(f"\n{block}")
            else:
                others.append(block)
    return others


PANEL = "The panel, while you develop"
LOG = "The log, in staging"
EXPORT = "The export, from anywhere"

REQUEST = """
import django
django.setup()
from django.conf import settings
from django.test import Client
settings.ALLOWED_HOSTS = ["testserver"]
response = Client().get("/admin/login/")
"""


def test_the_panel_works_as_the_readme_says(project: Path) -> None:
    assert paste(project, PANEL) == []
    run(project, "manage.py", "migrate", "--verbosity=0")
    page = run(project, "-c", f"{REQUEST}print(response.content.decode())").stdout
    assert "SignalTracePanel" in page
    assert re.search(r"\d+ calls? in [\d.]+ ms", page)
    assert "no issues" in run(project, "manage.py", "check").stdout


def test_the_log_works_as_the_readme_says(project: Path) -> None:
    assert paste(project, LOG) == []
    run(project, "manage.py", "migrate", "--verbosity=0")
    printed = run(project, "-c", REQUEST).stderr
    (line,) = [json.loads(line) for line in printed.splitlines()]
    assert line["signal_trace_name"] == "GET /admin/login/"
    assert line["signal_trace_attributes"]["status_code"] == 200
    assert set(line) >= set(tables("docs/logging.md")["field"])
    assert "no issues" in run(project, "manage.py", "check").stdout


def test_the_export_works_as_the_readme_says(project: Path) -> None:
    (block,) = paste(project, EXPORT)
    printed = run(project, "manage.py", "shell", "-c", block).stdout
    receiver = "django.contrib.auth.management.create_permissions"
    assert "migrate: " in printed
    assert receiver in printed
    events = json.loads((project / "migrate.json").read_text())["traceEvents"]
    assert {event["name"] for event in events} >= {"migrate", receiver}


def test_the_readmes_uses_work_together(project: Path) -> None:
    (block,) = paste(project, PANEL, LOG, EXPORT)
    run(project, "manage.py", "shell", "-c", block)
    finished = run(project, "-c", f"{REQUEST}print(response.content.decode())")
    assert "SignalTracePanel" in finished.stdout
    (line,) = [json.loads(line) for line in finished.stderr.splitlines()]
    assert line["signal_trace_name"] == "GET /admin/login/"
    assert "no issues" in run(project, "manage.py", "check").stdout


def test_the_structlog_example_renders_every_field(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (example,) = [
        block
        for _, block in blocks("docs/logging.md", "python")
        if "structlog" in block
    ]
    namespace: dict[str, Any] = {}
    exec(example, namespace)
    logger = logging.getLogger("signal_trace")
    before = logger.handlers[:], logger.level, logger.propagate
    try:
        logging.config.dictConfig(namespace["LOGGING"])
        with signal_trace.record("structured") as recording:
            pass
        LogSink()(recording.trace)
    finally:
        logger.handlers[:], logger.level, logger.propagate = before
    line = json.loads(capsys.readouterr().err)
    assert line["signal_trace_name"] == "structured"
    assert set(line) >= set(tables("docs/logging.md")["field"])


def test_the_example_of_a_sink_of_ones_own_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (example,) = [
        block
        for _, block in blocks("docs/logging.md", "python")
        if "def warn_of_slow_receivers" in block
    ]
    namespace: dict[str, Any] = {}
    exec(example, namespace)
    namespace["warn_of_slow_receivers"](CHECKOUT, limit_ms=0)
    assert "ran for" in capsys.readouterr().out


def example(page: str, containing: str) -> str:
    """The one block of Python on a page that has this in it."""
    (found,) = [block for _, block in blocks(page, "python") if containing in block]
    return found


def test_the_example_of_a_redactor_redacts() -> None:
    namespace: dict[str, Any] = {}
    exec(example("docs/logging.md", "def redact"), namespace)
    redact = namespace["redact"]
    path = "/customers/42/orders/"
    trace = dataclasses.replace(
        CHECKOUT,
        name=f"GET {path}",
        attributes={"method": "GET", "path": path, "status_code": 200},
    )
    redacted = redact(trace)
    assert "42" not in f"{redacted.name}{redacted.attributes}"
    assert redacted.attributes["path"] == "/customers/…/orders/"
    assert redact(dataclasses.replace(trace, name="GET /staff/")) is None
    assert redact(CHECKOUT) == CHECKOUT


def test_the_example_of_the_file_writes_what_the_other_reads(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settings: Any,
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    exec(example("docs/logging.md", "signal_trace.sinks.FileSink"), namespace)
    _, sink = namespace["SIGNAL_TRACE"]["SINKS"]
    sink["OPTIONS"]["path"] = "traces.jsonl"
    settings.SIGNAL_TRACE = {"SINKS": [sink]}
    sinks.emit(CHECKOUT)
    exec(example("docs/logging.md", "json_lines.read"), {})
    assert capsys.readouterr().out.startswith(f"{CHECKOUT.id} POST /checkout/ 2")


def test_the_numbers_of_the_queue_are_those_of_the_documentation() -> None:
    page = text_of("docs/logging.md")
    assert f"at most {worker.MOST_TRACES:,}," in page
    assert f"more than {worker.MOST_SENDS:,} sends" in page
    assert f"at most {worker.EXIT_SECONDS} seconds" in page


def test_the_rule_of_what_to_trace_does_as_is_said(
    settings: Settings, sent: list[Trace]
) -> None:
    namespace: dict[str, Any] = {}
    marked = dict(blocks("docs/choosing.md", "python"))
    exec(marked["shop/tracing.py"], namespace)
    settings.SIGNAL_TRACE = {"SHOULD_TRACE": namespace["should_trace"]}

    class User:
        is_staff = True

    def answer(request: Any) -> HttpResponse:
        request.user = User()
        return HttpResponse()

    middleware = SignalTraceMiddleware(answer)
    requests = RequestFactory()
    middleware(requests.get("/health/"))
    assert sent == []
    middleware(requests.get("/a/"))
    User.is_staff = False
    middleware(requests.get("/b/"))
    middleware(requests.get("/c/", headers={"X-Test-Run": "1"}))
    assert [trace.name for trace in sent] == ["GET /a/", "GET /c/"]


def test_the_settings_of_what_to_trace_are_right(settings: Settings) -> None:
    examples = [
        block for _, block in blocks("docs/choosing.md", "python") if "SIGNAL" in block
    ]
    assert len(examples) == 2
    for example in examples:
        namespace: dict[str, Any] = {}
        exec(example, namespace)
        settings.SIGNAL_TRACE = namespace["SIGNAL_TRACE"]
        assert conf.problems() == []


def test_the_servers_entrances_are_as_is_said(project: Path) -> None:
    marked = dict(blocks("docs/recording.md", "python"))
    paste(project)
    ask = "import mysite.{0}; print(type(mysite.{0}.application).__module__)"
    for kind in ("wsgi", "asgi"):
        (project / f"mysite/{kind}.py").write_text(marked[f"{kind}.py"])
        shown = run(project, "-c", ask.format(kind)).stdout
        assert shown.strip() == f"signal_trace.{kind}"


def test_the_example_of_many_traces_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("traces.jsonl").write_text(f"{CHECKOUT.to_json()}\n" * 2)
    exec(dict(blocks("docs/exports.md", "python"))["many"], {})
    events = json.loads(Path("traces.perfetto.json").read_text())["traceEvents"]
    assert {event["pid"] for event in events} == {1, 2}


def test_the_example_of_a_format_of_ones_own_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = dict(blocks("docs/exports.md", "python"))["shop/traces.py"]
    (tmp_path / "shop_traces.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    first, *_ = CHECKOUT.export("shop_traces.RECEIVERS").splitlines()
    assert first == f"{CHECKOUT.id}\tshop.receivers.announce\t7000000"


def test_the_example_of_the_schema_finds_it() -> None:
    namespace: dict[str, Any] = {}
    exec(dict(blocks("docs/exports.md", "python"))["schema"], namespace)
    assert namespace["schema"]["properties"]["sends"]["type"] == "array"
