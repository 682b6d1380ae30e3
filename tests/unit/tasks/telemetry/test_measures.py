"""What Gnocchi keeps is read; what it does not know yet is nothing, and what it can't give is an error."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from blocks.remote.cloud_errors import NotFound
from tasks.telemetry.measures import (
    Measure,
    parse_metered,
    read_archive_policies,
    read_measures,
    read_metered,
    read_metric_policy,
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
# Gnocchi 4.4 behind Pecan: HTML, entities and all.
NO_AGGREGATION = (
    "<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1>The resource could not be found.<br />"
    "Aggregation method &#x27;rate:mean&#x27; at granularity &#x27;7.0&#x27; for metric 3c1b does not exist</body></html>"
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
    api.on("GET", "metric", CPU, say=gone).on("GET", "metric", f"{CPU}/measures", say=gone)
    assert read_metric_policy(overcloud(), "s1") is None
    assert read_measures(overcloud(), "s1", 10) == []


def test_measures_are_the_rate_at_a_granularity_since_a_time(api: FakeApi) -> None:
    values = [["2026-11-21T16:25:50+00:00", 10.0, 9.8e9], ["2026-11-21T16:26:00+00:00", 10.0, 0]]
    api.on("GET", "metric", f"{CPU}/measures", say=(200, values))
    since = datetime(2026, 11, 21, 16, 25, tzinfo=UTC)
    assert read_measures(overcloud(), "s1", 10, since=since) == [
        Measure(datetime(2026, 11, 21, 16, 25, 50, tzinfo=UTC), 10.0, 9.8e9),
        Measure(datetime(2026, 11, 21, 16, 26, tzinfo=UTC), 10.0, 0.0),
    ]
    assert api.asked[-1].query == {
        "aggregation": "rate:mean",
        "granularity": "10",
        "start": "2026-11-21T16:25:00+00:00",
    }


@pytest.mark.parametrize(
    "answer",
    [
        NO_AGGREGATION,
        {"description": {"cause": "Aggregation method does not exist for this metric", "detail": {}}, "code": 404},
    ],
)
def test_a_granularity_or_rate_that_is_not_kept_is_an_error(api: FakeApi, answer: object) -> None:
    api.on("GET", "metric", f"{CPU}/measures", say=(404, answer))
    with pytest.raises(NotFound, match=r"Aggregation method .*does not exist") as raised:
        read_measures(overcloud(), "s1", 7)
    assert "&#x27;" not in str(raised.value)
    assert "404 Not Found 404" not in str(raised.value)


def test_the_instances_of_a_group_are_looked_for_by_what_the_template_wrote(api: FakeApi) -> None:
    found = {"id": "s1", "display_name": "web", "server_group": "g", "metrics": {"cpu": "m1"}, "ended_at": None}
    api.on("POST", "metric", "/v1/search/resource/instance", say=(200, [found]))
    one = read_metered(overcloud(), "g")[0]
    assert (one.id, one.name, one.group, one.metrics, one.ended) == ("s1", "web", "g", {"cpu": "m1"}, None)
    assert api.asked[-1].body == {"=": {"server_group": "g"}}


def test_an_instance_that_has_ended_says_when() -> None:
    ended = parse_metered({"id": "s1", "ended_at": "2026-01-01T12:00:00+00:00"})
    assert ended.ended == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert (ended.name, ended.group, ended.metrics) == ("", "", {})
