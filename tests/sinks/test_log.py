from __future__ import annotations

import json
import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from django.dispatch import Signal
from pythonjsonlogger.json import JsonFormatter

import signal_trace
from signal_trace.sinks.log import PREFIX, LogSink, summary
from tests.traces import CHECKOUT, EMPTY, FAILURE, LARGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from signal_trace import Trace
    from tests.fake_clock import FakeClock

NAME = "signal_trace.tests.log"

# What every record has of itself, and what formatters put there.
RESERVED = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}

SAVED = replace(
    CHECKOUT,
    error=None,
    sends=CHECKOUT.sends[1:],
    not_called=(),
    unreceived=(),
    findings=(),
)


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """What is logged to the logger called NAME."""
    logger, handler = logging.getLogger(NAME), Records()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    yield handler.records
    logger.removeHandler(handler)
    logger.setLevel(level)


def logged(
    records: list[logging.LogRecord], trace: Trace, **options: Any
) -> logging.LogRecord:
    LogSink(NAME, **options)(trace)
    [record] = records
    return record


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in RESERVED}


SUMMARY = {
    "id": CHECKOUT.id,
    "kind": "request",
    "name": "POST /checkout/",
    "started_at": "2026-01-02T03:04:05+00:00",
    "duration_ms": 20.0,
    "receivers_ms": 18.0,
    "sends": 2,
    "calls": 4,
    "unreceived": 2101,
    "failures": 1,
    "not_called": 1,
    "rolled_back": 2,
    "queries": 9,
    "queries_ms": 6.0,
    "receivers_queries": 4,
    "omitted": 0,
    "slowest_receiver": "shop.receivers.Mailer.send",
    "slowest_receiver_ms": 4.0,
    "failed_receivers": [
        {
            "receiver": "shop.receivers.take_from_stock",
            "error": "ValueError",
            "signal": "django.db.models.signals.post_save",
        }
    ],
    "findings": [
        {
            "id": "failed-receiver",
            "level": "problem",
            "message": (
                "shop.receivers.take_from_stock raised, and 1 receiver never ran."
            ),
            "receivers": ["shop.receivers.take_from_stock"],
            "location": "/srv/shop/receivers.py:29",
        },
        {
            "id": "near-miss",
            "level": "hint",
            "message": "shop.receivers.send_voucher listens to shop.GiftOrder.",
            "receivers": ["shop.receivers.send_voucher"],
            "location": None,
        },
    ],
    "error": "ValueError",
    "attributes": {"method": "POST", "path": "/checkout/", "status_code": 500},
}


EXTRA = {f"{PREFIX}{key}": value for key, value in SUMMARY.items()}


def test_record_has_every_field_in_extra(records: list[logging.LogRecord]) -> None:
    assert fields_of(logged(records, CHECKOUT)) == EXTRA


