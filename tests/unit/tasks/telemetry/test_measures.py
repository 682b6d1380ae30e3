"""What Gnocchi keeps is read; what it does not know yet is nothing, and what it can't give is an error."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from blocks.remote.cloud_errors import RequestRejected
from tasks.telemetry.measures import (
    Measure,
    read_archive_policies,
    read_backlog,
    read_metric_policy,
    read_newest,
)
from tests.unit.cloud_api import FakeApi, install, overcloud

POLICY = {
    "name": "autoscaling",
    "back_window": 0,
    "definition": [
        {"granularity": "0:00:10", "timespan": "6:00:00", "points": 2160},
        {"granularity": "0:01:00", "timespan": "6:00:00", "points": 360},
    ],
    "aggregation_methods": ["rate:mean", "mean"],
}
CPU = "/v1/resource/instance/s1/metric/cpu"
SINCE = datetime(2026, 11, 21, 16, 25, tzinfo=UTC)
# Gnocchi 4.4 behind Pecan.
NO_GRANULARITY = {
    "code": 400,
    "title": "Bad Request",
    "description": {"cause": "Metrics can't being aggregated", "reason": "Granularities are missing", "detail": []},
}
# The same behind Pecan: HTML, entities and all.
NO_METRIC = (
    "<html><head><title>400 Bad Request</title></head><body><h1>400 Bad Request</h1>The server could not comply.<br />"
    "{&#x27;cause&#x27;: &#x27;Metrics not found&#x27;, &#x27;detail&#x27;: {&#x27;cpu&#x27;}}</body></html>"
)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeApi:
    return install(monkeypatch, tmp_path)


def test_archive_policies_are_read_by_name(api: FakeApi) -> None:
    api.on("GET", "metric", "/v1/archive_policy", say=(200, [POLICY]))
    policy = read_archive_policies(overcloud())["autoscaling"]
    assert policy.timespans_s == {10: 21600.0, 60: 21600.0}
    assert policy.methods == {"mean", "rate:mean"}


def test_the_policy_of_a_servers_metric_is_read(api: FakeApi) -> None:
    api.on("GET", "metric", CPU, say={"id": "m1", "archive_policy": POLICY})
    policy = read_metric_policy(overcloud(), "s1")
    assert policy is not None
    assert policy.name == "autoscaling"


def test_a_server_that_was_never_polled_has_neither_policy_nor_measures(api: FakeApi) -> None:
    gone = (404, "<html><body>Resource s1 does not exist</body></html>")
    unknown = (400, NO_METRIC)
    api.on("GET", "metric", CPU, say=gone).on("POST", "metric", "/v1/aggregates", say=unknown)
    assert read_metric_policy(overcloud(), "s1") is None
    assert read_newest(overcloud(), {"s1"}, 10, since=SINCE) == {}


def test_the_newest_rate_of_all_servers_is_read_in_one_call(api: FakeApi) -> None:
    early, late = ["2026-11-21T16:25:50+00:00", 10.0, 9.8e9], ["2026-11-21T16:26:00+00:00", 10.0, 0]
    measures = {"s1": {"cpu": {"rate:mean": [early, late]}}, "s2": {"cpu": {"rate:mean": [early]}}, "s3": {}}
    api.on("POST", "metric", "/v1/aggregates", say=(200, {"measures": measures}))
    assert read_newest(overcloud(), {"s1", "s2", "s3"}, 10, since=SINCE) == {
        "s1": Measure(
            datetime(2026, 11, 21, 16, 26, tzinfo=UTC), 10.0, 0.0, before=datetime(2026, 11, 21, 16, 25, 50, tzinfo=UTC)
        ),
        "s2": Measure(datetime(2026, 11, 21, 16, 25, 50, tzinfo=UTC), 10.0, 9.8e9),
    }
    asked = api.asked[-1]
    assert asked.query == {"granularity": "10", "start": "2026-11-21T16:25:00+00:00", "fill": "dropna"}
    assert asked.body["operations"] == ["metric", "cpu", "rate:mean"]
    assert asked.body["search"] == {"or": [{"=": {"id": server}} for server in ("s1", "s2", "s3")]}


def test_what_waits_for_metricd_is_what_a_refresh_brings(api: FakeApi) -> None:
    values = [["2026-11-21T16:25:00+00:00", 10.0, 1], ["2026-11-21T16:25:10+00:00", 10.0, 2]]
    api.on("GET", "metric", f"{CPU}/measures", say=(200, values))
    assert read_backlog(overcloud(), "s1", 10, SINCE) == 1
    assert api.asked[-1].query["refresh"] == "true"
    api.on("GET", "metric", f"{CPU}/measures", say=(404, "<html><body>Resource s1 does not exist</body></html>"))
    assert read_backlog(overcloud(), "s1", 10, SINCE) == 0


def test_of_no_server_nobody_is_asked(api: FakeApi) -> None:
    assert read_newest(overcloud(), set(), 10, since=SINCE) == {}
    assert api.asked == []


def test_a_granularity_that_is_not_kept_is_an_error(api: FakeApi) -> None:
    api.on("POST", "metric", "/v1/aggregates", say=(400, NO_GRANULARITY))
    with pytest.raises(RequestRejected, match="can't being aggregated"):
        read_newest(overcloud(), {"s1"}, 7, since=SINCE)


def test_a_policy_that_keeps_no_rate_is_not_taken_for_nothing_yet(api: FakeApi) -> None:
    cause = {"cause": "Metrics with unknown aggregation", "detail": [["m1", "rate:mean"]]}
    api.on("POST", "metric", "/v1/aggregates", say=(404, {"code": 404, "title": "Not Found", "description": cause}))
    with pytest.raises(RequestRejected, match="keeps no rate:mean") as refused:
        read_newest(overcloud(), {"s1"}, 60, since=SINCE)
    assert "archive_policy=" in refused.value.hint
