from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from django.utils import translation

from signal_trace import modules
from signal_trace.exports import html
from signal_trace.packing import unpack
from signal_trace.parts import Error
from signal_trace.trace import Trace
from tests.traces import CHECKOUT

FOLDER = Path(html.__file__).parent.parent / "static/signal_trace"
MODULES = sorted(FOLDER.glob("*.js"))

NASTY = "</script><!--<script>alert('x')</script> \u202e\x00\ud800 \"'&amp;"
HOSTILE = replace(
    CHECKOUT,
    name=NASTY,
    error=Error(NASTY, NASTY * 1000, ()),
    sends=(replace(CHECKOUT.sends[0], sender=NASTY, arguments={NASTY: NASTY}),),
)


class Elements(HTMLParser):
    """The elements of a page: their attributes, and the text of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        tag, attributes = self.found[-1] if self.found else ("", {})
        name = attributes.get("id") or tag
        self.texts[name] = self.texts.get(name, "") + data


def data_of(page: str) -> Any:
    return json.loads(Elements(page).texts["signal-trace-data"])


def test_report_holds_the_trace() -> None:
    assert unpack(Trace, data_of(CHECKOUT.export("html"))["trace"]) == CHECKOUT


def test_report_holds_the_text() -> None:
    page = Elements(CHECKOUT.export("html"))
    # With the line breaks behind the element.
    assert page.texts["pre"].rstrip("\n") == CHECKOUT.export("text").rstrip("\n")


def test_report_is_called_after_the_trace() -> None:
    page = Elements(CHECKOUT.export("html"))
    assert page.texts["title"].startswith("POST /checkout/ –")
    unnamed = Elements(replace(CHECKOUT, name="", kind="block").export("html"))
    assert unnamed.texts["title"].startswith("block –")


def test_names_from_the_application_are_text_only() -> None:
    page = HOSTILE.export("html")
    assert unpack(Trace, data_of(page)["trace"]) == HOSTILE
    tags = [tag for tag, _ in Elements(page).found]
    assert tags == [tag for tag, _ in Elements(CHECKOUT.export("html")).found]
    assert "<script>alert" not in page
    assert page.encode()  # The lone surrogate could not be written.
    assert len(Elements(page).texts["title"]) < 300


def test_report_allows_its_own_style_and_script_and_nothing_else() -> None:
    page = CHECKOUT.export("html")
    elements = Elements(page)
    (policy,) = [
        attributes["content"]
        for tag, attributes in elements.found
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    (style,) = re.findall("<style>(.*)</style>", page, re.DOTALL)
    (script,) = re.findall('<script type="module">(.*)</script>', page, re.DOTALL)
    rules = dict(rule.split(" ", 1) for rule in str(policy).split("; "))
    assert rules == {
        "default-src": "'none'",
        "style-src": hash_of(style),
        "script-src": hash_of(script),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def hash_of(code: str) -> str:
    digest = hashlib.sha256(code.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def test_report_refers_to_nothing_outside() -> None:
    for _, attributes in Elements(CHECKOUT.export("html")).found:
        for name in ("src", "href", "srcset", "action", "data"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert "url(" not in html._inside()["style"]
    assert "@import" not in html._inside()["style"]


def test_report_is_in_the_language_in_force() -> None:
    with translation.override("ar"):
        attributes = dict(Elements(CHECKOUT.export("html")).found)["html"]
    assert attributes == {"lang": "ar", "dir": "rtl"}


@pytest.mark.parametrize(
    "templates", [[], [{"BACKEND": "django.template.backends.dummy.TemplateStrings"}]]
)
def test_report_needs_no_template_engine_of_the_project(templates: Any) -> None:
    expected = CHECKOUT.export("html")
    with override_settings(TEMPLATES=templates):
        assert CHECKOUT.export("html") == expected


def test_report_needs_neither_the_toolbar_nor_installed_apps(tmp_path: Path) -> None:
    file = tmp_path / "checkout.json"
    file.write_text(CHECKOUT.to_json())
    program = """if True:
        import sys
        sys.modules["debug_toolbar"] = None
        import django
        from django.conf import settings
        settings.configure()
        django.setup()
        from signal_trace import Trace
        print(Trace.load(sys.argv[1]).export("html"))
    """
    made = subprocess.run(
        [sys.executable, "-c", program, file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.stderr == ""
    assert unpack(Trace, data_of(made.stdout)["trace"]) == CHECKOUT


def test_the_script_has_every_module_once_after_what_it_imports() -> None:
    code = modules.script()
    for path in MODULES:
        module = modules.EXPORT.sub("", modules.IMPORT.sub("", path.read_text()))
        assert code.count(module) == 1
    assert code.index("class Timeline") < code.index("class Views")
    assert code.index("class Views") < code.index("customElements.define")


def test_nothing_in_style_or_script_ends_its_element() -> None:
    inside = html._inside()
    for code in (inside["style"], inside["script"]):
        assert not re.search("<!--|<script|</", code, re.IGNORECASE)
