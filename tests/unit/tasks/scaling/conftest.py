"""What the tests of watching a group stand on."""

from __future__ import annotations

import pytest

import tasks.scaling.happenings
import tasks.scaling.meter
import tasks.scaling.observer
import tasks.scaling.watch
from tasks.change import Watch
from tasks.telemetry.thresholds import ArchivePolicy
from tests.unit.fakes import FakeClock
from tests.unit.tasks.scaling.farm import Farm


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


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def watch(said: list[str]) -> Watch:
    return Watch(said.append, lambda _: None)
