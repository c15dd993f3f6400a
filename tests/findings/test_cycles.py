from __future__ import annotations

from dataclasses import replace

import pytest

from signal_trace.parts import HINT, NOT_TOLD, PROBLEM, WARNING
from tests.findings.building import Ran, Sent, found, only, ran, saved, sent, traced


def placed(*calls: Ran, order: str = "shop.Order(pk=1)") -> Sent:
    return sent("shop.signals.placed", *calls, arguments={"order": order})


def test_receiver_that_saves_its_own_instance_is_found_with_the_way() -> None:
    again = saved(1, ran("index"), at=12)
    trace = traced(saved(1, ran("announce", placed(ran("give_number", again)))))
    finding = only(trace, "cycle")
    assert finding.level == WARNING
    assert finding.message == (
        "post_save of shop.Order(pk=1) was sent again inside its own receiver"
        " shop.receivers.announce, at shop/views.py:12: post_save →"
        " shop.receivers.announce → placed → shop.receivers.give_number → post_save."
    )
    assert finding.evidence == (1, 2, 3, 4, 5)
    assert finding.receivers == (
        "shop.receivers.announce",
        "shop.receivers.give_number",
    )


def test_save_of_named_fields_is_a_hint() -> None:
    again = saved(1, ran("index"), update_fields=["parcel_label"])
    trace = traced(saved(1, ran("label", again), created=True))
    assert only(trace, "cycle").level == HINT


def test_worst_of_many_circles_is_shown() -> None:
    gentle = saved(1, ran("label", saved(1, ran("x"), update_fields=["label"])))
    worse = saved(2, ran("label", saved(2, ran("x"))))
    finding = only(traced(gentle, worse, gentle), "cycle")
    assert finding.level == WARNING
    assert "shop.Order(pk=2)" in finding.message
    assert "(and so in 2 other sends)" in finding.message
    assert set(finding.evidence) >= {1, 2, 3, 5, 6, 7, 9, 11}


def test_second_round_is_a_problem() -> None:
    third = saved(1, ran("resave"), update_fields=["a"])
    second = saved(1, ran("resave", third), update_fields=["a"])
    finding = only(traced(saved(1, ran("resave", second))), "cycle")
    assert finding.level == PROBLEM
    assert "2 levels deep" in finding.message
    assert finding.message.endswith(
        ": (post_save → shop.receivers.resave) × 2 → post_save."
    )
    assert finding.evidence == (1, 2, 3, 4, 5)


@pytest.mark.parametrize(("rounds", "level"), [(1, HINT), (2, WARNING)])
def test_what_has_no_key_may_be_another_thing_each_time(
    rounds: int, level: str
) -> None:
    order = "shop.models.Order"
    nested = placed(ran("deliver"), order=order)
    for _ in range(rounds):
        nested = placed(ran("deliver", nested), order=order)
    assert only(traced(nested), "cycle").level == level


def test_circle_below_another_signal_is_found() -> None:
    inner = saved(1, ran("resave", saved(1, ran("resave"))))
    trace = traced(sent("shop.signals.started", ran("begin", inner)))
    assert only(trace, "cycle").evidence == (3, 4, 5)


def test_circle_within_a_circle_begins_with_its_own_call() -> None:
    inner = placed(ran("later", saved(1, ran("x"))), order="shop.Order(pk=1)")
    trace = traced(saved(1, ran("first"), ran("second", inner), ran("third")))
    assert only(trace, "cycle").receivers[0] == "shop.receivers.second"


@pytest.mark.parametrize(
    ("setting", "arguments"),
    [("names", {"instance": NOT_TOLD, "update_fields": NOT_TOLD}), ("off", {})],
)
def test_where_the_instance_is_not_told_nothing_is_said(
    setting: str, arguments: dict[str, str]
) -> None:
    nested = saved(1, ran("history"))
    for pk in range(2, 5):
        nested = saved(pk, ran("history", nested))
    trace = traced(nested)
    assert found(trace, "cycle") == []
    sends = tuple(replace(send, arguments=arguments) for send in trace.sends)
    assert found(replace(trace, sends=sends), "cycle", ARGUMENTS=setting) == []


