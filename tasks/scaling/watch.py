"""Watching a group: everything that is seen of it, put together into a timeline, and load on its members meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from blocks.remote.cloud import Cloud
from blocks.remote.errors import WaitExpired
from blocks.remote.secrets import mask
from blocks.remote.waiting import wait_until
from tasks.change import Watch
from tasks.heat.events import Event, newest_event, read_events
from tasks.heat.stack import Resource, read_resources
from tasks.scaling import timeline as seen
from tasks.scaling.delay import delay
from tasks.scaling.findings import WEIGHT, Finding, Kind, Weight
from tasks.scaling.group import Group, ScalingEvent, Server, read_group, scaling_events
from tasks.scaling.group_rules import not_at_minimum
from tasks.scaling.load import Load
from tasks.scaling.loads import Loads
from tasks.scaling.members import Members
from tasks.scaling.meter import Meter
from tasks.scaling.pool import is_server, types_of
from tasks.scaling.settings import Settings
from tasks.scaling.sparing import Sparing
from tasks.scaling.timeline import Direction, Levels, Observation, Timeline, soonest_next, transitions
from tasks.scaling.traffic import Asking
from tasks.scaling.verdict import RULES
from tasks.telemetry.alarms import read_alarms
from tasks.telemetry.measures import Measure
from tasks.telemetry.thresholds import Timing, percent_of, threshold_ns

# Between two looks, each of some five calls: as a rule; while a member comes or goes; while nothing can have changed yet.
_EVERY_S, SOON_S, _SELDOM_S = 5.0, 2.0, 10.0
_SERVERS_S = 15.0
# What only explains a failure, but can't become better by waiting: an alarm that is blind or mute.
_DECIDING = frozenset({Kind.ALARM_SILENT, Kind.NO_DATA})
# So many members that end in ERROR, and none that is ready, are no accident any more.
_ERRORS = 2


@dataclass
class GroupWatch:
    """One check of one group, as it goes on.

    Attributes:
        cloud: Where.
        settings: How the group is meant to scale.
        members: Shells on its members.
        vcpus: Of one member.
        timing: The intervals.
        percent: The thresholds in percent of all vCPUs of a member.
        settle_s: Seconds that a member may take until it is active, reached and loaded; or until it is gone.
    """

    cloud: Cloud
    settings: Settings
    members: Members
    vcpus: int
    timing: Timing
    percent: Levels
    settle_s: float
    observations: list[Observation] = field(default_factory=list)
    events: list[seen.Event] = field(default_factory=list)
    calls: list[seen.Call] = field(default_factory=list)
    load_on: datetime | None = None
    load_off: datetime | None = None
    traffic: Asking = field(default_factory=Asking)
    _after: str = ""
    _heat: list[Event] = field(default_factory=list)
    _types: dict[tuple[str, str], str] = field(default_factory=dict)
    _servers: dict[str, Server] = field(default_factory=dict)
    _before: list[Finding] = field(default_factory=list)
    _group: Group = field(default_factory=lambda: Group("", "", ()))
    _resources: list[Resource] = field(default_factory=list)
    _moved: bool = True
    _measured: set[str] = field(default_factory=set)
    _told_by: Mapping[str, str] = field(default_factory=dict)
    _failed: list[seen.Failed] = field(default_factory=list)
    _made: list[ScalingEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._meter = Meter(self.cloud, self.timing)
        self._loads = Loads(self.members, self.vcpus)
        # A server seldom changes without Heat; an alarm not between two evaluations; CPU not between two polls.
        self._groups = Sparing[Group](_SERVERS_S)
        self._alarms = Sparing[dict[str, str]](self.timing.evaluation_s / 2)
        self._measures = Sparing[dict[str, Measure]](self.timing.polling_s)

    @property
    def timeline(self) -> Timeline:
        """What was seen so far."""
        high, low = self.settings.rules
        granularity = self.timing.granularity_s
        return Timeline(
            min_size=self.settings.min_size,
            max_size=self.settings.max_size,
            timing=self.timing,
            percent=self.percent,
            wanted=Levels(
                threshold_ns(self.percent.high, self.vcpus, granularity),
                threshold_ns(self.percent.low, self.vcpus, granularity),
            ),
            found=Levels(high.threshold, low.threshold),
            granularities_s=self._meter.granularities,
            loads=self.vcpus,
            settle_s=self.settle_s,
            observations=tuple(self.observations),
            load_on=self.load_on,
            load_off=self.load_off,
            events=tuple(self.events),
            calls=tuple(self.calls),
            failed=tuple(self._failed),
        )

    def begin(self) -> None:
        """Remember where Heat's events are now: what happened before is not judged."""
        self._after = newest_event(self.cloud, self.settings.stack)

    def wait_at_minimum(self, watch: Watch) -> None:
        """Wait until the group has no more than its fewest members, and all of them are ready and reached.

        A group that does not come there is not tried: the verdict says what it was.
        """

        def look() -> str:
            now = self._look("ask")
            self.observations.append(now)
            watch.line(_line(now))
            whole = len(now.ready) == len(now.members) == self.settings.min_size
            return "ready" if whole and not any(one.unreachable for one in now.members) else _line(now)

        try:
            wait_until(
                self.cloud.name,
                f"group {self.settings.group} at its minimum of {self.settings.min_size}",
                "ready",
                look,
                self.settle_s,
                every_s=_EVERY_S,
                steady=True,
            )
        except WaitExpired as expired:
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
        self._loads.end([one for one in self._servers.values() if one.status == "ACTIVE"], watch)

    def _watch(self, direction: Direction, done: Callable[[Observation], bool], watch: Watch) -> None:
        said, due = "", 0.0
        before = self.cloud.calls

        def look() -> str:
            nonlocal said, due
            if time.monotonic() < due:
                return "under way"
            now = self._look("load" if direction == "up" else "leave")
            self.observations.append(now)
            if self._moved or now.alarms != self._told_by or done(now):
                self._read_events()
            self._told_by = now.alarms
            if (text := _line(now)) != said:
                watch.line(text)
                said = text
            watch.progress(100 * len(now.ready) / self.settings.max_size)
            if done(now):
                return "done"
            due = time.monotonic() + self._pause_s(direction)
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
        passing = self.timeline.passing(direction)
        each = max(self.timing.alarm(passing).latest_s, self.timing.next(passing).latest_s) + self.settle_s
        return steps * each + self.timing.silent_after_s()

    @property
    def decided(self) -> bool:
        """Whether something was found that decides the verdict, so that waiting any longer is for nothing."""
        timeline = self.timeline
        found = [*self._before, *(finding for rule in RULES for finding in rule(timeline))]
        errors = sum(finding.kind is Kind.MEMBER_ERROR for finding in found)
        if errors >= _ERRORS and not transitions(timeline, "up"):
            return True
        return any(one.kind in _DECIDING or WEIGHT[one.kind] in (Weight.FAILS, Weight.SPOILS) for one in found)

    def findings(self) -> list[Finding]:
        """What was seen besides the timeline."""
        return list(self._before)

    def told(self) -> list[str]:
        """What the operator should know besides, whatever the verdict."""
        own = delay(self.timeline, self._made)
        return [str(self.traffic), *([str(own)] if own else [])]

    def _ours(self, reason: str, direction: Direction) -> bool:
        """Whether a signal came from this check itself."""
        return False

    # -- one look

    def _look(self, members: Literal["ask", "load", "leave"]) -> Observation:
        """Look at everything once.

        Args:
            members: Whether the members are asked for their load, get theirs first, or are left in peace: those that are
                being removed do not answer any more.
        """
        resources = read_resources(self.cloud, self.settings.stack)
        self._types |= types_of(resources)
        self._moved = resources != self._resources
        moved = self._moved or not all(one.ready for one in self._group.members)
        self._resources = resources
        group = self._groups.get(
            lambda: read_group(self.cloud, self.settings.stack, self.settings.group, resources), anew=moved
        )
        self._group = group
        alarms = self._alarms.get(self._alarm_states)
        servers = {one.server.id: one.server for one in group.members if one.server is not None}
        self._servers = servers
        active = [one for one in servers.values() if one.status == "ACTIVE"]
        ids = {one.id for one in active}
        measures = self._measures.get(lambda: self._meter.newest(ids, _now()), anew=ids != self._measured)
        self._measured = ids
        lasts_s = self._within_s("up") + 2 * self.settle_s if members == "load" else 0
        loads = self._loads.ask(active, lasts_s) if members != "leave" else {}
        measured_at = max((one.at for one in measures.values()), default=None)
        at = _now()
        looked_for = self.observations[0].at if self.observations else at
        backlog = self._meter.backlog(ids, measured_at or looked_for, at)
        return Observation(
            at=at,
            members=tuple(self._member(server, measures.get(id_), loads.get(id_)) for id_, server in servers.items()),
            alarms=alarms,
            measured_at=measured_at,
            backlog=backlog,
            steady=all(one.ready for one in group.members),
        )

    def _member(self, server: Server, measure: Measure | None, load: Load | str | None) -> seen.Member:
        return seen.Member(
            id=server.id,
            status=server.status,
            cpu_percent=percent_of(measure.value, self.vcpus, self.timing.polling_s) if measure else None,
            loads=load.running if isinstance(load, Load) else None,
            unreachable=load if isinstance(load, str) else "",
        )

    def _alarm_states(self) -> dict[str, str]:
        names = {alarm.id: name for name, alarm in self.settings.alarms.items()}
        return {names[alarm.id]: alarm.state for alarm in read_alarms(self.cloud, names)}

    def _read_events(self) -> None:
        """What the policies did since the last look."""
        directions = self.settings.policy_directions
        new = read_events(self.cloud, self.settings.stack, self._after)
        self._heat += new
        self._after = new[-1].id if new else self._after
        for one in new:
            if one.status == "CREATE_FAILED" and is_server(one, self._types):
                self._failed.append(seen.Failed(one.at, one.physical_id, mask(one.reason)))
        for event in scaling_events(new, self._group):
            if event.kind in {"added", "removed"}:
                self._made.append(event)
            if event.kind == "signal" and event.name in directions:
                direction = directions[event.name]
                known = seen.Event(event.at, direction, event.reason, self._ours(event.reason, direction))
                if known not in self.events:
                    self.events.append(known)


def _line(now: Observation) -> str:
    cpu = "-" if now.cpu_percent is None else f"{now.cpu_percent:.0f} %"
    alarms = ", ".join(f"{name} {state}" for name, state in sorted(now.alarms.items()))
    lost = "".join(f"; {one.id[:8]} out of reach: {one.unreachable}" for one in now.members if one.unreachable)
    return f"{len(now.ready)} of {len(now.members)} members ready, CPU {cpu}, alarms {alarms}{lost}"


def _now() -> datetime:
    return datetime.now(UTC)
