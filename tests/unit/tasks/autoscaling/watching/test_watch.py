"""Watching a group: load goes where members are, and the watching ends when nothing can come of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

import tasks.autoscaling.watching.cpu_measures
import tasks.autoscaling.watching.observer
import tasks.autoscaling.watching.scaling_history
import tasks.autoscaling.watching.watch
from blocks.remote.cloud import Cloud
from blocks.remote.command import Command
from blocks.remote.connection import Watch
from blocks.remote.shell import Result
from tasks.autoscaling.group.group import Group, Member, Server
from tasks.autoscaling.judging.findings import Finding, Kind
from tasks.autoscaling.judging.verdict import judge
from tasks.autoscaling.watching.watch import GroupWatch
from tasks.heat.stack import Resource, Stack
from tasks.telemetry.alarms import Alarm
from tests.unit.fakes import FakeClock
from tests.unit.tasks.autoscaling.farm import Farm, alarm, watching


def test_a_group_is_watched_to_its_maximum_and_back(farm: Farm, watch: Watch, said: list[str]) -> None:
    group = watching(farm)
    group.wait_at_minimum(watch)
    group.grow(watch)
    assert [len(observation.ready) for observation in group.observations][-1] == 3
    assert all(words == ["load"] for words in farm.ran.values())
    group.shrink(watch)
    assert [len(observation.ready) for observation in group.observations][-1] == 1
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
    assert clock.now - 1000 <= group._phase_limit_s("up") + 10


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


def test_a_group_that_is_busy_already_is_not_begun_with(farm: Farm, watch: Watch) -> None:
    farm.most = 1
    farm.ran["m0"] = ["load"]
    finding = not_begun(watching(farm), watch)
    assert str(finding) == (
        "busy before any load: the high alarm was up before there was any load, and the members used 100 %"
    )


def test_an_alarm_that_is_still_up_is_waited_for(
    farm: Farm, watch: Watch, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def alarms(*_: object) -> list[Alarm]:
        return [alarm("high", "alarm" if clock.now < 1020 else "ok"), alarm("low", "ok")]

    monkeypatch.setattr("tasks.autoscaling.watching.observer.read_alarms", alarms)
    group = watching(farm)
    group.wait_at_minimum(watch)
    assert group.findings() == []
    assert 1020 <= clock.now < 1040


def test_a_group_whose_members_nobody_reaches_is_not_begun_with(farm: Farm, watch: Watch) -> None:
    farm.unreachable = {"m0"}
    assert str(not_begun(watching(farm), watch)) == "member out of reach: member m0: m0: no SSH session"


def test_a_verdict_that_is_certain_already_is_not_waited_for(farm: Farm, watch: Watch, clock: FakeClock) -> None:
    group = watching(farm)
    doubled = {
        name: replace(alarm, rule=replace(alarm.rule, threshold=10e9))
        for name, alarm in group.settings.alarms.items()
        if alarm.rule
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
        return Group("group", "", tuple(Member(server.name, "CREATE_COMPLETE", server) for server in servers))

    monkeypatch.setattr(tasks.autoscaling.watching.observer, "read_group", group)
    watched = watching(farm)
    watched.grow(watch)
    watched.shrink(watch)
    assert [finding.kind for finding in judge(watched.timeline).findings] == [Kind.MEMBER_ERROR] * 2
    assert clock.now - 1000 < 60


def test_whoever_waits_asks_less_often_while_nothing_can_have_changed(
    farm: Farm, watch: Watch, clock: FakeClock
) -> None:
    farm.most = 1
    group = watching(farm)
    group.grow(watch)
    assert group.load_on is not None
    times = [(observation.at - group.load_on).total_seconds() for observation in group.observations]
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

    monkeypatch.setattr(tasks.autoscaling.watching.observer, "read_resources", resources)
    monkeypatch.setattr(tasks.autoscaling.watching.observer, "read_group", group)
    observer = watching(farm).observer
    seen = [len(observer.observe("leave").ready) for _ in range(5)]
    assert asked == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_COMPLETE"]
    assert seen == [0, 0, 0, 1, 1]


def test_alarms_are_asked_for_as_soon_as_the_group_moves(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def alarms(*_: object) -> list[Alarm]:
        asked.append(farm.size)
        return farm.alarms()

    monkeypatch.setattr("tasks.autoscaling.watching.observer.read_alarms", alarms)
    group = watching(farm)
    farm.looks = 9
    group._observe("leave")
    farm.size = 2
    group._observe("leave")
    assert asked == [1, 2]
