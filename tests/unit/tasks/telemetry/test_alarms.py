"""Alarms of Aodh are read: of today's kind, of OSP 8's, and of those that compare nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blocks.remote.cloud_errors import NotFound
from blocks.remote.secrets import mask
from tasks.telemetry.alarms import Rule, parse_alarm, parse_history, read_alarms, read_history
from tests.unit.cloud_api import FakeApi, install, overcloud

# As Aodh 15 (Zed) answers, shortened.
ALARM: dict[str, Any] = {
    "alarm_id": "c21c3c8a-2335-49c8-a0b3-01a46ce28e9a",
    "name": "example-cpu_alarm_high-rd5kysmlahvx",
    "type": "gnocchi_aggregation_by_resources_threshold",
    "state": "alarm",
    "state_timestamp": "2026-11-21T16:19:02.036398",
    "state_reason": "Transition to alarm due to 2 samples outside threshold, most recent: 7899627999.0",
    "enabled": True,
    "repeat_actions": True,
    "alarm_actions": ["trust+http://10.77.0.2:8004/v1/6e16/stacks/example/9787/resources/up/signal"],
    "gnocchi_aggregation_by_resources_threshold_rule": {
        "metric": "cpu",
        "aggregation_method": "rate:mean",
        "granularity": 10,
        "evaluation_periods": 2,
        "threshold": 5000000000.0,
        "comparison_operator": "gt",
        "query": '{"=": {"server_group": "9787"}}',
    },
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeApi:
    return install(monkeypatch, tmp_path)


def test_reads_an_alarm_of_today() -> None:
    alarm = parse_alarm(ALARM)
    assert alarm.rule == Rule("cpu", "rate:mean", 10.0, 2, "gt", 5e9, '{"=": {"server_group": "9787"}}')
    assert (alarm.state, alarm.repeats, alarm.enabled, alarm.actions) == ("alarm", True, True, 1)
    assert alarm.since == datetime(2026, 11, 21, 16, 19, 2, 36398, tzinfo=UTC)


def test_reads_an_alarm_of_osp_8() -> None:
    old = {key: value for key, value in ALARM.items() if key not in {"state_reason", "repeat_actions"}}
    rule = {
        "meter_name": "cpu_util",
        "statistic": "avg",
        "period": 60,
        "evaluation_periods": 1,
        "threshold": 50.0,
        "comparison_operator": "gt",
        "query": [{"field": "metadata.user_metadata.stack", "op": "eq", "value": "9787"}],
    }
    alarm = parse_alarm(old | {"type": "threshold", "threshold_rule": rule})
    assert alarm.rule is not None
    assert (alarm.rule.metric, alarm.rule.aggregation, alarm.rule.granularity_s) == ("cpu_util", "avg", 60.0)
    assert json.loads(alarm.rule.query)[0]["value"] == "9787"
    assert (alarm.reason, alarm.repeats) == ("", False)


def test_an_alarm_that_compares_nothing_has_no_rule() -> None:
    assert parse_alarm(ALARM | {"type": "composite", "composite_rule": {"or": []}}).rule is None
    assert parse_alarm(ALARM | {"type": "event"}).rule is None


def test_an_alarms_actions_are_secrets() -> None:
    parse_alarm(ALARM)
    assert "resources/up/signal" not in mask(f"called {ALARM['alarm_actions'][0]}")


def test_reads_only_those_that_are_wanted_in_one_call(api: FakeApi) -> None:
    api.on("GET", "alarming", "/v2/alarms", say=(200, [ALARM, ALARM | {"alarm_id": "other"}]))
    cloud = overcloud()
    assert [alarm.id for alarm in read_alarms(cloud, ["other", "gone"])] == ["other"]
    assert len(read_alarms(cloud)) == 2
    assert read_alarms(cloud, []) == []
    assert len(api.requests("GET", "/v2/alarms")) == 3


def test_history_is_the_changes_of_state_in_their_order(api: FakeApi) -> None:
    detail = '{"state": "%s", "transition_reason": "because"}'
    history = [
        {"type": "state transition", "timestamp": "2026-01-01T12:00:20", "detail": detail % "alarm"},
        {"type": "rule change", "timestamp": "2026-01-01T12:00:10", "detail": '{"rule": {}}'},
        {"type": "state transition", "timestamp": "2026-01-01T12:00:00", "detail": {"state": "ok"}},
        {"type": "creation", "timestamp": "2026-01-01T11:00:00", "detail": "{}"},
    ]
    api.on("GET", "alarming", "/v2/alarms/1/history", say=(200, history))
    changes = read_history(overcloud(), "1")
    assert [(change.at.second, change.state, change.reason) for change in changes] == [
        (0, "ok", ""),
        (20, "alarm", "because"),
    ]


def test_an_alarm_without_a_history_has_none() -> None:
    assert parse_history([]) == []


def test_an_alarm_that_is_gone_is_not_found(api: FakeApi) -> None:
    api.on(
        "GET", "alarming", "/v2/alarms/1/history", say=(404, {"error_message": {"faultstring": "Alarm 1 not found"}})
    )
    with pytest.raises(NotFound, match="Alarm 1 not found"):
        read_history(overcloud(), "1")


@pytest.mark.parametrize("key", ["alarm_id", "type", "state", "state_timestamp"])
def test_an_answer_that_is_no_alarm_is_refused(key: str) -> None:
    with pytest.raises(KeyError, match=key):
        parse_alarm({name: value for name, value in ALARM.items() if name != key})


def test_what_an_alarm_signals_and_when_is_read() -> None:
    signed = "http://10.77.0.2:8000/v1/signal/arn%3Aopenstack%3Aheat%3A%3A6e16%3Astacks/example/9787/resources/down?Signature=x"
    when = {"name": "night", "start": "0 22 * * *", "duration": 3600, "timezone": "Europe/Ljubljana"}
    alarm = parse_alarm(
        ALARM | {"alarm_actions": [*ALARM["alarm_actions"], signed, "log://"], "time_constraints": [when]}
    )
    assert alarm.signals == {"up", "down"}
    assert alarm.time_constraints == ("night: from '0 22 * * *' (Europe/Ljubljana) for 3600 s",)
    assert alarm.type == "gnocchi_aggregation_by_resources_threshold"
