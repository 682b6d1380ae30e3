"""What was seen of a group while it scaled: observations, events, and the transitions between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from tasks.telemetry.thresholds import Bound, Timing

Direction = Literal["up", "down"]
DIRECTIONS: tuple[Direction, ...] = ("up", "down")
ALARM_OF: Mapping[Direction, str] = {"up": "high", "down": "low"}
# Aodh's words.
ALARM, OK, NO_DATA = "alarm", "ok", "insufficient data"


@dataclass(frozen=True)
class MemberState:
    """One server of the group at one moment.

    Attributes:
        id: Nova's.
        status: Nova's: BUILD, ACTIVE, ERROR, DELETED…
        cpu_percent: Of all its vCPUs, from its newest measure; None where there is none yet.
        load_processes: How many loads run in it; None where it was not asked.
        unreachable: Why SSH did not reach it; empty where it did, or was not tried.
        serves: Whether it has served the page at least once (AS 1.3.1); None where there is no page.
    """

    id: str
    status: str
    cpu_percent: float | None = None
    load_processes: int | None = None
    unreachable: str = ""
    serves: bool | None = None


@dataclass(frozen=True)
class Observation:
    """The group at one moment.

    Attributes:
        at: When, aware of its time zone.
        members: Its servers, gone ones left out.
        alarms: "high" and "low" → Aodh's state.
        measured_at: The beginning of the newest granularity that Gnocchi has of any member; None where it has none.
        previous_measure_at: The same of that member's measure before it: both may have come since the last look.
        backlog: Measures that wait for metricd; None where it was not asked.
        heat_idle: Whether Heat has nothing under way: no member is being made or removed, and each has its server.
    """

    at: datetime
    members: tuple[MemberState, ...]
    alarms: Mapping[str, str] = field(default_factory=dict)
    measured_at: datetime | None = None
    previous_measure_at: datetime | None = None
    backlog: int | None = None
    heat_idle: bool = False

    @property
    def size(self) -> int:
        """How many servers the group has, without those in ERROR, which Heat replaces before it goes on."""
        return sum(member.status not in {"ERROR", "DELETED"} for member in self.members)

    @property
    def ready(self) -> frozenset[str]:
        """The servers that count: active, and where there is a page, having served it."""
        return frozenset(
            member.id for member in self.members if member.status == "ACTIVE" and member.serves is not False
        )

    @property
    def cpu_percent(self) -> float | None:
        """The mean over the members that have a measure."""
        known = [member.cpu_percent for member in self.members if member.cpu_percent is not None]
        return sum(known) / len(known) if known else None


@dataclass(frozen=True)
class PolicySignal:
    """A scaling policy acted: its SIGNAL_COMPLETE among Heat's events, which a signal that is dropped does not leave.

    Attributes:
        at: When, which is once the step is complete, not when the signal came.
        direction: Which policy.
        reason: Heat's words: "alarm state changed from ok to alarm (…)", "No signal details provided".
        by_check: Whether the runbook itself posted to the webhook.
    """

    at: datetime
    direction: Direction
    reason: str = ""
    by_check: bool = False


@dataclass(frozen=True)
class AlarmTransition:
    """An alarm changed its state, by Aodh's own history: one that was up between two looks was seen by nobody else.

    Attributes:
        at: When.
        name: "high" or "low".
        state: Aodh's new one.
    """

    at: datetime
    name: str
    state: str


@dataclass(frozen=True)
class ServerFailure:
    """Heat could not make a server, which it takes away and tries again, without a word but this event's.

    Attributes:
        at: When.
        id: The server's.
        reason: Heat's words.
    """

    at: datetime
    id: str
    reason: str


@dataclass(frozen=True)
class WebhookCall:
    """The runbook posted to a webhook.

    Attributes:
        at: When.
        direction: Which policy's.
        status: The HTTP status of the answer; 0 where none came.
    """

    at: datetime
    direction: Direction
    status: int


@dataclass(frozen=True)
class Thresholds:
    """The two thresholds.

    Attributes:
        high: Members are added above this.
        low: Members are removed below this.
    """

    high: float
    low: float


@dataclass(frozen=True)
class Timeline:
    """One check of one group.

    Attributes:
        min_size: The group's.
        max_size: The group's.
        timing: Its intervals, with the high alarm's granularity and periods.
        thresholds_percent: Its thresholds in percent of all vCPUs of a member.
        expected_thresholds: Its thresholds as the alarms should have them, in their own unit (`tasks.telemetry.thresholds`).
        alarm_thresholds: Its thresholds as Aodh (Ceilometer) says that the alarms have them.
        granularities_s: Those of the archive policy of the members' metric; None where it has none; empty on OSP 8.
        processes_per_member: How many loads each member should carry.
        load_on: When the first load was started.
        load_off: When the loads were ended.
        settle_s: Seconds that one step may take besides: a member until it is active, reached and loaded; or until it is gone.
        observations: In their order.
        signals: In their order.
        webhook_calls: In their order.
        server_failures: In their order.
        alarm_transitions: In their order; read where a policy acted on an alarm.
        low_timing: As `timing`, with the low alarm's granularity and periods; None where they are the same.
        policy_without_rate: Name of the archive policy of the members' metric, where that keeps no rate.
        signal_once: "high" and "low", as far as these alarms do not repeat their signal.
        time_constraints: "high" and "low" → when alone that alarm is evaluated.
        other_alarms: Direction → other alarms that signal the policy that leads there.
    """

    min_size: int
    max_size: int
    timing: Timing
    thresholds_percent: Thresholds
    expected_thresholds: Thresholds
    alarm_thresholds: Thresholds
    granularities_s: tuple[int, ...] | None
    processes_per_member: int
    settle_s: float
    observations: tuple[Observation, ...]
    load_on: datetime | None = None
    load_off: datetime | None = None
    signals: tuple[PolicySignal, ...] = ()
    webhook_calls: tuple[WebhookCall, ...] = ()
    server_failures: tuple[ServerFailure, ...] = ()
    alarm_transitions: tuple[AlarmTransition, ...] = ()
    low_timing: Timing | None = None
    policy_without_rate: str = ""
    signal_once: frozenset[str] = frozenset()
    time_constraints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    other_alarms: Mapping[Direction, tuple[str, ...]] = field(default_factory=dict)

    def timing_of(self, direction: Direction) -> Timing:
        """The intervals with those of the alarm that leads there."""
        return self.timing if direction == "up" or self.low_timing is None else self.low_timing

    def phase(self, direction: Direction) -> tuple[Observation, ...]:
        """The observations under load (up), or after it (down)."""
        if direction == "up":
            begin, end = self.load_on, self.load_off
        else:
            begin, end = self.load_off, None
        if begin is None:
            return ()
        return tuple(
            observation
            for observation in self.observations
            if begin <= observation.at and (end is None or observation.at < end)
        )

    def crossing(self, direction: Direction) -> float:
        """The part of an interval after which its mean is across the threshold (`Timing.until_alarm`)."""
        return self.thresholds_percent.high / 100 if direction == "up" else 1 - self.thresholds_percent.low / 100


@dataclass(frozen=True)
class SizeChange:
    """The number of ready members changed between two observations.

    Attributes:
        at: When the new number was first seen.
        before: The size before.
        after: The size after.
        after_s: Seconds since the change of load, or since the transition before it in the same phase.
        latest_s: What `after_s` is allowed to be.
        joined: Servers that were not there before.
        left: Servers that are not there any more.
    """

    at: datetime
    before: int
    after: int
    after_s: float
    latest_s: float
    joined: frozenset[str]
    left: frozenset[str]

    def __str__(self) -> str:
        late = ", late" if self.after_s > self.latest_s else ""
        return f"{self.before} → {self.after} after {self.after_s:.0f} s (at most {self.latest_s:.0f} s{late})"


def size_changes(timeline: Timeline, direction: Direction) -> list[SizeChange]:
    """The changes of ready members in one phase, each with its time against what the intervals allow."""
    seen = timeline.phase(direction)
    begun = timeline.load_on if direction == "up" else timeline.load_off
    if begun is None:
        return []
    before = _observation_before(timeline, begun)
    found: list[SizeChange] = []
    for observation in seen:
        if before is not None and len(observation.ready) != len(before.ready):
            found.append(
                SizeChange(
                    at=observation.at,
                    before=len(before.ready),
                    after=len(observation.ready),
                    after_s=(observation.at - (found[-1].at if found else begun)).total_seconds(),
                    latest_s=_step_bound(timeline, direction, first=not found).latest_s,
                    joined=observation.ready - before.ready,
                    left=before.ready - observation.ready,
                )
            )
        before = observation
    return found


def _step_bound(timeline: Timeline, direction: Direction, *, first: bool) -> Bound:
    """When one step may come, after the change of load or after the step before it."""
    passing, timing = timeline.crossing(direction), timeline.timing_of(direction)
    alarm, following = timing.until_alarm(passing), timing.until_next_step(passing)
    bound = following
    if first:
        # Load may end while the cooldown of the last member to join still runs.
        bound = alarm if direction == "up" else Bound(alarm.soonest_s, following.latest_s)
    return bound + Bound(0, timeline.settle_s)


def earliest_next_change(timeline: Timeline, direction: Direction) -> datetime:
    """Before when the next step of a phase that has begun can't come, if everything takes its time."""
    begun = timeline.load_on if direction == "up" else timeline.load_off
    assert begun is not None, "the phase has begun"
    changes = size_changes(timeline, direction)
    step = _step_bound(timeline, direction, first=not changes)
    return (changes[-1].at if changes else begun) + timedelta(seconds=step.soonest_s)


