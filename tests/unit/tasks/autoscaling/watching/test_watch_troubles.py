"""What goes wrong while a group is watched: members and services that do not answer; whatever it is, the loads end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn, cast

import pytest
from prefect.logging import disable_run_logger

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import CloudError, CloudUnreachable, Conflict, Forbidden, NotFound, ServiceFailed
from blocks.remote.command import Command
from blocks.remote.connection import Watch
from blocks.remote.errors import WaitExpired
from blocks.remote.shell import Result
from tasks.autoscaling.group.group import Member, Server
from tasks.autoscaling.group.member_shells import MemberShells
from tasks.autoscaling.judging.verdict import judge
from tasks.autoscaling.timeline import AlarmTransition, Thresholds
from tasks.autoscaling.watching.timed_cache import TimedCache
from tasks.autoscaling.watching.watch import GroupWatch
from tasks.heat.events import Event
from tasks.heat.stack import Resource
from tasks.runbooks.check_autoscaling.check import ScalingCheck
from tasks.runbooks.check_autoscaling.check_plan import Intervals, ScalingCheckPlan
from tasks.telemetry.alarms import Alarm, StateTransition
from tasks.telemetry.measures import Measure
from tests.unit.fakes import FakeClock
from tests.unit.tasks.autoscaling.farm import BEGIN, Farm, FarmMembers, FarmShell, watching


def test_a_member_out_of_reach_is_told_and_its_load_ends_by_itself(farm: Farm, watch: Watch, said: list[str]) -> None:
    farm.unreachable = {"m0"}
    group = watching(farm)
    group.grow(watch)
    group.stop_load(watch)
    assert "m0: no SSH session" in group.observations[0].members[0].unreachable
    assert any(line.startswith("m0: the load could not be ended, it ends by itself") for line in said)


@pytest.mark.parametrize(
    "error",
    [NotFound("x", "no such server"), Conflict("x", "instance is not ready"), CloudUnreachable("x", "Nova is down")],
)
def test_a_member_that_comes_or_goes_keeps_no_other_members_load_on(
    farm: Farm, watch: Watch, error: CloudError
) -> None:
    group = watching(farm)
    group._observe("load")
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

    group.observer.shells.shell = without_console  # type: ignore[method-assign,assignment]
    group.stop_load(watch)
    assert farm.ran["m0"] == ["load", "end"]


def test_whatever_ends_the_watching_ends_the_load(farm: Farm, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    check = checking(farm)
    assert check._watch is not None
    check._watch._observe("load")
    monkeypatch.setattr(GroupWatch, "_pause_s", lambda *_: 1 / 0)
    (call,) = check.grow().commands
    with pytest.raises(ZeroDivisionError):
        call.perform(Cloud("overcloud"), watch)
    assert farm.ran["m0"][-1] == "end"


def failing(farm: Farm, errors: list[CloudError]) -> Callable[..., list[Resource]]:
    """Heat, which fails with these errors before it answers again."""
    return lambda *_: farm.resources() if not errors else throw(errors.pop(0))


def throw(error: Exception) -> NoReturn:
    raise error


@pytest.mark.parametrize("error", [CloudUnreachable("x", "502"), ServiceFailed("x", "500")])
def test_a_cloud_that_fails_for_a_moment_changes_nothing(
    farm: Farm, watch: Watch, said: list[str], monkeypatch: pytest.MonkeyPatch, error: CloudError
) -> None:
    group = watching(farm)
    for step in (group.wait_at_minimum, group.grow, group.shrink):
        monkeypatch.setattr("tasks.autoscaling.watching.observer.read_resources", failing(farm, [error] * 3))
        step(watch)
    verdict = judge(group.timeline)
    assert [(change.before, change.after) for change in (*verdict.up, *verdict.down)] == [
        (1, 2),
        (2, 3),
        (3, 2),
        (2, 1),
    ]
    assert sum("it is asked again" in line for line in said) == 9


def test_a_cloud_that_fails_while_it_is_asked_for_events_is_asked_for_them_again(
    farm: Farm, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[CloudError] = []
    read: list[float] = []

    def events(*_: object) -> list[object]:
        if len(read) == 1 and not answers:
            answers.append(CloudUnreachable("x", "connection reset"))
            raise answers[0]
        read.append(farm.clock.now)
        return []

    monkeypatch.setattr("tasks.autoscaling.watching.scaling_history.read_events", events)
    group = watching(farm)
    group.grow(watch)
    assert len(group.observations[-1].ready) == 3
    assert len(answers) == 1
    assert read[1] - read[0] < 30


def test_a_look_that_failed_half_way_is_no_look_at_the_group(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    group = watching(farm)
    group._observe("leave")
    farm.size, farm.looks = 2, 3
    asked: list[int] = []

    def alarms(*_: object) -> list[Alarm]:
        asked.append(farm.size)
        return throw(CloudUnreachable("x", "503")) if len(asked) == 1 else farm.alarms()

    monkeypatch.setattr("tasks.autoscaling.watching.observer.read_alarms", alarms)
    with pytest.raises(CloudUnreachable):
        group._observe("leave")
    assert len(group._observe("leave").members) == 2
    assert len(asked) == 2


def test_a_cloud_that_stays_away_ends_the_step_for_good_and_the_load(
    farm: Farm, watch: Watch, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = checking(farm)
    assert check._watch is not None
    check._watch._observe("load")
    monkeypatch.setattr(
        "tasks.autoscaling.watching.observer.read_resources", failing(farm, [CloudUnreachable("x", "503")] * 999)
    )
    (call,) = check.grow().commands
    with pytest.raises(ServiceFailed, match=r"has failed for 6[0-9] s: x: 503") as failed:
        call.perform(Cloud("overcloud"), watch)
    assert farm.ran["m0"][-1] == "end"
    assert not isinstance(failed.value, CloudUnreachable)  # which would be tried again, and begin with the load anew


def test_a_cloud_that_never_answers_is_not_taken_for_a_group_that_is_not_at_its_minimum(
    farm: Farm, watch: Watch, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tasks.autoscaling.watching.observer.read_resources", failing(farm, [CloudUnreachable("x", "503")] * 999)
    )
    with pytest.raises((WaitExpired, ServiceFailed)):
        watching(farm).wait_at_minimum(watch)


def test_loads_that_are_left_are_ended_with_the_check(farm: Farm) -> None:
    with disable_run_logger(), checking(farm) as check:
        assert check._watch is not None
        check._watch._observe("load")
    assert farm.ran["m0"] == ["load", "end"]
    with checking(farm) as check:
        assert check._watch is not None
        check._watch._observe("ask")
    assert farm.ran["m0"] == ["load", "end"]


def test_all_loads_are_ended_at_once(farm: Farm, watch: Watch) -> None:
    farm.size = 3
    group = watching(farm)
    group._observe("load")
    together, on = threading.Barrier(3), farm.on

    def ended(name: str, command: Command) -> Result:
        together.wait(10)
        return on(name, command)

    farm.on = ended  # type: ignore[method-assign]
    group.stop_load(watch)
    assert [words[-1] for words in farm.ran.values()] == ["end"] * 3


def test_telemetry_is_asked_anew_before_it_is_called_silent(
    farm: Farm, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    came = farm.now()

    def measures(_: Cloud, servers: set[str], *__: object, **___: object) -> dict[str, Measure]:
        asked.append(clock.now)
        return dict.fromkeys(servers, Measure(came, 10, 1e9))

    monkeypatch.setattr("tasks.autoscaling.watching.cpu_measures.read_newest", measures)
    group = watching(farm)
    group.observer._measure_cache = TimedCache(100.0)
    monkeypatch.setattr(group.observer._cpu_measures, "backlog", lambda *_: 0)
    silent_after_s = group.timing.silent_after_s()
    for seconds in (0.0, silent_after_s, 1.0):
        clock.now += seconds
        group._observe("leave")
    assert [at - 1000 for at in asked] == [0, silent_after_s + 1]


def checking(farm: Farm) -> ScalingCheck:
    """A check of it whose first step was taken."""
    job = ScalingCheckPlan(
        Cloud("x"), "check-autoscaling", False, None, "x", Thresholds(50, 10), Intervals(10, 5, 5, 60), "1"
    )
    check = ScalingCheck(job, cast("MemberShells", FarmMembers(farm)))
    check._watch = watching(farm)
    return check


@pytest.mark.parametrize("told", [[StateTransition(BEGIN, "alarm", "")], Forbidden("x", "403"), NotFound("x", "404")])
def test_the_history_of_an_alarm_that_moved_the_group_is_read_where_it_is_told(
    farm: Farm, monkeypatch: pytest.MonkeyPatch, told: list[StateTransition] | CloudError
) -> None:
    asked: list[str] = []

    def history(_: Cloud, alarm: str) -> list[StateTransition]:
        asked.append(alarm)
        return throw(told) if isinstance(told, CloudError) else told

    said = "alarm state changed from ok to alarm (…)"
    events = [
        Event("1", BEGIN, "stack", "1", "up", "SIGNAL_COMPLETE", said),
        Event("2", BEGIN, "stack", "1", "other", "SIGNAL_COMPLETE", said),
        Event("3", BEGIN, "stack", "1", "down", "SIGNAL_COMPLETE", "No signal details provided"),
    ]
    monkeypatch.setattr("tasks.autoscaling.watching.scaling_history.read_events", lambda *_: events)
    monkeypatch.setattr("tasks.autoscaling.watching.scaling_history.read_history", history)
    group = watching(farm)
    group.history.read(group.observer.group, {})
    assert asked == ["high"]
    assert [signal.direction for signal in group.history.signals] == ["up", "down"]
    assert group.timeline.alarm_transitions == (
        () if isinstance(told, CloudError) else (AlarmTransition(BEGIN, "high", "alarm"),)
    )


def test_a_history_that_does_not_come_is_asked_for_again_with_its_signal(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[CloudError] = [CloudUnreachable("x", "503")]
    event = Event("1", BEGIN, "stack", "1", "up", "SIGNAL_COMPLETE", "alarm state changed from ok to alarm (…)")
    monkeypatch.setattr(
        "tasks.autoscaling.watching.scaling_history.read_events", lambda *rest: [event] if rest[-1] == "" else []
    )
    monkeypatch.setattr(
        "tasks.autoscaling.watching.scaling_history.read_history",
        lambda *_: throw(answers.pop()) if answers else [],
    )
    group = watching(farm)
    with pytest.raises(CloudUnreachable):
        group.history.read(group.observer.group, {})
    assert group.history.signals == []
    group.history.read(group.observer.group, {})
    assert len(group.history.signals) == 1
