"""Timelines for tests: a group that scales as it should, an observation a second, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tasks.autoscaling.judging.findings import Kind
from tasks.autoscaling.judging.verdict import judge
from tasks.autoscaling.timeline import ALARM, NO_DATA, OK, MemberState, Observation, PolicySignal, Thresholds, Timeline
from tasks.telemetry.thresholds import Timing

START = datetime(2025, 11, 21, 12, 0, tzinfo=UTC)
TIMING = Timing(5, 5, 2, 5, 1, 10)
LOAD_ON, LOAD_OFF, END = 10, 60, 110
# When each member joins, is ready, and leaves: the oldest goes first, as in Heat.
Lives = Mapping[str, tuple[int, int, int]]
LIVES: Lives = {"a": (0, 0, 80), "b": (25, 28, 98), "c": (45, 48, 1000)}


REASON = "alarm state changed from ok to alarm (Transition to alarm due to 2 samples outside threshold, most recent: 9)"


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def _members(second: int, lives: Lives) -> tuple[MemberState, ...]:
    loaded = LOAD_ON <= second < LOAD_OFF
    return tuple(
        MemberState(
            id_,
            "ACTIVE" if second >= ready else "BUILD",
            cpu_percent=(90.0 if loaded and second >= ready + 6 else 1.0) if second >= ready + 5 else None,
            load_processes=(2 if loaded else 0) if second > ready else None,
        )
        for id_, (joins, ready, leaves) in lives.items()
        if joins <= second < leaves
    )


def _alarms(second: int) -> dict[str, str]:
    return {"high": ALARM if 20 <= second < 65 else OK, "low": ALARM if second < 15 or second >= 72 else OK}


def good(lives: Lives = LIVES) -> Timeline:
    """1 → 2 → 3 under load, and back; or other lives, with an event at the end of each step."""
    changes = sorted(
        [(ready, "up") for joins, ready, _ in lives.values() if joins > 0 and ready < END]
        + [(leaves, "down") for _, ready, leaves in lives.values() if ready < leaves < END]
    )
    observations = tuple(
        Observation(at(second), _members(second, lives), _alarms(second), at(second - second % 5 - 5), backlog=0)
        for second in range(END)
    )
    return Timeline(
        min_size=1,
        max_size=3,
        timing=TIMING,
        thresholds_percent=Thresholds(50, 10),
        expected_thresholds=Thresholds(2.5e9, 0.5e9),
        alarm_thresholds=Thresholds(2.5e9, 0.5e9),
        granularities_s=(5, 60),
        processes_per_member=2,
        settle_s=6,
        observations=observations,
        load_on=at(LOAD_ON),
        load_off=at(LOAD_OFF),
        signals=tuple(
            PolicySignal(at(second), "up" if direction == "up" else "down", REASON) for second, direction in changes
        ),
    )


Seen = Callable[[Observation, int], Observation]


def seen(timeline: Timeline, change: Seen) -> Timeline:
    """The same timeline with each observation changed; the function gets its second too."""
    changed = tuple(
        change(observation, round((observation.at - START).total_seconds())) for observation in timeline.observations
    )
    return replace(timeline, observations=changed)


def from_second(second: int, until: int = END, **fields: Any) -> Seen:
    """Give the observations of these seconds other fields."""
    return lambda observation, now: replace(observation, **fields) if second <= now < until else observation


def member(id_: str, second: int, until: int = END, **fields: Any) -> Seen:
    """Give one member other fields in these seconds."""

    def change(observation: Observation, now: int) -> Observation:
        if not second <= now < until:
            return observation
        return replace(
            observation, members=tuple(replace(m, **fields) if m.id == id_ else m for m in observation.members)
        )

    return change


def alarm(name: str, state: str, second: int, until: int = END) -> Seen:
    """Put one alarm into a state in these seconds."""
    return lambda observation, now: (
        replace(observation, alarms={**observation.alarms, name: state}) if second <= now < until else observation
    )


def without(id_: str, second: int, until: int = END) -> Seen:
    """Leave one member out in these seconds."""
    return lambda observation, now: (
        replace(observation, members=tuple(m for m in observation.members if m.id != id_))
        if second <= now < until
        else observation
    )


# Groups that stop at one member, or at two.
ONE = {"a": (0, 0, 1000)}
TWO = {"a": (0, 0, 80), "b": (25, 28, 1000)}
FAILED_BOOT = {"a": (0, 0, 80), "b": (25, 28, 1000), "c": (45, 999, 70)}
SLOW_BOOT = {"a": (0, 0, 80), "b": (36, 41, 98), "c": (52, 55, 1000)}


def kinds(timeline: Timeline) -> set[Kind]:
    """What was found."""
    return {finding.kind for finding in judge(timeline).findings}


def quiet() -> Timeline:
    """One busy member, and no alarm."""
    return seen(good(ONE), alarm("high", OK, 0))


def blind() -> Timeline:
    """One busy member, and alarms that know nothing of it."""
    return seen(seen(good(ONE), alarm("high", NO_DATA, 0)), alarm("low", NO_DATA, 0))


def deaf(backlog: int) -> Timeline:
    """One busy member, of which nothing is measured any more."""
    return seen(quiet(), from_second(11, measured_at=at(5), backlog=backlog))