def test_arguments_of_ones_own_signal_that_are_not_told_may_differ() -> None:
    nested = placed(ran("deliver", placed(ran("x"), order=NOT_TOLD)), order=NOT_TOLD)
    assert found(traced(nested), "cycle", ARGUMENTS="names") == []


@pytest.mark.parametrize("setting", ["safe", "names"])
def test_signal_without_arguments_that_comes_back_is_found(setting: str) -> None:
    nested = sent("shop.tick", ran("deliver", sent("shop.tick", ran("x"))))
    assert only(traced(nested), "cycle", ARGUMENTS=setting).level == HINT


def test_sender_that_is_an_instance_is_known_whatever_is_told() -> None:
    facts = {"sender": "shop.Order(pk=1)"}
    nested = sent("shop.tick", ran("deliver", sent("shop.tick", **facts)), **facts)
    assert only(traced(nested), "cycle", ARGUMENTS="off").level == WARNING


def test_instance_that_is_no_model_may_be_another_each_time() -> None:
    cart = {"instance": "shop.carts.Cart"}
    inner = sent("shop.filled", ran("x"), arguments=cart)
    trace = traced(sent("shop.filled", ran("count", inner), arguments=cart))
    assert only(trace, "cycle").level == HINT


ORDINARY = {
    "another row": saved(1, ran("save_parent", saved(2, ran("save_parent")))),
    "another model": saved(
        1, ran("history", saved(1, ran("x"), model="shop.HistoricalOrder"))
    ),
    "one after another": saved(
        1, ran("x", placed(ran("a"))), ran("y", placed(ran("a")))
    ),
    "before and after": saved(
        1, ran("x", saved(1, ran("y"), signal="pre_save")), signal="post_save"
    ),
    "rows without a key": saved(
        None, ran("x", saved(None, ran("x"), signal="pre_save")), signal="pre_save"
    ),
    "another order": placed(
        ran("deliver", placed(ran("x"), order="shop.Order(pk=2)")),
        order="shop.Order(pk=1)",
    ),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_nesting_is_not_found(name: str) -> None:
    assert found(traced(ORDINARY[name]), "cycle") == []


def chain_of(levels: int) -> Sent:
    nested = sent("shop.last", ran("last"))
    for level in range(levels - 1):
        nested = sent(f"shop.signal_{level}", ran(f"receiver_{level}", nested))
    return nested


@pytest.mark.parametrize(("levels", "count"), [(9, 0), (10, 1)])
def test_deep_nesting_at_its_limit(levels: int, count: int) -> None:
    trace = traced(chain_of(2), chain_of(levels))
    assert len(found(trace, "deep-nesting")) == count
    assert len(found(trace, "deep-nesting", DEEP_NESTING=levels)) == 1
    assert len(found(trace, "deep-nesting", DEEP_NESTING=levels + 1)) == 0


def test_deep_nesting_shows_the_way_down() -> None:
    finding = only(traced(chain_of(10)), "deep-nesting")
    assert finding.level == WARNING
    assert finding.message.startswith(
        "Sends were nested 10 levels deep: signal_8 → shop.receivers.receiver_8 →"
    )
    assert finding.message.endswith("→ shop.receivers.receiver_0 → last.")
    assert " → … → " in finding.message
    assert len(finding.receivers) == 9
    assert finding.evidence == tuple(range(1, 20))


@pytest.mark.slow
def test_nesting_that_is_deeper_than_python_recurses_is_examined() -> None:
    [send] = traced(saved(1, ran("resave"))).sends
    sends = tuple(
        replace(
            send,
            id=2 * depth + 1,
            parent=2 * depth or None,
            calls=(replace(send.calls[0], id=2 * depth + 2),),
        )
        for depth in range(3_000)
    )
    trace = replace(traced(), sends=sends)
    assert "2,999 levels deep" in only(trace, "cycle").message
    assert "3,000 levels deep" in only(trace, "deep-nesting").message
