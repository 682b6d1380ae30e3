"""Watching a group: load goes where members are, the watching ends when nothing can come of it, and the load ends with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

import tasks.scaling.watch
from blocks.cloud import CloudAccess
from blocks.remote.cloud import Cloud
from blocks.remote.command import Command
from blocks.remote.errors import Unreachable, WaitExpired
from blocks.remote.shell import Result
from tasks.change import Watch
from tasks.heat.stack import Stack
from tasks.scaling.check import Check, Intervals, Job
from tasks.scaling.group import Group, Member, ScalingEvent, Server
from tasks.scaling.load import end_load, look_at_load
from tasks.scaling.members import Members
from tasks.scaling.settings import Settings
from tasks.scaling.timeline import Levels
from tasks.scaling.watch import GroupWatch
from tasks.scaling.webhook import Policy
from tasks.telemetry.alarms import Alarm, Rule
from tasks.telemetry.measures import Measure
from tasks.telemetry.thresholds import ArchivePolicy, Timing
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

    def group(self, *_: object) -> Group:
        self.looks += 1
        if self.looks % 3 == 0:
            self.size = min(self.most, self.size + 1) if self.loaded else max(1, self.size - 1)
        names = [f"m{number}" for number in range(self.size)]
        for name in set(self.ran) - set(names):
            del self.ran[name]
        servers = [Server(name, name, "ACTIVE", ("10.0.0.1",), ()) for name in names]
        return Group("group", "", tuple(Member(one.name, "CREATE_COMPLETE", one) for one in servers))

    def alarms(self, *_: object) -> list[Alarm]:
        return [alarm("high", "alarm" if self.loaded else "ok"), alarm("low", "ok" if self.loaded else "alarm")]

    def measures(self, *_: object, **__: object) -> list[Measure]:
        at = self.now() - timedelta(seconds=10)
        return [Measure(at, 10, 10e9 if self.loaded else 0.1e9)]

    def events(self, *_: object) -> list[ScalingEvent]:
        return []

    def on(self, name: str, command: Command) -> Result:
        if name in self.unreachable:
            raise Unreachable(name, "no SSH session")
        done = self.ran.setdefault(name, [])
        if command == end_load():
            done.append("end")
        elif command != look_at_load():
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


@pytest.fixture
def farm(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> Farm:
    farm = Farm(clock)
    for name, stand_in in {
        "read_group": farm.group,
        "read_alarms": farm.alarms,
        "read_measures": farm.measures,
        "read_scaling": farm.events,
        "read_metric_policy": lambda *_: ArchivePolicy("a", {10: 3600.0}, frozenset({"mean", "rate:mean"})),
        "newest_event": lambda *_: "",
        "_now": farm.now,
    }.items():
        monkeypatch.setattr(tasks.scaling.watch, name, stand_in)
    monkeypatch.setattr(GroupWatch, "_backlog", lambda _: None)
    return farm


def watching(farm: Farm) -> GroupWatch:
    settings = Settings(
        stack=Stack("x", "1", "CREATE_COMPLETE"),
        group="group",
        min_size=1,
        max_size=3,
        cooldown_s=10,
        policies={"up": Policy("up", "", ""), "down": Policy("down", "", "")},
        alarms={"high": alarm("high", "ok"), "low": alarm("low", "ok")},
        flavor="m1.nano",
    )
    members = cast("Members", FarmMembers(farm))
    return GroupWatch(Cloud("overcloud"), settings, members, 1, TIMING, Levels(50, 10), 60)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def watch(said: list[str]) -> Watch:
    return Watch(said.append, lambda _: None)


def test_a_group_is_watched_to_its_maximum_and_back(farm: Farm, watch: Watch, said: list[str]) -> None:
    group = watching(farm)
    group.wait_at_minimum(watch)
    group.grow(watch)
    assert [len(one.ready) for one in group.observations][-1] == 3
    assert all(words == ["load"] for words in farm.ran.values())
    group.shrink(watch)
    assert [len(one.ready) for one in group.observations][-1] == 1
    assert group.load_on is not None
    assert group.load_off is not None
    assert group.load_on < group.load_off
    assert any("3 of 3 members ready" in line for line in said)


def test_a_member_that_may_be_on_its_way_out_is_left_in_peace(farm: Farm, watch: Watch) -> None:
    group = watching(farm)
    group.grow(watch)
    asked: list[str] = []

    def on(name: str, command: Command) -> Result:
        asked.append(name)
        return Result("running 0\n", "", 0)

    farm.on = on  # type: ignore[method-assign]
    group.shrink(watch)
    assert sorted(asked) == ["m0", "m1", "m2"]  # to end their loads, and never again


def test_no_load_is_put_on_a_member_twice(farm: Farm, watch: Watch) -> None:
    watching(farm).grow(watch)
    assert [words.count("load") for words in farm.ran.values()] == [1, 1, 1]


def test_a_group_that_does_not_grow_is_given_up_in_time(farm: Farm, watch: Watch, clock: FakeClock) -> None:
    farm.most = 1
    group = watching(farm)
    group.grow(watch)
    assert len(group.observations[-1].ready) == 1
    assert clock.now - 1000 <= group._within_s("up") + 10


def test_a_group_above_its_minimum_is_not_begun_with(farm: Farm, watch: Watch) -> None:
    farm.size = 2
    farm.ran["m0"] = ["load"]
    with pytest.raises(WaitExpired, match="group group at its minimum of 1"):
        watching(farm).wait_at_minimum(watch)


def test_a_member_out_of_reach_is_told_and_its_load_ends_by_itself(farm: Farm, watch: Watch, said: list[str]) -> None:
    farm.unreachable = {"m0"}
    group = watching(farm)
    group.grow(watch)
    group.end_loads(watch)
    assert "m0: no SSH session" in group.observations[0].members[0].unreachable
    assert any(line.startswith("m0: the load could not be ended, it ends by itself") for line in said)


def test_whatever_ends_the_watching_ends_the_load(farm: Farm, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(
        CloudAccess(name="x"), "check-autoscaling", None, False, None, "x", Levels(50, 10), Intervals(10, 5, 5, 60)
    )
    check = Check(job, cast("Members", FarmMembers(farm)))
    check._watch = watching(farm)
    check._watch._look("load")
    monkeypatch.setattr(GroupWatch, "_hopeless", lambda _: 1 / 0)
    (call,) = check.grow().commands
    with pytest.raises(ZeroDivisionError):
        call.do(Cloud("overcloud"), watch)  # type: ignore[union-attr]
    assert farm.ran["m0"][-1] == "end"
