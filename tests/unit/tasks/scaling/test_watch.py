"""Watching a group: load goes where members are, the watching ends when nothing can come of it, and the load ends with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import cast

import pytest

import tasks.scaling.happenings
import tasks.scaling.meter
import tasks.scaling.observer
import tasks.scaling.watch
from blocks.cloud import CloudAccess
from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import CloudError, CloudUnreachable, Conflict, NotFound
from blocks.remote.command import Command
from blocks.remote.errors import Unreachable
from blocks.remote.shell import Result
from tasks.change import Watch
from tasks.heat.stack import Resource, Stack
from tasks.scaling.check import Check, Intervals, Job
from tasks.scaling.findings import Finding, Kind
from tasks.scaling.group import Group, Member, Server
from tasks.scaling.load import end_load, look_at_load
from tasks.scaling.members import Members
from tasks.scaling.observer import Observer
from tasks.scaling.settings import Settings
from tasks.scaling.timeline import Levels
from tasks.scaling.verdict import judge
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
        return Group("group", "", tuple(Member(one.name, "CREATE_COMPLETE", one) for one in servers))

    def alarms(self, *_: object) -> list[Alarm]:
        return [alarm("high", "alarm" if self.loaded else "ok"), alarm("low", "ok" if self.loaded else "alarm")]

    def measures(self, _: Cloud, servers: set[str], *__: object, **___: object) -> dict[str, Measure]:
        at = self.now() - timedelta(seconds=10)
        return dict.fromkeys(servers, Measure(at, 10, 10e9 if self.loaded else 0.1e9))

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
    for module, name, stand_in in (
        (tasks.scaling.observer, "read_resources", farm.resources),
        (tasks.scaling.observer, "read_group", farm.group),
        (tasks.scaling.observer, "read_alarms", farm.alarms),
        (tasks.scaling.observer, "_now", farm.now),
        (tasks.scaling.happenings, "read_events", lambda *_: []),
        (tasks.scaling.happenings, "newest_event", lambda *_: ""),
        (tasks.scaling.watch, "_now", farm.now),
    ):
        monkeypatch.setattr(module, name, stand_in)
    policy = ArchivePolicy("a", {10: 3600.0}, frozenset({"mean", "rate:mean"}))
    monkeypatch.setattr(tasks.scaling.meter, "read_metric_policy", lambda *_: policy)
    monkeypatch.setattr(tasks.scaling.meter, "read_newest", farm.measures)
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
    return GroupWatch(Observer(Cloud("overcloud"), settings, members, 1, TIMING), Levels(50, 10), 60)


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


def not_begun(group: GroupWatch, watch: Watch) -> Finding:
    """Goes through all steps of a check, which must not load anything, and returns the finding that says why."""
    for step in (group.wait_at_minimum, group.grow, group.shrink):
        step(watch)
    assert group.load_on is None
    (finding,) = group.findings()
    assert judge(group.timeline, [finding]).outcome == "inconclusive"
    return finding


def test_a_group_that_is_full_already_is_not_begun_with(farm: Farm, watch: Watch) -> None:
    farm.size = 2
    farm.ran["m0"] = ["load"]  # somebody else's
    finding = not_begun(watching(farm), watch)
    assert str(finding) == "max_size reached before: the group had 3 members before there was any load"
    assert farm.ran["m0"] == ["load"]


def test_a_group_above_its_minimum_is_not_begun_with(farm: Farm, watch: Watch) -> None:
    farm.size = farm.most = 2
    farm.ran["m0"] = ["load"]
    finding = not_begun(watching(farm), watch)
    assert finding.kind is Kind.NOT_AT_MINIMUM
    assert "2 of 2 members were ready before there was any load, and not 1" in str(finding)


def test_a_group_whose_members_nobody_reaches_is_not_begun_with(farm: Farm, watch: Watch) -> None:
    farm.unreachable = {"m0"}
    assert str(not_begun(watching(farm), watch)) == "member out of reach: member m0: m0: no SSH session"


def test_a_verdict_that_is_certain_already_is_not_waited_for(farm: Farm, watch: Watch, clock: FakeClock) -> None:
    group = watching(farm)
    doubled = {
        name: replace(one, rule=replace(one.rule, threshold=10e9))
        for name, one in group.settings.alarms.items()
        if one.rule
    }
    group.observer.settings = replace(group.settings, alarms=doubled)
    for step in (group.wait_at_minimum, group.grow, group.shrink):
        step(watch)
    assert group.load_on is None
    assert judge(group.timeline).why.startswith("alarm with another threshold")
    assert clock.now - 1000 < 10


def test_a_boot_that_fails_twice_is_not_waited_for(
    farm: Farm, watch: Watch, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def group(*_: object) -> Group:
        broken = [Server(f"e{number}", "", "ERROR", (), ()) for number in range(min(2, farm.looks // 3))]
        servers = [Server("m0", "m0", "ACTIVE", ("10.0.0.1",), ()), *broken[-1:]]
        return Group("group", "", tuple(Member(one.name, "CREATE_COMPLETE", one) for one in servers))

    monkeypatch.setattr(tasks.scaling.observer, "read_group", group)
    watched = watching(farm)
    watched.grow(watch)
    watched.shrink(watch)
    assert [one.kind for one in judge(watched.timeline).findings] == [Kind.MEMBER_ERROR] * 2
    assert clock.now - 1000 < 60


def test_whoever_waits_asks_less_often_while_nothing_can_have_changed(
    farm: Farm, watch: Watch, clock: FakeClock
) -> None:
    farm.most = 1
    group = watching(farm)
    group.grow(watch)
    assert group.load_on is not None
    times = [(one.at - group.load_on).total_seconds() for one in group.observations]
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps[0] == pytest.approx(10, abs=0.5)  # the alarm can't come up within its first interval and a half
    assert gaps[2] == pytest.approx(5, abs=0.5)


def test_nova_is_not_asked_for_what_heat_is_at_work_on(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    statuses = iter(
        ["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_COMPLETE", "CREATE_COMPLETE"]
    )
    novas = iter(["BUILD", "BUILD", "ACTIVE"])

    def resources(*_: object) -> list[Resource]:
        return [Resource("m0", "", next(statuses), "", "", "group/1", "")]

    def group(_: Cloud, __: Stack, ___: str, listed: list[Resource]) -> Group:
        asked.append(listed[0].status)
        server = Server("m0", "m0", next(novas), ("10.0.0.1",), ())
        return Group("group", "", (Member("m0", listed[0].status, server),))

    monkeypatch.setattr(tasks.scaling.observer, "read_resources", resources)
    monkeypatch.setattr(tasks.scaling.observer, "read_group", group)
    observer = watching(farm).observer
    seen = [len(observer.look("leave").ready) for _ in range(5)]
    assert asked == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_COMPLETE"]
    assert seen == [0, 0, 0, 1, 1]


def test_a_member_out_of_reach_is_told_and_its_load_ends_by_itself(farm: Farm, watch: Watch, said: list[str]) -> None:
    farm.unreachable = {"m0"}
    group = watching(farm)
    group.grow(watch)
    group.end_loads(watch)
    assert "m0: no SSH session" in group.observations[0].members[0].unreachable
    assert any(line.startswith("m0: the load could not be ended, it ends by itself") for line in said)


def test_alarms_are_asked_for_as_soon_as_the_group_moves(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def alarms(*_: object) -> list[Alarm]:
        asked.append(farm.size)
        return farm.alarms()

    monkeypatch.setattr("tasks.scaling.observer.read_alarms", alarms)
    group = watching(farm)
    farm.looks = 9
    group._look("leave")
    farm.size = 2
    group._look("leave")
    assert asked == [1, 2]


@pytest.mark.parametrize(
    "error",
    [NotFound("x", "no such server"), Conflict("x", "instance is not ready"), CloudUnreachable("x", "Nova is down")],
)
def test_a_member_that_comes_or_goes_keeps_no_other_members_load_on(
    farm: Farm, watch: Watch, error: CloudError
) -> None:
    group = watching(farm)
    group._look("load")
    coming = Server("m9", "m9", "BUILD", (), ())
    gone = Server("gone", "gone", "ACTIVE", (), ())
    changing = (Member("gone", "CREATE_COMPLETE", gone), Member("m9", "CREATE_IN_PROGRESS", coming))
    group.observer.group = replace(group.observer.group, members=(*changing, *group.observer.group.members))
    shell = FarmMembers(farm).shell

    def without_console(server: Server) -> FarmShell:
        assert server is not coming, "it has no console yet, and no load"
        if server.id == "gone":
            raise error
        return shell(server)

    group.observer.members.shell = without_console  # type: ignore[method-assign,assignment]
    group.end_loads(watch)
    assert farm.ran["m0"] == ["load", "end"]


def test_whatever_ends_the_watching_ends_the_load(farm: Farm, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(
        CloudAccess(name="x"), "check-autoscaling", None, False, None, "x", Levels(50, 10), Intervals(10, 5, 5, 60)
    )
    check = Check(job, cast("Members", FarmMembers(farm)))
    check._watch = watching(farm)
    check._watch._look("load")
    monkeypatch.setattr(GroupWatch, "_pause_s", lambda *_: 1 / 0)
    (call,) = check.grow().commands
    with pytest.raises(ZeroDivisionError):
        call.do(Cloud("overcloud"), watch)  # type: ignore[union-attr]
    assert farm.ran["m0"][-1] == "end"
