"""A group that scales as it should passes at the intervals of production too, wherever within them the check begins."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import tasks.autoscaling.watching.cpu_measures
import tasks.autoscaling.watching.observer
import tasks.autoscaling.watching.scaling_history
import tasks.autoscaling.watching.watch
import tasks.autoscaling.watching.web_watch
from blocks.remote.connection import Watch
from tasks.autoscaling.judging.findings import Kind
from tasks.autoscaling.judging.verdict import Verdict, judge
from tasks.telemetry.thresholds import ArchivePolicy, Timing
from tests.unit.fakes import FakeClock
from tests.unit.tasks.autoscaling.simulation import Simulation

QUICK = Timing(polling_s=5, granularity_s=5, evaluation_periods=2, evaluation_s=5, processing_s=5, cooldown_s=10)
MINUTE = Timing(polling_s=60, granularity_s=60, evaluation_periods=2, evaluation_s=60, processing_s=60, cooldown_s=60)
PRODUCTION = Timing(300, 300, 2, 60, 60, 300)


def checked(
    cloud: Simulation, monkeypatch: pytest.MonkeyPatch, watch: Watch, settle_s: float, web: bool = False
) -> Verdict:
    for module, name, stand_in in (
        (tasks.autoscaling.watching.observer, "read_resources", cloud.resources),
        (tasks.autoscaling.watching.observer, "read_group", cloud.group),
        (tasks.autoscaling.watching.observer, "read_alarms", cloud.alarms),
        (tasks.autoscaling.watching.observer, "_now", cloud.now),
        (tasks.autoscaling.watching.scaling_history, "read_events", cloud.read_events),
        (tasks.autoscaling.watching.scaling_history, "newest_event", cloud.newest_event),
        (tasks.autoscaling.watching.scaling_history, "read_history", cloud.read_history),
        (tasks.autoscaling.watching.watch, "_now", cloud.now),
    ):
        monkeypatch.setattr(module, name, stand_in)
    kept = {round(cloud.timing.granularity_s): 1e6, round((cloud.low or (60, 2))[0]): 1e6}
    policy = ArchivePolicy("a", kept, frozenset({"mean", "rate:mean"}))
    monkeypatch.setattr(tasks.autoscaling.watching.cpu_measures, "read_metric_policy", lambda *_: policy)
    monkeypatch.setattr(tasks.autoscaling.watching.cpu_measures, "read_newest", cloud.measures)
    monkeypatch.setattr(tasks.autoscaling.watching.cpu_measures.CpuMeasures, "backlog", lambda *_: 0)
    monkeypatch.setattr(tasks.autoscaling.watching.web_watch, "datetime", SimpleNamespace(now=lambda _: cloud.now()))
    monkeypatch.setattr(tasks.autoscaling.watching.web_watch, "read_activity", cloud.activity)
    monkeypatch.setattr(tasks.autoscaling.watching.web_watch, "post_webhook", cloud.post)
    group = cloud.watching_web(settle_s) if web else cloud.watching(settle_s)
    group.begin()
    for step in (group.wait_at_minimum, group.grow, group.shrink):
        step(watch)
    return judge(group.timeline, group.findings())


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    ("timing", "boots_s", "sizes"),
    [(QUICK, 8, (1, 3)), (MINUTE, 45, (1, 3)), (MINUTE, 200, (1, 3)), (MINUTE, 45, (2, 5)), (PRODUCTION, 90, (1, 3))],
    ids=["quick", "minute", "slow boot", "five members", "production"],
)
def test_a_group_that_scales_as_it_should_passes(
    monkeypatch: pytest.MonkeyPatch,
    clock: FakeClock,
    watch: Watch,
    said: list[str],
    timing: Timing,
    boots_s: float,
    sizes: tuple[int, int],
    seed: int,
) -> None:
    cloud = Simulation(clock, timing, boots_s, 10, *sizes, seed=seed)
    verdict = checked(cloud, monkeypatch, watch, settle_s=max(60, 1.5 * boots_s))
    assert verdict.outcome == "passed", "\n".join([verdict.why, *said])
    assert verdict.findings == (), "\n".join(said)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("timing", [QUICK, MINUTE], ids=["quick", "minute"])
def test_a_web_farm_that_scales_as_it_should_passes(
    monkeypatch: pytest.MonkeyPatch, clock: FakeClock, watch: Watch, said: list[str], timing: Timing, seed: int
) -> None:
    cloud = Simulation(clock, timing, 20, 10, seed=seed)
    verdict = checked(cloud, monkeypatch, watch, 60, web=True)
    assert verdict.outcome == "passed", "\n".join([verdict.why, *said])
    assert {finding.kind for finding in verdict.findings} <= {Kind.PREMATURE_SCALE_DOWN}, "\n".join(said)
    assert sum("POST to the webhook to scale up: 200" in line for line in said) == 1
    assert sum(event.reason == "No signal details provided" for event in cloud.events) == 1


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("fault", "outcome", "kind", "within_s"),
    [
        ({"hears": 0}, "failed", Kind.SIGNAL_LOST, 700),
        ({"hears": 1}, "failed", Kind.SIGNAL_LOST, 900),
        ({"deaf_s": 60}, "inconclusive", Kind.NO_MEASURES, 500),
        ({"polls_s": 300}, "inconclusive", Kind.TOO_COARSE, 900),
        ({"polls_s": 600}, "inconclusive", Kind.TOO_COARSE, 900),
        ({"blind_s": 0}, "failed", Kind.ALARM_NOT_RAISED, 900),
    ],
    ids=[
        "no signal is heard",
        "one signal is heard",
        "Ceilometer stops",
        "polled every 300 s",
        "every 600 s",
        "Aodh stops",
    ],
)
def test_a_fault_is_named_at_a_minutes_intervals(
    monkeypatch: pytest.MonkeyPatch,
    clock: FakeClock,
    watch: Watch,
    said: list[str],
    fault: dict[str, Any],
    outcome: str,
    kind: Kind,
    within_s: float,
    seed: int,
) -> None:
    cloud = Simulation(clock, MINUTE, 45, 10, seed=seed, **fault)
    verdict = checked(cloud, monkeypatch, watch, settle_s=90)
    assert (verdict.outcome, {finding.kind for finding in verdict.findings}) == (outcome, {kind}), "\n".join(
        [verdict.why, *said]
    )
    assert cloud.time < within_s


@pytest.mark.parametrize("seed", range(6))
def test_an_alarm_that_signals_once_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch, clock: FakeClock, watch: Watch, said: list[str], seed: int
) -> None:
    cloud = Simulation(clock, MINUTE, 45, 10, 1, 5, seed=seed, repeats=False)
    verdict = checked(cloud, monkeypatch, watch, settle_s=90)
    assert verdict.outcome == "failed", "\n".join(said)
    (lost,) = [finding for finding in verdict.findings if finding.kind is Kind.SIGNAL_LOST]
    assert "the alarm signals once (repeat_actions is false)" in lost.sentence


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("low", [(60, 5), (300, 2), (120, 3)])
def test_an_alarm_that_shrinks_the_group_more_slowly_has_its_own_time(
    monkeypatch: pytest.MonkeyPatch,
    clock: FakeClock,
    watch: Watch,
    said: list[str],
    low: tuple[float, int],
    seed: int,
) -> None:
    cloud = Simulation(clock, MINUTE, 45, 10, seed=seed, low=low)
    verdict = checked(cloud, monkeypatch, watch, settle_s=90)
    assert (verdict.outcome, verdict.findings) == ("passed", ()), "\n".join([verdict.why, *said])


@pytest.mark.parametrize("begin", range(0, 600, 40))
def test_a_poll_that_is_missed_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, clock: FakeClock, watch: Watch, said: list[str], begin: int
) -> None:
    cloud = Simulation(clock, MINUTE, 45, 10, misses=range(begin, begin + 60))
    verdict = checked(cloud, monkeypatch, watch, settle_s=90)
    assert verdict.outcome == "passed", "\n".join([verdict.why, *said])


def test_a_large_group_with_a_short_cooldown_trips_over_its_own_mean(
    monkeypatch: pytest.MonkeyPatch, clock: FakeClock, watch: Watch, said: list[str]
) -> None:
    cloud = Simulation(clock, Timing(60, 60, 2, 5, 5, 10), 60, 1, 2, 7, seed=39)
    verdict = checked(cloud, monkeypatch, watch, settle_s=90)
    assert verdict.outcome == "failed", "\n".join(said)
    assert "the low alarm came up while the members are under load" in verdict.why
    assert "a longer cooldown" in verdict.why


@pytest.mark.parametrize("seed", range(6))
def test_alarms_of_a_single_period_are_called_flapping_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, clock: FakeClock, watch: Watch, said: list[str], seed: int
) -> None:
    verdict = checked(Simulation(clock, Timing(60, 60, 1, 60, 60, 60), 45, 10, seed=seed), monkeypatch, watch, 90)
    assert {finding.kind for finding in verdict.findings} == {Kind.FLAPPING}, "\n".join([verdict.why, *said])
