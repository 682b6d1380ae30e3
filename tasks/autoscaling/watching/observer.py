"""Looking at a group: everything that can be seen of it at one moment, with as few calls as that takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from blocks.remote.cloud import Cloud
from blocks.remote.connection import Watch
from tasks.autoscaling import timeline as seen
from tasks.autoscaling.group.cpu_load import LoadReport
from tasks.autoscaling.group.group import Group, Server, read_group
from tasks.autoscaling.group.load_generator import LoadGenerator
from tasks.autoscaling.group.member_shells import MemberShells
from tasks.autoscaling.group.pool import types_by_name
from tasks.autoscaling.group.settings import Settings
from tasks.autoscaling.timeline import Observation
from tasks.autoscaling.watching.cpu_measures import CpuMeasures
from tasks.autoscaling.watching.timed_cache import TimedCache
from tasks.heat.stack import Resource, read_resources
from tasks.telemetry.alarms import read_alarms
from tasks.telemetry.measures import Measure
from tasks.telemetry.thresholds import Timing, percent_of

_SERVERS_S = 15.0


@dataclass
class Observer:
    """Looks at one group again and again.

    Attributes:
        cloud: Where.
        settings: How the group is meant to scale.
        shells: Shells on its members.
        vcpus: Of one member.
        timing: The intervals.
        serves: Says whether a page has come from a server of this name; None where a member counts without one.
        group: The group as it was seen last.
        types: The types of all resources that were seen, by their stack and name.
        resources_changed: Whether Heat's listing had changed at the last look.
    """

    cloud: Cloud
    settings: Settings
    shells: MemberShells
    vcpus: int
    timing: Timing
    serves: Callable[[str], bool] | None = None

    def __post_init__(self) -> None:
        self.group = Group("", "", ())
        self.types: dict[tuple[str, str], str] = {}
        self.resources_changed = True
        self._resources: list[Resource] = []
        self._measured: set[str] = set()
        self._last_measure_at: datetime | None = None  # the newest measure; while there was none yet, the first look
        self._cpu_measures = CpuMeasures(self.cloud, self.timing)
        self._load = LoadGenerator(self.shells, self.vcpus)
        # A server seldom changes without Heat; an alarm not between two evaluations; CPU not between two polls.
        self._group_cache = TimedCache[Group](_SERVERS_S)
        self._alarm_cache = TimedCache[dict[str, str]](self.timing.evaluation_s / 2)
        self._measure_cache = TimedCache[dict[str, Measure]](self.timing.polling_s)

    @property
    def granularities(self) -> tuple[int, ...] | None:
        """Those of the members' metric; see `CpuMeasures`."""
        return self._cpu_measures.granularities

    @property
    def policy_without_rate(self) -> str:
        """See `CpuMeasures`."""
        return self._cpu_measures.policy_without_rate

    @property
    def servers(self) -> dict[str, Server]:
        """The members' servers as they were seen last, by their ids."""
        return {member.server.id: member.server for member in self.group.members if member.server is not None}

    @property
    def _active(self) -> list[Server]:
        return [server for server in self.servers.values() if server.status == "ACTIVE"]

    def observe(self, members: Literal["ask", "load", "leave"], time_limit_s: float = 0) -> Observation:
        """Look at everything once.

        Args:
            members: Whether the members are asked for their load, get theirs first, or are left in peace: those that are
                being removed do not answer any more.
            time_limit_s: Seconds after which a load that is put on a member ends by itself.
        """
        resources = self._read_group()
        # What moves the group is an alarm, which may be down again before it would be asked for by the clock.
        alarms = self._alarm_cache.get(self._alarm_states, refresh=self.resources_changed)
        ids = {server.id for server in self._active}
        anew = ids != self._measured or self._telemetry_silent
        measures = self._measure_cache.get(lambda: self._cpu_measures.newest(ids, _now()), refresh=anew)
        self._measured = ids
        loads = self._load.read(self._active, time_limit_s if members == "load" else 0) if members != "leave" else {}
        newest = max(measures.values(), key=lambda measure: measure.at, default=None)
        measured_at = newest.at if newest else None
        at = _now()
        self._last_measure_at = measured_at or self._last_measure_at or at
        self._resources = resources  # a look that ended before it could tell did not see them
        return Observation(
            at=at,
            members=tuple(
                self._member(server, measures.get(id_), loads.get(id_)) for id_, server in self.servers.items()
            ),
            alarms=alarms,
            measured_at=measured_at,
            previous_measure_at=newest.before if newest else None,
            backlog=self._cpu_measures.backlog(ids, self._last_measure_at, at),
            heat_idle=all(member.ready for member in self.group.members),
        )

    @property
    def _telemetry_silent(self) -> bool:
        """Whether telemetry would count as silent: it is asked anew, before that is said of it."""
        silent = timedelta(seconds=self.timing.silent_after_s())
        return self._last_measure_at is not None and _now() - self._last_measure_at > silent

    @property
    def load_running(self) -> bool:
        """Whether there are loads on members that were not ended."""
        return self._load.running

    def stop_load(self, watch: Watch) -> None:
        """End the loads on all members that are there."""
        self._load.stop(self._active, watch)

    def _read_group(self) -> list[Resource]:
        """Heat's listing each time; Nova's only where that has changed, or says less of a member than Nova does.

        Heat looks at a server until it is there, or in ERROR, or gone: what it is at work on, its listing will tell.
        """
        resources = read_resources(self.cloud, self.settings.stack)
        self.types |= types_by_name(resources)
        self.resources_changed = resources != self._resources
        self.group = self._group_cache.get(
            lambda: read_group(self.cloud, self.settings.stack, self.settings.group, resources),
            refresh=self.resources_changed or any(member.settled and not member.ready for member in self.group.members),
        )
        return resources

    def _alarm_states(self) -> dict[str, str]:
        names = {alarm.id: name for name, alarm in self.settings.alarms.items()}
        return {names[alarm.id]: alarm.state for alarm in read_alarms(self.cloud, names)}

    def _member(self, server: Server, measure: Measure | None, load: LoadReport | str | None) -> seen.MemberState:
        return seen.MemberState(
            id=server.id,
            status=server.status,
            cpu_percent=percent_of(measure.value, self.vcpus, self.timing.polling_s) if measure else None,
            load_processes=load.running if isinstance(load, LoadReport) else None,
            unreachable=load if isinstance(load, str) else "",
            serves=self.serves(server.name) if self.serves else None,
        )


def _now() -> datetime:
    return datetime.now(UTC)
