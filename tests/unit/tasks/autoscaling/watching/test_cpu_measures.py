"""What telemetry says of the members: asked seldom, and asked the right one where it says nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.autoscaling.watching.cpu_measures import CpuMeasures
from tasks.telemetry.thresholds import Timing
from tests.unit.cloud_api import FakeApi, install, overcloud

TIMING = Timing(polling_s=10, granularity_s=10, evaluation_periods=2, evaluation_s=5, processing_s=5, cooldown_s=10)
NOW = datetime(2026, 11, 21, 16, 26, tzinfo=UTC)
SILENT = NOW - timedelta(seconds=36)
MEASURES = "/v1/resource/instance/s1/metric/cpu/measures"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeApi:
    return install(monkeypatch, tmp_path)


def test_while_measures_come_nobody_is_asked_what_waits(api: FakeApi) -> None:
    assert CpuMeasures(overcloud(), TIMING).backlog({"s1"}, NOW - timedelta(seconds=35), NOW) is None
    assert api.asked == []


def test_an_administrator_is_told_what_waits(api: FakeApi) -> None:
    api.on("GET", "metric", "/v1/status", say={"storage": {"summary": {"measures": 40, "metrics": 3}}})
    assert CpuMeasures(overcloud(), TIMING).backlog({"s1"}, SILENT, NOW) == 40


@pytest.mark.parametrize(("newest", "waiting"), [(NOW, 1), (SILENT, 0)])
def test_a_projects_user_sees_it_by_what_a_refresh_brings(api: FakeApi, newest: datetime, waiting: int) -> None:
    api.on("GET", "metric", "/v1/status", say=(403, "Forbidden"))
    api.on("GET", "metric", MEASURES, say=(200, [[newest.isoformat(), 10.0, 1.0]]))
    assert CpuMeasures(overcloud(), TIMING).backlog({"s1"}, SILENT, NOW) == waiting


def test_a_granularity_that_the_policy_does_not_keep_is_not_asked_for(api: FakeApi) -> None:
    definition = [{"granularity": "0:05:00", "timespan": "1 day, 0:00:00"}]
    policy = {"name": "low", "definition": definition, "aggregation_methods": ["mean"]}
    api.on("GET", "metric", "/v1/resource/instance/s1/metric/cpu", say={"archive_policy": policy})
    meter = CpuMeasures(overcloud(), TIMING)
    assert meter.newest({"s1"}, NOW) == {}
    assert meter.granularities == (300,)
    assert api.requests("POST", "/v1/.*") == []


def test_of_a_policy_that_keeps_no_rate_nothing_is_asked(api: FakeApi) -> None:
    definition = [{"granularity": 10.0, "points": 360, "timespan": None}]
    policy = {"name": "low", "definition": definition, "aggregation_methods": ["mean", "max"]}
    api.on("GET", "metric", "/v1/resource/instance/s1/metric/cpu", say={"archive_policy": policy})
    measures = CpuMeasures(overcloud(), TIMING)
    assert measures.newest({"s1"}, NOW) == {}
    assert (measures.policy_without_rate, measures.granularities) == ("low", (10,))
    assert api.requests("POST", "/v1/.*") == []
