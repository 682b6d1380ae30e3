"""A group for tests, that scales as its members' load wants it, and what watches it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

from blocks.remote.cloud import Cloud
from blocks.remote.command import Command
from blocks.remote.errors import Unreachable
from blocks.remote.shell import Result
from tasks.autoscaling.group.cpu_load import read_load, stop_load
from tasks.autoscaling.group.group import Group, Member, Server
from tasks.autoscaling.group.member_shells import MemberShells
from tasks.autoscaling.group.settings import Settings
from tasks.autoscaling.group.webhook import Policy
from tasks.autoscaling.timeline import Thresholds
from tasks.autoscaling.watching.observer import Observer
from tasks.autoscaling.watching.watch import GroupWatch
from tasks.heat.stack import Resource, Stack
from tasks.telemetry.alarms import Alarm, Rule
from tasks.telemetry.measures import Measure
from tasks.telemetry.thresholds import Timing
from tests.unit.fakes import FakeClock

TIMING = Timing(polling_s=10, granularity_s=10, evaluation_periods=2, evaluation_s=5, processing_s=5, cooldown_s=10)
BEGIN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass
class Farm:
    """A group that grows by one member every three looks under load, and shrinks so without.

    Attributes:
        most: How many members it will ever have.
        unreachable: Names of members that SSH does not reach.
        ran: Member → what was done there.
    """

    clock: FakeClock
    most: int = 3
    unreachable: set[str] = field(default_factory=set)
    ran: dict[str, list[str]] = field(default_factory=dict)
    looks: int = 0
    size: int = 1

    @property
    def loaded(self) -> bool:
        return any(words and words[-1] == "load" for words in self.ran.values())

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.clock.now - 1000.0)

    def resources(self, *_: object) -> list[Resource]:
        self.looks += 1
        if self.looks % 3 == 0:
            self.size = min(self.most, self.size + 1) if self.loaded else max(1, self.size - 1)
        return [Resource(f"m{number}", "", "CREATE_COMPLETE", "", "", "group/1", "") for number in range(self.size)]

    def group(self, *_: object) -> Group:
        names = [f"m{number}" for number in range(self.size)]
        for name in set(self.ran) - set(names):
            del self.ran[name]
        servers = [Server(name, name, "ACTIVE", ("10.0.0.1",), ()) for name in names]
        return Group("group", "", tuple(Member(server.name, "CREATE_COMPLETE", server) for server in servers))

    def alarms(self, *_: object) -> list[Alarm]:
        return [alarm("high", "alarm" if self.loaded else "ok"), alarm("low", "ok" if self.loaded else "alarm")]

    def measures(self, _: Cloud, servers: set[str], *__: object, **___: object) -> dict[str, Measure]:
        at = self.now() - timedelta(seconds=10)
        return dict.fromkeys(servers, Measure(at, 10, 10e9 if self.loaded else 0.1e9))

    def on(self, name: str, command: Command) -> Result:
        if name in self.unreachable:
            raise Unreachable(name, "no SSH session")
        done = self.ran.setdefault(name, [])
        if command == stop_load():
            done.append("end")
        elif command != read_load():
            done.append("load")
        return Result(f"vcpus 1\nrunning {int(done[-1:] == ['load'])}\n", "", 0)


@dataclass
class FarmShell:
    """A shell on a member."""

    farm: Farm
    name: str

    def run(self, command: Command) -> Result:
        return self.farm.on(self.name, command)


@dataclass
class FarmMembers:
    """Shells on all members."""

    farm: Farm

    def shell(self, server: Server) -> FarmShell:
        return FarmShell(self.farm, server.name)


def alarm(name: str, state: str) -> Alarm:
    threshold, operator = (5e9, "gt") if name == "high" else (1e9, "lt")
    rule = Rule("cpu", "rate:mean", 10, 2, operator, threshold, "{}")
    return Alarm(name, name, state, BEGIN, "", True, True, rule, 1)


def watching(farm: Farm) -> GroupWatch:
    settings = Settings(
        stack=Stack("x", "1", "CREATE_COMPLETE"),
        group="group",
        min_size=1,
        max_size=3,
        cooldown_s=10,
        policies={"up": Policy("up", "", ""), "down": Policy("down", "", "")},
        alarms={"high": alarm("high", "ok"), "low": alarm("low", "ok")},
    )
    members = cast("MemberShells", FarmMembers(farm))
    return GroupWatch(Observer(Cloud("overcloud"), settings, members, 1, TIMING), Thresholds(50, 10), 60)
