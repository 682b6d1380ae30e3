"""Watching a group: what is seen of it, put together into a timeline, and load on its members meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from blocks.remote.cloud import Cloud
from blocks.remote.errors import WaitExpired
from blocks.remote.waiting import wait_until
from tasks.autoscaling import timeline as seen
from tasks.autoscaling.group.settings import Settings
from tasks.autoscaling.judging.findings import WEIGHT, Finding, Kind, Weight
from tasks.autoscaling.judging.group_rules import not_at_minimum
from tasks.autoscaling.judging.verdict import RULES
from tasks.autoscaling.timeline import Direction, Levels, Observation, Timeline, soonest_next, transitions
from tasks.autoscaling.watching.call_rate import Asking
from tasks.autoscaling.watching.observation_delay import delay
from tasks.autoscaling.watching.observer import Observer
from tasks.autoscaling.watching.outage_tolerance import Patience
from tasks.autoscaling.watching.scaling_history import Happenings
from tasks.engine.change import Watch
from tasks.telemetry.thresholds import Timing, threshold_ns

# Between two looks, each of some five calls: as a rule; while a member comes or goes; while nothing can have changed yet.
_EVERY_S, SOON_S, _SELDOM_S = 5.0, 2.0, 10.0
# What only explains a failure, but can't become better by waiting: an alarm that is blind or mute.
_DECIDING = frozenset({Kind.ALARM_SILENT, Kind.NO_DATA})
# So many members that end in ERROR, and none that is ready, are no accident any more.
_ERRORS = 2


@dataclass
class GroupWatch:
    """One check of one group, as it goes on.

    Attributes:
        observer: Who looks at it.
        percent: The thresholds in percent of all vCPUs of a member.
        settle_s: Seconds that a member may take until it is active, reached and loaded; or until it is gone.
        observations: Every look.
        calls: Of the policies' webhooks, by this check.
        load_on: When the first load was put on a member.
        load_off: When the loads were ended.
        traffic: How much the cloud was asked.
    """

    observer: Observer
    percent: Levels
    settle_s: float
    observations: list[Observation] = field(default_factory=list)
    calls: list[seen.Call] = field(default_factory=list)
    load_on: datetime | None = None
    load_off: datetime | None = None
    traffic: Asking = field(default_factory=Asking)
    _before: list[Finding] = field(default_factory=list)
    _told_by: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.happenings = Happenings(self.cloud, self.settings, self._ours)
        self.patience = Patience(self.settle_s)
        self._read_on = True

    @property
    def cloud(self) -> Cloud:
        """Where."""
        return self.observer.cloud

    @property
    def settings(self) -> Settings:
        """How the group is meant to scale."""
        return self.observer.settings

    @property
    def timing(self) -> Timing:
        """The intervals."""
        return self.observer.timing

    @property
    def timeline(self) -> Timeline:
        """What was seen so far."""
        high, low = self.settings.rules
        slow = replace(self.timing, granularity_s=low.granularity_s, evaluation_periods=low.periods)
        return Timeline(
            min_size=self.settings.min_size,
            max_size=self.settings.max_size,
            timing=self.timing,
            percent=self.percent,
            wanted=Levels(
                threshold_ns(self.percent.high, self.observer.vcpus, high.granularity_s),
                threshold_ns(self.percent.low, self.observer.vcpus, low.granularity_s),
            ),
            found=Levels(high.threshold, low.threshold),
            granularities_s=self.observer.granularities,
            loads=self.observer.vcpus,
            settle_s=self.settle_s,
            observations=tuple(self.observations),
            load_on=self.load_on,
            load_off=self.load_off,
            events=tuple(self.happenings.signals),
            calls=tuple(self.calls),
            failed=tuple(self.happenings.failed),
            turns=tuple(self.happenings.turns),
            low_timing=None if slow == self.timing else slow,
        )

    def begin(self) -> None:
        """From now on it is looked at; what happened before is not judged."""
        self.happenings.begin()

    def wait_at_minimum(self, watch: Watch) -> None:
        """Wait until the group has no more than its fewest members, all of them ready and reached, and no alarm to grow.

        A group that does not come there is not tried: the verdict says what it was.
        """

        def look() -> str:
            now = self.patience.ask(lambda: self._look("ask"), watch)
            if now is None:
                return "not told by the cloud"
            self.observations.append(now)
            watch.line(_line(now))
            if self.decided:
                return "decided"
            whole = len(now.ready) == len(now.members) == self.settings.min_size
            reached = not any(member.unreachable for member in now.members)
            return "ready" if whole and reached and now.alarms.get("high") != seen.ALARM else _line(now)

        try:
            wait_until(
                self.cloud.name,
                f"group {self.settings.group} at its minimum of {self.settings.min_size}",
                "ready",
                look,
                self.settle_s,
                every_s=_EVERY_S,
                satisfied=lambda word: word in {"ready", "decided"},
                steady=True,
            )
        except WaitExpired as expired:
            if not self.observations:
                raise
            watch.line(expired.message)
            self._before = list(not_at_minimum(self.timeline))

    def grow(self, watch: Watch) -> None:
        """Load every member, and watch until the group is full and all its members are ready, or it can't be any more."""
        if not self.decided:
            self._load_up(watch)

    def _load_up(self, watch: Watch) -> None:
        self.load_on = _now()
        self._watch("up", lambda now: len(now.ready) >= self.settings.max_size, watch)

    def shrink(self, watch: Watch) -> None:
        """End the loads, and watch until the group is at its minimum."""
        if self.load_on is None:
            watch.line("nothing was loaded: the verdict is certain already")
            return
        self.end_loads(watch)
        if not self.decided:
            self._watch("down", lambda now: len(now.members) <= self.settings.min_size, watch)

    def end_loads(self, watch: Watch) -> None:
        """End the loads on all members that are there; one that can't be reached ends by its own time limit."""
        self.load_off = self.load_off or _now()
        self.observer.end_loads(watch)

    def _watch(self, direction: Direction, done: Callable[[Observation], bool], watch: Watch) -> None:
        said, due = "", 0.0
        before = self.cloud.calls

        def look() -> str:
            nonlocal said, due
            if time.monotonic() < due:
                return "under way"
            now = self.patience.ask(lambda: self._see(direction, done), watch)
            if now is None:
                due = time.monotonic() + _EVERY_S
                return "under way"
            if (text := _line(now)) != said:
                watch.line(text)
                said = text
            watch.progress(100 * len(now.ready) / self.settings.max_size)
            if done(now):
                return "done"
            # A member that comes or goes is looked at more often, as far as what was saved before allows.
            rest_s = self.traffic.more(before, self.cloud.calls).rest_s
            due = time.monotonic() + max(self._pause_s(direction), min(rest_s, _EVERY_S))
            return "decided" if self.decided else "under way"

        try:
            wait_until(
                self.cloud.name,
                f"the group under way {direction}",
                "done",
                look,
                self._within_s(direction),
                every_s=0.25,
                satisfied=lambda word: word != "under way",
                steady=True,
            )
        except WaitExpired as expired:
            watch.line(expired.message)  # the verdict says what that means
        finally:
            self.traffic = self.traffic.more(before, self.cloud.calls)

    def _see(self, direction: Direction, done: Callable[[Observation], bool]) -> Observation:
        """Look once, and read what Heat has done if anything has changed since its events were read."""
        now = self._look("load" if direction == "up" else "leave")
        self._read_on = self._read_on or self.observer.moved or now.alarms != self._told_by or done(now)
        self._told_by = now.alarms
        if self._read_on:
            self.happenings.read(self.observer.group, self.observer.types)
            self._read_on = False
        self.observations.append(now)
        return now

    def _pause_s(self, direction: Direction) -> float:
        """How long until the next look: whoever waits for a minute need not ask every second."""
        now = self.observations[-1]
        if not now.steady:
            return SOON_S
        timeline = self.timeline
        early = (soonest_next(timeline, direction) - now.at).total_seconds()
        return min(_SELDOM_S, early) if early > _EVERY_S else _EVERY_S

    def _within_s(self, direction: Direction) -> float:
        """What all steps of one phase may take at most, each with what a member needs."""
        steps = self.settings.max_size - self.settings.min_size
        timeline = self.timeline
        passing, timing = timeline.passing(direction), timeline.timing_of(direction)
        each = max(timing.alarm(passing).latest_s, timing.next(passing).latest_s) + self.settle_s
        return steps * each + timing.silent_after_s()

    @property
    def decided(self) -> bool:
        """Whether something was found that decides the verdict, so that waiting any longer is for nothing."""
        timeline = self.timeline
        found = [*self._before, *(finding for rule in RULES for finding in rule(timeline))]
        errors = sum(finding.kind is Kind.MEMBER_ERROR for finding in found)
        if errors >= _ERRORS and not transitions(timeline, "up"):
            return True
        return any(
            finding.kind in _DECIDING or WEIGHT[finding.kind] in (Weight.FAILS, Weight.SPOILS) for finding in found
        )

    def findings(self) -> list[Finding]:
        """What was seen besides the timeline."""
        return list(self._before)

    def told(self) -> list[str]:
        """What the operator should know besides, whatever the verdict."""
        own = delay(self.timeline, self.happenings.made)
        return [str(self.traffic), *([str(own)] if own else [])]

    def _ours(self, reason: str, direction: Direction) -> bool:
        """Whether a signal came from this check itself."""
        return False

    def _look(self, members: Literal["ask", "load", "leave"]) -> Observation:
        return self.observer.look(members, self._within_s("up") + 2 * self.settle_s)


def _line(now: Observation) -> str:
    cpu = "-" if now.cpu_percent is None else f"{now.cpu_percent:.0f} %"
    alarms = ", ".join(f"{name} {state}" for name, state in sorted(now.alarms.items()))
    lost = "".join(
        f"; {member.id[:8]} out of reach: {member.unreachable}" for member in now.members if member.unreachable
    )
    return f"{len(now.ready)} of {len(now.members)} members ready, CPU {cpu}, alarms {alarms}{lost}"


def _now() -> datetime:
    return datetime.now(UTC)
