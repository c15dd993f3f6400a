from __future__ import annotations

from signal_trace.parts import WARNING, Queries
from tests.findings.building import found, only, ran, saved, sent, traced

READS = Queries(count=2, writes=0)
WRITES = Queries(count=2, writes=1)


def test_receiver_that_writes_while_a_fixture_is_loaded_is_named() -> None:
    trace = traced(
        *(saved(pk, ran("account", queries=WRITES), raw=True) for pk in (1, 2))
    )
    finding = only(trace, "fixture-loading")
    assert finding.level == WARNING
    assert finding.message.startswith(
        "shop.receivers.account wrote to the database while a fixture was loaded:"
        " 2 queries in 2 calls for post_save of shop.Order."
    )
    assert finding.evidence == (2, 4)
    assert "if raw: return" in finding.advice


def test_whoever_sets_off_a_write_answers_for_it() -> None:
    nested = sent("shop.placed", ran("note", queries=WRITES))
    deeper = sent("shop.began", ran("between", nested))
    finding = only(
        traced(saved(1, ran("announce", deeper), raw=True)), "fixture-loading"
    )
    assert finding.receivers == ("shop.receivers.announce",)
    assert finding.evidence == (2,)


def test_receivers_that_only_read_or_are_not_loading_are_ordinary() -> None:
    trace = traced(
        saved(1, ran("account", queries=READS), raw=True),
        saved(2, ran("account", queries=WRITES), raw=False),
        sent("shop.placed", ran("note", queries=WRITES)),
    )
    assert found(trace, "fixture-loading") == []
