"""What the tests of watching a group stand on."""

from __future__ import annotations

import pytest

import tasks.autoscaling.watching.cpu_measures
import tasks.autoscaling.watching.observer
import tasks.autoscaling.watching.scaling_history
import tasks.autoscaling.watching.watch
from blocks.remote.connection import Watch
from tasks.telemetry.thresholds import ArchivePolicy
from tests.unit.fakes import FakeClock
from tests.unit.tasks.autoscaling.farm import Farm


@pytest.fixture
def farm(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> Farm:
    farm = Farm(clock)
    for module, name, stand_in in (
        (tasks.autoscaling.watching.observer, "read_resources", farm.resources),
        (tasks.autoscaling.watching.observer, "read_group", farm.group),
        (tasks.autoscaling.watching.observer, "read_alarms", farm.alarms),
        (tasks.autoscaling.watching.observer, "_now", farm.now),
        (tasks.autoscaling.watching.scaling_history, "read_events", lambda *_: []),
        (tasks.autoscaling.watching.scaling_history, "newest_event", lambda *_: ""),
        (tasks.autoscaling.watching.watch, "_now", farm.now),
    ):
        monkeypatch.setattr(module, name, stand_in)
    policy = ArchivePolicy("a", {10: 3600.0}, frozenset({"mean", "rate:mean"}))
    monkeypatch.setattr(tasks.autoscaling.watching.cpu_measures, "read_metric_policy", lambda *_: policy)
    monkeypatch.setattr(tasks.autoscaling.watching.cpu_measures, "read_newest", farm.measures)
    return farm


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def watch(said: list[str]) -> Watch:
    return Watch(said.append, lambda _: None)
