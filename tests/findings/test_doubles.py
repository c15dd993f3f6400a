from __future__ import annotations

from typing import Any

import pytest

from signal_trace.parts import HINT, NOT_TOLD, WARNING, Connection
from tests.findings.building import MODELS, Ran, found, only, ran, saved, sent, traced


def connected(
    receiver: str, uid: str | None = None, sender: str | None = None, **facts: Any
) -> Ran:
    return ran(receiver, connection=Connection(uid, True, sender, 1), **facts)


def test_function_connected_twice_is_found_in_one_send() -> None:
    twice = [connected("send_mail", sender="shop.Order") for _ in range(2)]
    trace = traced(saved(1, ran("first"), *twice), saved(2, ran("first"), *twice))
    finding = only(trace, "ran-twice")
    assert finding.level == WARNING
    assert finding.message == (
        "shop.receivers.send_mail ran twice in one send of post_save from shop.Order"
        " (and so in 2 sends): it is connected twice, without a dispatch_uid."
    )
    assert finding.evidence == (3, 4, 7, 8)
    assert finding.receivers == ("shop.receivers.send_mail",)


def test_different_dispatch_uids_are_named() -> None:
    twice = [connected("send_mail", uid) for uid in ("mail", "mail-2")]
    finding = only(traced(saved(1, *twice)), "ran-twice")
    assert "with different dispatch_uids (mail and mail-2)" in finding.message


def test_connection_for_one_sender_and_for_all_is_named() -> None:
    twice = [connected("send_mail", sender=sender) for sender in ("shop.Order", None)]
    finding = only(traced(saved(1, *twice)), "ran-twice")
    assert "to hear shop.Order and everybody" in finding.message


def test_module_imported_under_two_names_is_named() -> None:
    code = {"file": "/srv/mysite/shop/receivers.py", "line": 9}
    twice = [
        connected(f"{module}.send_mail", **code)
        for module in ("shop.receivers", "mysite.shop.receivers")
    ]
    finding = only(traced(saved(1, *twice)), "ran-twice")
    assert "more than one name" in finding.message
    assert finding.receivers == (
        "shop.receivers.send_mail",
        "mysite.shop.receivers.send_mail",
    )


def test_methods_may_be_those_of_two_objects() -> None:
    twice = [connected("tracker.FieldTracker.on_save") for _ in range(2)]
    finding = only(traced(saved(1, *twice)), "ran-twice")
    assert finding.level == HINT
    assert "unless these are different objects" in finding.message


def test_a_model_with_two_image_fields_is_ordinary() -> None:
    name = "django.db.models.fields.files.ImageField.update_dimension_fields"
    loaded = saved(1, ran(name), ran(name), signal="post_init")
    assert found(traced(loaded), "ran-twice") == []


def test_functions_of_one_decorator_are_not_one() -> None:
    code = {"file": "/srv/shop/decorators.py", "line": 5}
    calls = [connected(name, **code) for name in ("shop.a.first", "shop.a.second")]
    assert found(traced(saved(1, *calls)), "ran-twice") == []


def test_one_thing_saved_from_two_lines_is_found() -> None:
    trace = traced(
        saved(1, ran("index"), ran("mail"), at=30), saved(1, ran("index"), at=41)
    )
    finding = only(trace, "ran-twice")
    assert finding.level == HINT
    assert finding.message == (
        "shop.receivers.index ran twice for shop.Order(pk=1): post_save was sent with"
        " the same arguments from shop/views.py:30 and shop/views.py:41."
    )
    assert finding.evidence == (1, 2, 4, 5)


@pytest.mark.parametrize(
    "arguments",
    [{"order": "shop.Order(pk=1)"}, {"instance": "shop.Order(pk=1)"}],
)
def test_own_signal_sent_twice_is_worse(arguments: dict[str, Any]) -> None:
    sends = [
        sent("shop.signals.order_paid", ran("mail"), at=at, arguments=arguments)
        for at in (30, 41)
    ]
    assert only(traced(*sends), "ran-twice").level == WARNING


def test_sender_may_be_what_is_the_same() -> None:
    sends = [
        sent("shop.signals.order_paid", ran("mail"), at=at, sender="shop.Order(pk=1)")
        for at in (30, 41)
    ]
    assert "for shop.Order(pk=1):" in only(traced(*sends), "ran-twice").message


def test_many_things_sent_twice_from_the_same_lines_are_one_finding() -> None:
    sends = [saved(pk, ran("index"), at=at) for pk in range(9) for at in (30, 41)]
    finding = only(traced(*sends), "ran-twice")
    assert "for shop.Order(pk=0) (and so for 8 others)" in finding.message
    assert len(finding.evidence) == 36


def test_silenced_receiver_is_left_out_of_the_list() -> None:
    sends = [saved(1, ran("index"), ran("mail"), at=at) for at in (30, 41)]
    silenced = ["ran-twice:shop.receivers.index"]
    finding = only(traced(*sends), "ran-twice", SILENCED_FINDINGS=silenced)
    assert finding.receivers == ("shop.receivers.mail",)
    assert "index" not in finding.message


ORDINARY = {
    "created, then changed": [saved(1, created=True), saved(1, at=41)],
    "other fields each time": [
        saved(1, update_fields=["status"]),
        saved(1, at=41, update_fields=["total"]),
    ],
    "two rows": [saved(1), saved(2, at=41)],
    "two rows without a key": [saved(None), saved(None, at=41)],
    "two models": [saved(1), saved(1, at=41, model="admin.LogEntry")],
    "in a loop": [saved(1), saved(1)],
    "from lines that aren't known": [saved(1, at=None), saved(1, at=None)],
    "before and after": [saved(1, signal="pre_save"), saved(1)],
    "loaded twice": [
        saved(1, signal="post_init"),
        saved(1, signal="post_init", at=41),
    ],
    "two tags added": [
        sent(
            f"{MODELS}.m2m_changed",
            at=at,
            arguments={"instance": "shop.Order(pk=1)", "action": action, "pk_set": 1},
        )
        for at in (30, 41)
        for action in ("pre_add", "post_add")
    ],
    "of what is not told": [
        sent("shop.signals.order_paid", at=at, arguments={"instance": NOT_TOLD})
        for at in (30, 41)
    ],
    "with what may differ": [
        sent(
            "shop.signals.order_moved",
            at=at,
            arguments={"order": "shop.Order(pk=1)", "status": "str"},
        )
        for at in (30, 41)
    ],
    "nobody knows of what": [
        sent("shop.signals.order_paid", at=at, arguments={"order": "shop.models.Order"})
        for at in (30, 41)
    ],
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_things_are_not_found(name: str) -> None:
    sends = ORDINARY[name]
    for one in sends:
        one.calls = (ran("index"),)
    assert found(traced(*sends), "ran-twice") == []


def test_save_in_a_receiver_and_one_outside_are_not_the_same() -> None:
    inner = saved(1, ran("index"), at=41)
    trace = traced(sent("shop.placed", ran("note", inner)), saved(1, ran("index")))
    assert found(trace, "ran-twice") == []
