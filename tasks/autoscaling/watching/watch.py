"""Watching a group: what is seen of it, put together into a timeline, and load on its members meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from blocks.remote.cloud import Cloud
from blocks.remote.connection import Watch
from blocks.remote.errors import WaitExpired
from blocks.remote.waiting import wait_until
from tasks.autoscaling import timeline as seen
from tasks.autoscaling.group.settings import Settings
from tasks.autoscaling.judging.findings import WEIGHT, Finding, Kind, Weight
from tasks.autoscaling.judging.group_rules import not_at_minimum
from tasks.autoscaling.judging.verdict import RULES
from tasks.autoscaling.timeline import Direction, Observation, Thresholds, Timeline, earliest_next_change, size_changes
from tasks.autoscaling.watching.call_rate import CallRate
from tasks.autoscaling.watching.observation_delay import observation_delay
from tasks.autoscaling.watching.observer import Observer
from tasks.autoscaling.watching.outage_tolerance import OutageTolerance
from tasks.autoscaling.watching.scaling_history import ScalingHistory
from tasks.telemetry.thresholds import Timing, threshold_ns

# Between two looks, each of some five calls: as a rule; while a member comes or goes; while nothing can have changed yet.
_EVERY_S, SOON_S, _SELDOM_S = 5.0, 2.0, 10.0
# What only explains a failure, but can't become better by waiting: an alarm that is blind or mute.
_DECISIVE = frozenset({Kind.ALARM_NOT_RAISED, Kind.NO_DATA})
# So many members that end in ERROR, and none that is ready, are no accident any more.
_ENOUGH_ERRORS = 2


@dataclass
class GroupWatch:
    """One check of one group, as it goes on.

    Attributes:
        observer: Who looks at it.
        thresholds_percent: The thresholds in percent of all vCPUs of a member.
        settle_s: Seconds that a member may take until it is active, reached and loaded; or until it is gone.
        observations: Every look.
        webhook_calls: Of the policies' webhooks, by this check.
        load_on: When the first load was put on a member.
        load_off: When the loads were ended.
        call_rate: How much the cloud was asked.
    """

    observer: Observer
    thresholds_percent: Thresholds
    settle_s: float
    observations: list[Observation] = field(default_factory=list)
    webhook_calls: list[seen.WebhookCall] = field(default_factory=list)
    load_on: datetime | None = None
    load_off: datetime | None = None
    call_rate: CallRate = field(default_factory=CallRate)
    _early_findings: list[Finding] = field(default_factory=list)
    _alarms_at_last_read: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.history = ScalingHistory(self.cloud, self.settings, self._is_by_check)
        self.outages = OutageTolerance(self.settle_s)
        self._events_due = True

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
            thresholds_percent=self.thresholds_percent,
            expected_thresholds=Thresholds(
                threshold_ns(self.thresholds_percent.high, self.observer.vcpus, high.granularity_s),
                threshold_ns(self.thresholds_percent.low, self.observer.vcpus, low.granularity_s),
            ),
            alarm_thresholds=Thresholds(high.threshold, low.threshold),
            granularities_s=self.observer.granularities,
            processes_per_member=self.observer.vcpus,
            settle_s=self.settle_s,
            observations=tuple(self.observations),
            load_on=self.load_on,
            load_off=self.load_off,
            signals=tuple(self.history.signals),
            webhook_calls=tuple(self.webhook_calls),
            server_failures=tuple(self.history.server_failures),
            alarm_transitions=tuple(self.history.alarm_transitions),
            low_timing=None if slow == self.timing else slow,
            policy_without_rate=self.observer.policy_without_rate,
            signal_once=frozenset(name for name, alarm in self.settings.alarms.items() if not alarm.repeats),
            time_constraints={name: alarm.time_constraints for name, alarm in self.settings.alarms.items()},
            other_alarms=self.settings.other_alarms,
        )

    def begin(self) -> None:
        """From now on it is looked at; what happened before is not judged."""
        self.history.begin()

    def wait_at_minimum(self, watch: Watch) -> None:
        """Wait until the group has no more than its fewest members, all of them ready and reached, and no alarm to grow.

        A group that does not come there is not tried: the verdict says what it was.
        """

        def look() -> str:
            now = self.outages.call(lambda: self._observe("ask"), watch)
            if now is None:
                return "not told by the cloud"
            self.observations.append(now)
            watch.line(_describe(now))
            if self.decided:
                return "decided"
            whole = len(now.ready) == len(now.members) == self.settings.min_size
            reached = not any(member.unreachable for member in now.members)
            return "ready" if whole and reached and now.alarms.get("high") != seen.ALARM else _describe(now)

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
            self._early_findings = list(not_at_minimum(self.timeline))

    def grow(self, watch: Watch) -> None:
        """Load every member, and watch until the group is full and all its members are ready, or it can't be any more."""
        if not self.decided:
            self._load_and_watch(watch)

    def _load_and_watch(self, watch: Watch) -> None:
        self.load_on = _now()
        self._watch("up", lambda now: len(now.ready) >= self.settings.max_size, watch)

    def shrink(self, watch: Watch) -> None:
        """End the loads, and watch until the group is at its minimum."""
        if self.load_on is None:
            watch.line("nothing was loaded: the verdict is certain already")
            return
        self.stop_load(watch)
        if not self.decided:
            self._watch("down", lambda now: len(now.members) <= self.settings.min_size, watch)

    def stop_load(self, watch: Watch) -> None:
        """End the loads on all members that are there; one that can't be reached ends by its own time limit."""
        self.load_off = self.load_off or _now()
        self.observer.stop_load(watch)

    def _watch(self, direction: Direction, done: Callable[[Observation], bool], watch: Watch) -> None:
        said, due = "", 0.0
        before = self.cloud.calls

        def look() -> str:
            nonlocal said, due
            if time.monotonic() < due:
                return "under way"
            now = self.outages.call(lambda: self._observe_and_read(direction, done), watch)
            if now is None:
                due = time.monotonic() + _EVERY_S
                return "under way"
            if (text := _describe(now)) != said:
                watch.line(text)
                said = text
            watch.progress(100 * len(now.ready) / self.settings.max_size)
            if done(now):
                return "done"
            # A member that comes or goes is looked at more often, as far as what was saved before allows.
            rest_s = self.call_rate.plus(before, self.cloud.calls).rest_s
            due = time.monotonic() + max(self._pause_s(direction), min(rest_s, _EVERY_S))
            return "decided" if self.decided else "under way"

        try:
            wait_until(
                self.cloud.name,
                f"the group under way {direction}",
                "done",
                look,
                self._phase_limit_s(direction),
                every_s=0.25,
                satisfied=lambda word: word != "under way",
                steady=True,
            )
        except WaitExpired as expired:
            watch.line(expired.message)  # the verdict says what that means
        finally:
            self.call_rate = self.call_rate.plus(before, self.cloud.calls)

    def _observe_and_read(self, direction: Direction, done: Callable[[Observation], bool]) -> Observation:
        """Look once, and read what Heat has done if anything has changed since its events were read."""
        now = self._observe("load" if direction == "up" else "leave")
        self._events_due = (
            self._events_due or self.observer.resources_changed or now.alarms != self._alarms_at_last_read or done(now)
        )
        self._alarms_at_last_read = now.alarms
        if self._events_due:
            self.history.read(self.observer.group, self.observer.types)
            self._events_due = False
        self.observations.append(now)
        return now

    def _pause_s(self, direction: Direction) -> float:
        """How long until the next look: whoever waits for a minute need not ask every second."""
        now = self.observations[-1]
        if not now.heat_idle:
            return SOON_S
        timeline = self.timeline
        early = (earliest_next_change(timeline, direction) - now.at).total_seconds()
        return min(_SELDOM_S, early) if early > _EVERY_S else _EVERY_S

    def _phase_limit_s(self, direction: Direction) -> float:
        """What all steps of one phase may take at most, each with what a member needs."""
        steps = self.settings.max_size - self.settings.min_size
        timeline = self.timeline
        passing, timing = timeline.crossing(direction), timeline.timing_of(direction)
        each = max(timing.until_alarm(passing).latest_s, timing.until_next_step(passing).latest_s) + self.settle_s
        return steps * each + timing.silent_after_s()

    @property
    def decided(self) -> bool:
        """Whether something was found that decides the verdict, so that waiting any longer is for nothing."""
        timeline = self.timeline
        found = [*self._early_findings, *(finding for rule in RULES for finding in rule(timeline))]
        errors = sum(finding.kind is Kind.MEMBER_ERROR for finding in found)
        if errors >= _ENOUGH_ERRORS and not size_changes(timeline, "up"):
            return True
        return any(
            finding.kind in _DECISIVE or WEIGHT[finding.kind] in (Weight.FAILS, Weight.DOUBTS, Weight.SPOILS)
            for finding in found
        )

    def findings(self) -> list[Finding]:
        """What was seen besides the timeline."""
        return list(self._early_findings)

    def notes(self) -> list[str]:
        """What the operator should know besides, whatever the verdict."""
        own = observation_delay(self.timeline, self.history.member_events)
        return [*self.settings.notes, str(self.call_rate), *([str(own)] if own else [])]

    def _is_by_check(self, reason: str, direction: Direction) -> bool:
        """Whether a signal came from this check itself."""
        return False

    def _observe(self, members: Literal["ask", "load", "leave"]) -> Observation:
        return self.observer.observe(members, self._phase_limit_s("up") + 2 * self.settle_s)


def _describe(now: Observation) -> str:
    cpu = "-" if now.cpu_percent is None else f"{now.cpu_percent:.0f} %"
    alarms = ", ".join(f"{name} {state}" for name, state in sorted(now.alarms.items()))
    lost = "".join(
        f"; {member.id[:8]} out of reach: {member.unreachable}" for member in now.members if member.unreachable
    )
    return f"{len(now.ready)} of {len(now.members)} members ready, CPU {cpu}, alarms {alarms}{lost}"


def _now() -> datetime:
    return datetime.now(UTC)
