"""How much of a check's time is its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from tasks.autoscaling.group.group import ScalingEvent
from tasks.autoscaling.watching.observation_delay import observation_delay
from tests.unit.tasks.autoscaling.timelines import at, good


def made(second: float, kind: Literal["added", "removed"]) -> ScalingEvent:
    return ScalingEvent(at(second), kind, "one", "")


# The group grows at 28 and 48, and shrinks at 80 and 98.
MADE = [made(27, "added"), made(49, "added"), made(78, "removed"), made(97, "removed")]


def test_the_delay_is_from_heats_event_until_it_was_seen() -> None:
    told = observation_delay(good(), MADE)
    assert told is not None
    assert (told.unseen_s, told.took_s) == (1 + 0 + 2 + 1, 76)
    assert str(told).startswith("The group's changes took 76 s as seen; 4 s of it, 5 %,")


def test_a_step_that_was_seen_before_heat_was_done_with_it_has_no_delay() -> None:
    told = observation_delay(good(), MADE[:-1])
    assert told is not None
    assert told.unseen_s == 1 + 0 + 2


def test_a_group_that_was_seen_at_other_steps_than_heats_can_not_be_measured() -> None:
    assert observation_delay(good(), [*MADE, made(99, "removed")]) is None
    assert observation_delay(replace(good(), load_off=None), MADE) is None


def test_what_happened_before_the_load_is_no_step_of_the_check() -> None:
    assert observation_delay(good(), [made(1, "added"), *MADE]) == observation_delay(good(), MADE)