def test_fields_of_other_peoples_records_are_left_alone(
    records: list[logging.LogRecord],
) -> None:
    make = logging.getLogRecordFactory()

    def make_with_ids(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.trace_id = record.id = record.error = record.calls = "theirs"
        return record

    logging.setLogRecordFactory(make_with_ids)
    try:
        fields = fields_of(logged(records, CHECKOUT))
    finally:
        logging.setLogRecordFactory(make)
    assert fields["trace_id"] == "theirs"
    assert fields["signal_trace_id"] == CHECKOUT.id


def test_record_of_nothing_has_the_same_fields() -> None:
    fields = summary(EMPTY)
    assert fields.keys() == SUMMARY.keys()
    assert fields["slowest_receiver"] is None
    assert fields["slowest_receiver_ms"] is None
    assert fields["error"] is None
    assert fields["failed_receivers"] == []
    assert fields["findings"] == []


def test_message_reads_by_itself(records: list[logging.LogRecord]) -> None:
    assert logged(records, CHECKOUT).getMessage() == (
        "POST /checkout/: sends 2, calls 4, receivers 18.00 ms,"
        " slowest shop.receivers.Mailer.send 4.00 ms,"
        " failed shop.receivers.take_from_stock (ValueError),"
        " found failed-receiver near-miss, ended by ValueError"
    )


def test_message_of_a_trace_without_name_says_its_kind(
    records: list[logging.LogRecord],
) -> None:
    assert logged(records, EMPTY).getMessage().startswith("block: sends 0")


def test_path_cannot_forge_a_line_of_the_log(records: list[logging.LogRecord]) -> None:
    trace = replace(CHECKOUT, name="GET /\nERROR all is lost %s\x1b[2J")
    message = logged(records, trace).getMessage()
    assert message.startswith(r"GET /\nERROR all is lost %s\x1b[2J: sends 2")


def test_fields_are_those_that_the_documentation_lists() -> None:
    lines = re.findall(r"^ *- (.+)$", LogSink.__doc__ or "", re.MULTILINE)
    documented = [
        name
        for line in lines
        for name in re.findall(r"``(\w+)``", line.partition(": ")[0])
    ]
    assert sorted(documented) == sorted(SUMMARY)


def test_no_field_has_a_name_that_records_keep_for_themselves() -> None:
    assert not EXTRA.keys() & RESERVED


@pytest.mark.parametrize(
    ("trace", "options", "level"),
    [
        (SAVED, {}, "INFO"),
        (SAVED, {"level": "DEBUG"}, "DEBUG"),
        (SAVED, {"level": "ERROR"}, "ERROR"),
        (CHECKOUT, {}, "WARNING"),
        (CHECKOUT, {"level": "DEBUG"}, "WARNING"),
        (CHECKOUT, {"level": "CRITICAL"}, "CRITICAL"),
        (replace(CHECKOUT, error=None), {}, "WARNING"),
        (replace(SAVED, error=FAILURE), {}, "WARNING"),
        (replace(SAVED, findings=CHECKOUT.findings[:1]), {}, "WARNING"),
        (replace(SAVED, findings=CHECKOUT.findings[1:]), {}, "INFO"),
    ],
)
def test_level_is_the_given_one_and_rises_with_a_failure(
    records: list[logging.LogRecord],
    trace: Trace,
    options: dict[str, str],
    level: str,
) -> None:
    assert logged(records, trace, **options).levelname == level


def test_logger_of_a_higher_level_gets_nothing(
    records: list[logging.LogRecord],
) -> None:
    logging.getLogger(NAME).setLevel(logging.WARNING)
    LogSink(NAME)(SAVED)
    assert records == []


@pytest.mark.parametrize("level", ["info", "LOUD", "", 20, None, []])
def test_unknown_level_is_refused(level: Any) -> None:
    with pytest.raises(ValueError, match=r"^level is .*, which is none of"):
        LogSink(level=level)


@pytest.mark.parametrize("logger", [None, 5, logging.getLogger(NAME)])
def test_logger_is_given_by_its_name(logger: Any) -> None:
    with pytest.raises(ValueError, match="no logger's name"):
        LogSink(logger)


@pytest.fixture
def recorded(clock: FakeClock) -> Trace:
    """The trace of a real recording, in which one of two receivers fails."""

    def slow(**kwargs: Any) -> None:
        clock.pass_ms(30)

    def fail(**kwargs: Any) -> None:
        clock.pass_ms(5)
        raise ValueError("no stock")

    ordered, unheard = Signal(), Signal()
    ordered.connect(slow)
    ordered.connect(fail)
    with signal_trace.record("büro", order=7) as recording:
        unheard.send("test")
        ordered.send_robust("test")
    return recording.trace


def expect_recorded(line: str, trace: Trace) -> None:
    assert "\n" not in line
    rendered = json.loads(line)
    fields = {key: rendered[f"{PREFIX}{key}"] for key in SUMMARY}
    assert fields == summary(trace)
    assert fields["id"] == trace.id
    assert fields["name"] == "büro"
    assert fields["receivers_ms"] == 35.0
    assert fields["slowest_receiver"].endswith("slow")
    assert fields["failed_receivers"][0]["receiver"].endswith("fail")
    assert fields["attributes"] == {"order": 7}


def test_python_json_logger_renders_every_field(
    records: list[logging.LogRecord], recorded: Trace
) -> None:
    formatter = JsonFormatter("%(levelname)s %(message)s")
    line = formatter.format(logged(records, recorded))
    expect_recorded(line, recorded)
    assert json.loads(line)["levelname"] == "WARNING"


def test_structlog_renders_every_field(
    records: list[logging.LogRecord], recorded: Trace
) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.ExtraAdder(),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
    )
    line = formatter.format(logged(records, recorded))
    expect_recorded(line, recorded)
    assert json.loads(line)["level"] == "warning"


def test_sends_that_are_only_counted_are_in_the_counts(
    records: list[logging.LogRecord],
) -> None:
    fine = replace(SAVED, omitted=LARGE.omitted)
    record = logged(records, fine)
    assert record.levelname == "WARNING"  # One of those calls failed.
    fields = fields_of(record)
    assert fields[f"{PREFIX}sends"] == 2401
    assert fields[f"{PREFIX}omitted"] == 2400
    assert fields[f"{PREFIX}failures"] == 1
