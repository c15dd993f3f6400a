from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
import threading
import types
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from django.contrib.auth.signals import user_logged_in
from django.core.signals import request_started
from django.db.models.signals import m2m_changed, post_save
from django.dispatch import Signal
from django.test.signals import setting_changed, template_rendered

from signal_trace import signal_names
from signal_trace.signal_names import signal_name
from tests.app.signals import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    Imported = Callable[..., ModuleType]

HERE = __name__


class Hostile:
    """Raises whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class HostileClass(type):
    """So does a class of this kind."""

    __getattribute__ = Hostile.__getattribute__


class Slotted:
    __slots__ = ()


defined_here = Signal()
annotated: Signal = Signal()


class Orders:
    placed = Signal()


class HostileOrders(metaclass=HostileClass):
    paid = Signal()


namespace_of = type.__dict__["__dict__"].__get__


@pytest.mark.parametrize(
    ("signal", "name"),
    [
        (post_save, "django.db.models.signals.post_save"),
        (m2m_changed, "django.db.models.signals.m2m_changed"),
        (request_started, "django.core.signals.request_started"),
        (setting_changed, "django.core.signals.setting_changed"),
        (template_rendered, "django.test.signals.template_rendered"),
        (user_logged_in, "django.contrib.auth.signals.user_logged_in"),
        (opened, "tests.app.signals.opened"),
        (defined_here, f"{HERE}.defined_here"),
        (annotated, f"{HERE}.annotated"),
        (Orders.placed, f"{HERE}.Orders.placed"),
        (namespace_of(HostileOrders)["paid"], f"{HERE}.HostileOrders.paid"),
    ],
)
def test_signal_is_named_after_the_place_that_defines_it(
    signal: Signal, name: str
) -> None:
    assert signal_name(signal).name == name


def test_signal_that_nothing_binds_is_unnamed() -> None:
    class Special(Signal):
        pass

    special, plain = Special(), Signal()
    assert signal_name(plain).name == "unnamed django.dispatch.dispatcher.Signal"
    assert signal_name(special).name.startswith(f"unnamed {HERE}.")


def test_signal_that_died_too_early_is_unnamed() -> None:
    signal = Signal()
    name = signal_name(signal)
    del signal
    gc.collect()
    assert name.name == "unnamed django.dispatch.dispatcher.Signal"


def test_signal_keeps_its_name_when_it_has_died(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module, signal = type(sys)("st_passing"), Signal()
    module.sent = signal  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "st_passing", module)
        name = signal_name(signal)
        assert name.name == "st_passing.sent"
    alive = weakref.ref(signal)
    del module, signal
    gc.collect()
    assert alive() is None
    assert name.name == "st_passing.sent"


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Imported]:
    """Import modules of the given sources, in their order, and give the first."""
    before = set(sys.modules)

    def write_and_import(**sources: str) -> ModuleType:
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source)
        importlib.invalidate_caches()
        first, *_ = [importlib.import_module(name) for name in sources]
        return first

    monkeypatch.syspath_prepend(tmp_path)
    yield write_and_import
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_signal_is_named_after_its_definition_though_others_import_it(
    imported: Imported,
) -> None:
    module = imported(
        st_where_it_is_defined="from django.dispatch import Signal\nsent = Signal()\n",
        # Likelier by its name, if it were not for the source.
        signals="from st_where_it_is_defined import sent\n",
    )
    assert signal_name(module.sent).name == "st_where_it_is_defined.sent"


def test_signal_bound_under_two_names_has_the_one_it_was_given_first(
    imported: Imported,
) -> None:
    module = imported(
        st_defines="from django.dispatch import Signal\nsent = Signal()\n",
        st_renames="from st_defines import sent as received\n",
    )
    assert signal_name(module.sent).name == "st_defines.sent"


def test_signal_without_source_is_named_after_the_likeliest_module(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signal = Signal()
    for name in ("st_short", "st.much.longer.signals"):
        module = type(sys)(name)
        module.sent = signal  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, module)
    assert signal_name(signal).name == "st.much.longer.signals.sent"


def test_module_that_came_in_place_of_another_is_searched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("st_first", "st_second"):
        module, signal = type(sys)(name), Signal()
        module.sent = signal  # type: ignore[attr-defined]
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, module)
            assert signal_name(signal).name == f"{name}.sent"


def test_looking_for_a_signal_loads_no_lazy_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "st_lazy.py"
    path.touch()
    spec = importlib.util.spec_from_file_location("st_lazy", path)
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "st_lazy", module)
    signal, lazy = Signal(), type(module)
    assert signal_name(signal).name.startswith("unnamed")
    assert type(module) is lazy
    assert module.__name__ == "st_lazy"
    assert type(module) is not lazy


@pytest.mark.parametrize("make", [lambda: None, Hostile, Slotted, mock.MagicMock])
def test_strange_things_among_the_modules_are_passed_over(
    make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = make()
    monkeypatch.setitem(sys.modules, f"st_strange_{id(strange)}", strange)
    signal = Signal()
    assert signal_name(signal).name.startswith("unnamed")


def test_a_name_can_be_asked_for_in_the_middle_of_a_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[str] = []

    def bound_amid_garbage() -> Iterator[tuple[str, str, Signal]]:
        found.append(signal_name(Signal()).name)  # As a finalizer may.
        yield from bound_signals()

    bound_signals = signal_names._bound_signals
    monkeypatch.setattr(signal_names, "_bound_signals", bound_amid_garbage)
    monkeypatch.setattr(signal_names, "_modules_searched", set())
    assert signal_name(Signal()).name == "unnamed django.dispatch.dispatcher.Signal"
    assert found == ["unnamed django.dispatch.dispatcher.Signal"]


def test_a_search_goes_on_while_modules_are_imported_and_signals_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = map("st_imported_meanwhile_{}".format, range(100_000))

    def import_one(phase: str, info: object) -> None:
        name = next(names)
        one = types.ModuleType(name)
        monkeypatch.setitem(sys.modules, name, one)
        for grows in (signal_names, Orders):
            monkeypatch.setattr(grows, name, one, raising=False)

    monkeypatch.setattr(signal_names, "_modules_searched", set())
    # No more tuples in store: new ones bring the next collection nearer.
    held = [(number, number) for number in range(5_000)]
    threshold = gc.get_threshold()
    gc.callbacks.append(import_one)
    gc.set_threshold(100)
    try:
        name = signal_name(signal := Signal()).name
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(import_one)
        held.clear()
    assert name == f"unnamed {type(signal).__module__}.Signal"


def test_a_name_that_another_thread_is_looking_for_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = signal_names.SignalName(request_started)
    bound = signal_names._bound_signals
    searching, go_on = threading.Event(), threading.Event()

    def search() -> Any:
        searching.set()
        assert go_on.wait(60)
        return bound()

    monkeypatch.setattr(signal_names, "_bound_signals", search)
    monkeypatch.setattr(signal_names, "_places", type(signal_names._places)())
    monkeypatch.setattr(signal_names, "_modules_searched", set())
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(lambda: name.name)
        assert searching.wait(60)
        second = pool.submit(lambda: name.name)
        while not second.running() and not second.done():
            pass
        go_on.set()
        told = {first.result(60), second.result(60)}
    assert told == {"django.core.signals.request_started"}
