"""The wheel is whole: built from the sdist, installed elsewhere, it renders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent

RENDER = """
import django, signal_trace
from django.conf import settings
from django.dispatch import Signal
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path

settings.configure(
    DEBUG=True,
    SECRET_KEY="x",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    STATIC_URL="static/",
    INSTALLED_APPS=["django.contrib.staticfiles", "debug_toolbar", "signal_trace"],
    MIDDLEWARE=["debug_toolbar.middleware.DebugToolbarMiddleware"],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
        }
    ],
    DEBUG_TOOLBAR_PANELS=["signal_trace.panel.SignalTracePanel"],
    DEBUG_TOOLBAR_CONFIG={
        "RENDER_PANELS": True,
        "SHOW_TOOLBAR_CALLBACK": lambda request: True,
    },
)
django.setup()

ping = Signal()

def receive(**kwargs):
    pass

def view(request):
    ping.send("somebody")
    return HttpResponse("<body></body>")

ping.connect(receive)
urlpatterns = [
    path("", view),
    path("__debug__/", include("debug_toolbar.urls")),
]
page = Client().get("/").content.decode()
assert 'class="st-tree"' in page, page
assert "__main__.receive" in page.replace("<wbr>", ""), page

with signal_trace.record() as recording:
    ping.send("somebody")
assert "__main__.receive" in recording.trace.export("html")

from django.contrib.staticfiles import finders
print(signal_trace.__file__)
print(finders.find("signal_trace/views.css"))
"""


def run(*command: str | Path, **options: Any) -> str:
    finished = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, **options
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def files_under(folder: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dist = tmp_path_factory.mktemp("dist")
    # Told neither, `build` makes the sdist, and the wheel from that.
    run("-m", "build", "--no-isolation", "--outdir", dist, ROOT)
    [wheel] = dist.glob("*.whl")
    return wheel


def test_wheel_holds_the_package_and_its_templates_only(wheel: Path) -> None:
    held = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}

    templates = {f"signal_trace/{name}" for name in files_under("templates")}
    assert "signal_trace/templates/signal_trace/panel.html" in templates
    assert held == files_under("signal_trace") | templates


def test_installed_wheel_renders_its_templates(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    run("-m", "pip", "install", "--quiet", "--no-deps", "--target", target, wheel)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    printed = run(
        "-c",
        RENDER,
        cwd=elsewhere,
        env=os.environ | {"PYTHONPATH": str(target)},
    )

    assert printed.splitlines() == [
        str(target / "signal_trace/__init__.py"),
        str(target / "signal_trace/static/signal_trace/views.css"),
    ]
