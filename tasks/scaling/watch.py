"""Watching a group: everything that is seen of it, put together into a timeline, and load on its members meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import CloudError, Forbidden, NotFound
from blocks.remote.command import Command
from blocks.remote.errors import RunbookError, Stopped, WaitExpired
from blocks.remote.shell import Shell
from blocks.remote.waiting import wait_until
from tasks.change import Watch
from tasks.heat.events import newest_event
from tasks.scaling import timeline as seen
from tasks.scaling.findings import WEIGHT, Finding, Kind, Weight
from tasks.scaling.group import Group, Server, read_group, read_scaling
from tasks.scaling.load import Load, end_load, look_at_load, parse_load, start_load
from tasks.scaling.members import Members
from tasks.scaling.settings import Settings
from tasks.scaling.timeline import Direction, Levels, Observation, Timeline
from tasks.scaling.verdict import RULES
from tasks.telemetry.alarms import read_alarms
from tasks.telemetry.measures import Measure, read_measures, read_metric_policy
from tasks.telemetry.thresholds import Timing, percent_of, threshold_ns

# Between two looks; each takes some six calls, which are paced to one a second beyond a burst.
_EVERY_S = 5.0
# What only explains a failure, but can't become better by waiting: an alarm that is blind or mute.
_DECIDING = frozenset({Kind.ALARM_SILENT, Kind.NO_DATA})


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
    granularities: tuple[int, ...] | None = ()
    _after: str = ""
    _servers: dict[str, Server] = field(default_factory=dict)
    _loaded: set[str] = field(default_factory=set)
    _sees_backlog: bool = True

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
            granularities_s=self.granularities,
            loads=self.vcpus,
            settle_s=self.settle_s,
            observations=tuple(self.observations),
            load_on=self.load_on,
            load_off=self.load_off,
            events=tuple(self.events),
            calls=tuple(self.calls),
        )

    def begin(self) -> None:
        """Remember where Heat's events are now: what happened before is not judged."""
        self._after = newest_event(self.cloud, self.settings.stack)

    def wait_at_minimum(self, watch: Watch) -> None:
        """Wait until the group has no more than its fewest members, and all of them are ready and reached.

        Raises:
            WaitExpired: It has more, or one that nobody reaches.
        """

        def look() -> str:
            now = self._look("ask")
            self.observations.append(now)
            watch.line(_line(now))
            whole = len(now.ready) == len(now.members) == self.settings.min_size
            return "ready" if whole and not any(one.unreachable for one in now.members) else _line(now)

        wait_until(
            self.cloud.name,
            f"group {self.settings.group} at its minimum of {self.settings.min_size}",
            "ready",
            look,
            self.settle_s,
            every_s=_EVERY_S,
            steady=True,
            hint="bring the group to its minimum and see that its members can be reached with SSH, then start again",
        )

    def grow(self, watch: Watch) -> None:
        """Load every member, and watch until the group is full and all its members are ready, or it can't be any more."""
        self.load_on = _now()
        self._watch("up", lambda now: len(now.ready) >= self.settings.max_size, watch)

    def shrink(self, watch: Watch) -> None:
        """End the loads, and watch until the group is at its minimum."""
        self.end_loads(watch)
        self._watch("down", lambda now: len(now.members) <= self.settings.min_size, watch)

    def end_loads(self, watch: Watch) -> None:
        """End the loads on all members that are there; one that can't be reached ends by its own time limit."""
        self.load_off = self.load_off or _now()
        for server in self._servers.values():
            answer = self._on(server, end_load())
            if isinstance(answer, str):
                watch.line(f"{server.name}: the load could not be ended, it ends by itself: {answer}")
        self._loaded.clear()

    def _watch(self, direction: Direction, done: Callable[[Observation], bool], watch: Watch) -> None:
        said = ""

        def look() -> str:
            nonlocal said
            now = self._look("load" if direction == "up" else "leave")
            self.observations.append(now)
            self._read_events()
            text = _line(now)
            if text != said:
                watch.line(text)
                said = text
            watch.progress(100 * len(now.ready) / self.settings.max_size)
            if done(now):
                return "done"
            return "hopeless" if self._hopeless() else "under way"

        try:
            wait_until(
                self.cloud.name,
                f"the group under way {direction}",
                "done",
                look,
                self._within_s(direction),
                every_s=_EVERY_S,
                satisfied=lambda word: word != "under way",
                steady=True,
            )
        except WaitExpired as expired:
            watch.line(expired.message)  # the verdict says what that means

    def _within_s(self, direction: Direction) -> float:
        """What all steps of one phase may take at most, each with what a member needs."""
        steps = self.settings.max_size - self.settings.min_size
        passing = self.timeline.passing(direction)
        each = max(self.timing.alarm(passing).latest_s, self.timing.next(passing).latest_s) + self.settle_s
        return steps * each + self.timing.silent_after_s()

    def _hopeless(self) -> bool:
        """Whether something was found that decides the verdict, so that waiting any longer is for nothing."""
        timeline = self.timeline
        found = {finding.kind for rule in RULES for finding in rule(timeline)}
        return any(kind in _DECIDING or WEIGHT[kind] in (Weight.FAILS, Weight.SPOILS) for kind in found)

    def findings(self) -> list[Finding]:
        """What was seen besides the timeline."""
        return []

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
        group = read_group(self.cloud, self.settings.stack, self.settings.group)
        alarms = self._alarm_states()
        servers = {one.server.id: one.server for one in group.members if one.server is not None}
        self._servers = servers
        measures = {id_: self._newest(id_) for id_, server in servers.items() if server.status == "ACTIVE"}
        active = [one for one in servers.values() if one.status == "ACTIVE" and members != "leave"]
        loads = self._loads(active, loading=members == "load")
        newest = [one.at for one in measures.values() if one is not None]
        return Observation(
            at=_now(),
            members=tuple(self._member(server, measures.get(id_), loads.get(id_)) for id_, server in servers.items()),
            alarms=alarms,
            measured_at=max(newest, default=None),
            backlog=self._backlog(),
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

    def _newest(self, server: str) -> Measure | None:
        if not self.granularities:
            policy = read_metric_policy(self.cloud, server)
            self.granularities = tuple(sorted(policy.timespans_s)) if policy else None
        since = _now() - timedelta(seconds=3 * self.timing.silent_after_s())
        try:
            measures = read_measures(self.cloud, server, self.timing.granularity_s, since=since)
        except NotFound:  # the policy has no such granularity: a rule tells
            return None
        return measures[-1] if measures else None

    def _backlog(self) -> int | None:
        """How many measures wait for metricd; None where that is not ours to ask."""
        if not self._sees_backlog:
            return None
        try:
            status = self.cloud.ask("read Gnocchi's status", "metric", "/v1/status", details="false")
        except (Forbidden, NotFound):
            self._sees_backlog = False
            return None
        summary = (status.get("storage") or {}).get("summary") or {}
        return int(summary.get("measures", 0))

    # -- load

    def _loads(self, servers: list[Server], loading: bool) -> dict[str, Load | str]:
        """What each member carries, or why it is out of reach; members that are new get their load first."""
        if not servers:
            return {}

        def ask(server: Server) -> Load | str:
            new = loading and server.id not in self._loaded
            lasts_s = self._within_s("up") + 2 * self.settle_s
            answer = self._on(server, start_load(self.vcpus, lasts_s) if new else look_at_load())
            if new and isinstance(answer, Load) and answer.running >= self.vcpus:
                self._loaded.add(server.id)
            return answer

        with ThreadPoolExecutor(max_workers=len(servers)) as pool:
            return dict(zip([one.id for one in servers], pool.map(ask, servers), strict=True))

    def _on(self, server: Server, command: Command) -> Load | str:
        try:
            shell: Shell = self.members.shell(server)
            return parse_load(server.name, shell.run(command).stdout)
        except (Stopped, CloudError):
            raise
        except RunbookError as error:
            return error.message

    def _read_events(self) -> None:
        """What the policies did since the last look."""
        group = Group(self.settings.group, "", ())
        directions = self.settings.policy_directions
        for event in read_scaling(self.cloud, self.settings.stack, group, self._after):
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
