from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest

from signal_trace.patches import MOST_REMOVALS, Patches

if TYPE_CHECKING:
    from collections.abc import Callable


class Entrance:
    pass


@pytest.fixture
def greeter() -> type:
    class Greeter:
        def greet(self) -> str:
            return "hello"

    return Greeter


def louder(original: Callable[..., str]) -> Callable[..., str]:
    def greet(self: Any) -> str:
        return f"{original(self)}!"

    return greet


def theirs(original: Callable[..., str]) -> Callable[..., str]:
    def greet(self: Any) -> str:
        return f"<{original(self)}>"

    return greet


def make(greeter: type) -> Patches:
    return Patches([(greeter, "greet", louder)])


def test_a_patch_stands_while_anybody_records(greeter: Any) -> None:
    patches, original = make(greeter), greeter.greet
    patches.begin()
    patches.begin()
    assert greeter().greet() == "hello!"
    patches.end()
    assert greeter().greet() == "hello!"
    patches.end()
    assert greeter.greet is original


def test_a_patch_stays_while_an_entrance_lives(greeter: Any) -> None:
    patches, original = make(greeter), greeter.greet
    entrance = Entrance()
    patches.keep(entrance)
    for _ in range(2):
        patches.begin()
        patches.end()
        assert greeter().greet() == "hello!"
    del entrance
    gc.collect()
    patches.begin()
    patches.end()
    assert greeter.greet is original


def test_patches_come_out_a_limited_number_of_times(greeter: Any) -> None:
    patches, original = make(greeter), greeter.greet
    for _ in range(MOST_REMOVALS):
        patches.begin()
        patches.end()
        assert greeter.greet is original
    for _ in range(3):
        patches.begin()
        patches.end()
        assert greeter().greet() == "hello!"


def test_another_patch_above_ours_is_kept_and_ours_comes_out_when_it_has_gone(
    greeter: Any,
) -> None:
    patches, original = make(greeter), greeter.greet
    patches.begin()
    ours = greeter.greet
    greeter.greet = theirs(ours)
    patches.end()
    assert greeter().greet() == "<hello!>"
    greeter.greet = ours  # They put back what they found.
    patches.begin()
    patches.end()
    assert greeter.greet is original


def test_beginning_again_stands_above_the_others(greeter: Any) -> None:
    patches, original = make(greeter), greeter.greet
    patches.begin()
    ours = greeter.greet
    greeter.greet = covering = theirs(ours)
    patches.begin()
    assert greeter().greet() == "<hello!>!"
    patches.end()
    patches.end()
    assert greeter.greet is covering
    greeter.greet = ours
    patches.begin()
    patches.end()
    assert greeter.greet is original


def test_a_patch_of_ours_upon_another_of_ours_takes_both_out(greeter: Any) -> None:
    patches, original = make(greeter), greeter.greet
    patches.begin()
    ours = greeter.greet
    greeter.greet = 5  # A plain mock, say, which is left alone.
    patches.begin()
    greeter.greet = ours  # They put back what they found.
    patches.ensure(greeter, "greet", louder)
    assert greeter().greet() == "hello!!"
    patches.end()
    patches.end()
    assert greeter.greet is original


def test_a_patch_that_others_took_along_is_forgotten(greeter: Any) -> None:
    patches, original = make(greeter), greeter.greet
    for _ in range(20):
        patches.begin()
        greeter.greet = original  # They put back what they found, before ours.
        patches.end()
    gc.collect()
    patches.begin()
    patches.end()
    assert len(patches._left_behind) <= 1


def test_static_methods_are_left_alone() -> None:
    class Static:
        @staticmethod
        def greet() -> str:
            return "hello"

    patches = make(Static)
    patches.begin()
    assert Static.greet() == "hello"
    patches.end()


def test_what_is_no_function_is_left_alone() -> None:
    class Stubbed:
        greet = 5

    patches = make(Stubbed)
    patches.begin()
    assert Stubbed.greet == 5
    patches.end()
    assert Stubbed.greet == 5
