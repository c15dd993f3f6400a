"""Celery's app of the test project, on a broker of files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery

from tests.app.signals import opened
from tests.app.views import make_sender

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.celery_settings")

app = Celery("tests")
folder = Path(os.environ.get("TEST_BROKER", "."))
app.conf.update(
    broker_url="filesystem://",
    broker_transport_options={
        "data_folder_in": str(folder / "queue"),
        "data_folder_out": str(folder / "queue"),
        "control_folder": str(folder / "control"),
        "polling_interval": 0.05,
    },
    worker_send_task_events=False,
    task_ignore_result=True,
)


@app.task(name="open")
def open_one(name: str) -> None:
    opened.send(make_sender(name))


@app.task(name="fail")
def fail() -> None:
    raise ValueError("it failed")


@app.task(name="retry", bind=True, max_retries=1)
def retry(self: Any, name: str) -> None:
    opened.send(make_sender(name))
    if self.request.retries == 0:
        raise self.retry(countdown=0)


@app.task(name="nested")
def nested(name: str) -> None:
    opened.send(make_sender(name))
    open_one.apply(args=["inner"])
    opened.send(make_sender(name))