def allowed_duration(timeline: Timeline) -> Bound:
    """What polling, evaluation and cooldown allow for the whole way, from minimum to maximum and back."""
    total = Bound(0, 0)
    for direction in DIRECTIONS:
        for number in range(timeline.max_size - timeline.min_size):
            total += _step_bound(timeline, direction, first=number == 0)
    return total


def _observation_before(timeline: Timeline, begun: datetime) -> Observation | None:
    """The state that a phase begins with: the last one seen before it, or the first in it."""
    earlier = [observation for observation in timeline.observations if observation.at < begun]
    if earlier:
        return earlier[-1]
    return timeline.observations[0] if timeline.observations else None


def premature_scale_down(timeline: Timeline) -> SizeChange | None:
    """The last step down under load before the high alarm had come up, where the check itself had added a member.

    Until its load is measured a group is idle to its alarms. The low one, up since before, takes back what a webhook has added
    as soon as the cooldown has ended, where that is shorter than telemetry takes: what anybody sees who calls it by hand.
    """
    if not any(call.direction == "up" for call in timeline.webhook_calls):
        return None
    up = next((observation.at for observation in timeline.phase("up") if observation.alarms.get("high") == ALARM), None)
    down = [
        change
        for change in size_changes(timeline, "up")
        if change.after < change.before and (up is None or change.at < up)
    ]
    return down[-1] if down else None


def size_path(timeline: Timeline, direction: Direction) -> list[int]:
    """The numbers of ready members that a phase went through, from its first; under load from `premature_scale_down` on."""
    changes = size_changes(timeline, direction)
    back = premature_scale_down(timeline) if direction == "up" else None
    if back is not None:
        return [back.after, *(change.after for change in changes if change.at > back.at)]
    if changes:
        return [changes[0].before, *(change.after for change in changes)]
    begun = timeline.load_on if direction == "up" else timeline.load_off
    first = _observation_before(timeline, begun) if begun else None
    return [len(first.ready)] if first else []
