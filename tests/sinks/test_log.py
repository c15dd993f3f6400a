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
from signal_trace.sinks.log import PREFIX, LogSink
from signal_trace.summary import summary
from tests.traces import CHECKOUT, EMPTY, FAILURE, LARGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from signal_trace import Trace
    from tests.fake_clock import FakeClock

NAME = "signal_trace.tests.log"

# What every record has of itself, and what formatters put there.
RESERVED = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}

SAVED = replace(
    CHECKOUT,
    attributes=CHECKOUT.attributes | {"status_code": 200},
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
    "record": "trace",
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
        (replace(SAVED, attributes={"status_code": 500}), {}, "WARNING"),
        (replace(SAVED, attributes={"status_code": 404}), {}, "INFO"),
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


# -- Details -------------------------------------------------------------------------


def detailed(
    records: list[logging.LogRecord], trace: Trace, details: str, **options: Any
) -> list[logging.LogRecord]:
    """The records after the summary."""
    LogSink(NAME, details=details, **options)(trace)
    summary, *rest = records
    assert fields_of(summary)["signal_trace_record"] == "trace"
    return rest


SEND_FIELDS = {
    "record": "send",
    "id": CHECKOUT.id,
    "name": "POST /checkout/",
    "send": 1,
    "parent": None,
    "signal": "django.db.models.signals.post_save",
    "sender": "shop.Order",
    "method": "send",
    "location": "/srv/shop/views.py:12",
    "start_ms": 2.0,
    "duration_ms": 10.0,
    "calls": 2,
    "failures": 1,
    "queries": 4,
    "queries_ms": 3.0,
    "transaction": "rolled back",
    "called_receivers": [
        {
            "receiver": "shop.receivers.announce",
            "self_ms": 3.0,
            "outcome": "returned",
            "error": None,
        },
        {
            "receiver": "shop.receivers.take_from_stock",
            "self_ms": 0.05,
            "outcome": "raised",
            "error": "ValueError",
        },
    ],
    "error": "ValueError",
}
CALL_FIELDS = {
    "record": "call",
    "id": CHECKOUT.id,
    "name": "POST /checkout/",
    "send": 1,
    "call": 3,
    "signal": "django.db.models.signals.post_save",
    "sender": "shop.Order",
    "receiver": "shop.receivers.take_from_stock",
    "location": "shop/receivers.py:29",
    "start_ms": 9.0,
    "duration_ms": 0.05,
    "self_ms": 0.05,
    "outcome": "raised",
    "queries": 0,
    "queries_ms": 0.0,
    "error": "ValueError",
}


def test_a_failed_call_is_a_record_with_every_field(
    records: list[logging.LogRecord],
) -> None:
    [record] = detailed(records, CHECKOUT, "failed")
    assert fields_of(record) == {f"{PREFIX}{k}": v for k, v in CALL_FIELDS.items()}
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        "POST /checkout/: shop.receivers.take_from_stock raised ValueError and took"
        " 0.050 ms of its own, on post_save from shop.Order(pk=7)"
    )


def test_a_send_is_a_record_with_every_field(
    records: list[logging.LogRecord],
) -> None:
    first, second = detailed(records, CHECKOUT, "sends")
    assert fields_of(first) == {f"{PREFIX}{k}": v for k, v in SEND_FIELDS.items()}
    assert [one.levelname for one in (first, second)] == ["WARNING", "INFO"]
    name = "POST /checkout/: "
    assert [one.getMessage().removeprefix(name) for one in (first, second)] == [
        "post_save from shop.Order(pk=7): 2 calls, 10.00 ms, raised ValueError",
        "order_placed from shop.Order: 2 calls, 4.00 ms",
    ]


def receivers(records: list[logging.LogRecord]) -> list[str]:
    return [
        fields_of(record)["signal_trace_receiver"].rpartition(".")[2]
        for record in records
    ]


def test_slow_calls_are_those_beyond_the_setting_and_those_that_failed(
    records: list[logging.LogRecord], settings: Settings
) -> None:
    assert receivers(detailed(records, CHECKOUT, "slow")) == ["take_from_stock"]
    records.clear()
    settings.SIGNAL_TRACE = {"SLOW_RECEIVER_MS": 3}
    found = detailed(records, CHECKOUT, "slow")
    assert receivers(found) == ["announce", "take_from_stock", "send"]
    assert [record.levelname for record in found] == ["INFO", "WARNING", "INFO"]


def test_without_details_there_is_but_the_summary(
    records: list[logging.LogRecord],
) -> None:
    assert detailed(records, CHECKOUT, "none") == []


def test_details_below_the_level_of_the_logger_are_left_out(
    records: list[logging.LogRecord],
) -> None:
    logging.getLogger(NAME).setLevel(logging.WARNING)
    LogSink(NAME, details="sends")(CHECKOUT)
    assert [fields_of(record)["signal_trace_record"] for record in records] == [
        "trace",
        "send",
    ]


def test_a_send_that_never_finished_has_no_duration(
    records: list[logging.LogRecord],
) -> None:
    send = replace(
        CHECKOUT.sends[0],
        duration_ns=None,
        error=None,
        call_site=None,
        calls=(replace(CHECKOUT.sends[0].calls[1], duration_ns=None, self_ns=None),),
    )
    trace = replace(CHECKOUT, sends=(send,), name="GET /\nforged", not_called=())
    [record] = detailed(records, trace, "sends")
    fields = fields_of(record)
    assert fields["signal_trace_duration_ms"] is None
    assert fields["signal_trace_location"] is None
    assert fields["signal_trace_called_receivers"][0]["self_ms"] is None
    assert record.getMessage() == (
        r"GET /\nforged: post_save from shop.Order(pk=7): 1 call, –"
    )


def test_no_field_of_a_detail_has_a_name_that_records_keep_for_themselves() -> None:
    fields = {f"{PREFIX}{key}" for key in {**SEND_FIELDS, **CALL_FIELDS}}
    assert not fields & RESERVED


@pytest.mark.parametrize("details", ["all", "", "Sends", None, True, []])
def test_unknown_details_are_refused(details: Any) -> None:
    with pytest.raises(ValueError, match=r"^details is .*, which is none of"):
        LogSink(details=details)


def formatters() -> list[logging.Formatter]:
    return [
        JsonFormatter("%(levelname)s %(message)s"),
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        ),
    ]


@pytest.mark.parametrize("formatter", formatters(), ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("details", ["slow", "sends"])
def test_every_field_of_a_detail_is_rendered(
    records: list[logging.LogRecord], formatter: logging.Formatter, details: str
) -> None:
    for record in detailed(records, CHECKOUT, details):
        rendered = json.loads(formatter.format(record))
        fields = fields_of(record)
        assert {key: rendered[key] for key in fields} == fields


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


def test_log_says_what_keeps_it_from_being_read() -> None:
    logger = logging.getLogger("signal_trace.tests.unread")
    logger.propagate = False
    sink = LogSink(logger=logger.name)
    logger.setLevel("ERROR")
    assert "passes ERROR and above, and most traces are INFO" in sink.problem()
    logger.setLevel("INFO")
    assert "has no handler" in sink.problem()
    logger.addHandler(logging.NullHandler())
    assert sink.problem() == ""
