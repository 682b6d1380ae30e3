"""How a group is meant to scale is read from template, parameters, policies and alarms; what is missing is told at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blocks.remote.errors import Refused
from tasks.heat.stack import Stack
from tasks.scaling.settings import read_settings
from tests.unit.cloud_api import FakeApi, install, overcloud
from tests.unit.fakes import FakeClock
from tests.unit.tasks.heat_api import ID, FakeHeat, resource

STACK = Stack("example", ID, "CREATE_COMPLETE")
TEMPLATE = {
    "resources": {
        "group": {"properties": {"min_size": 1, "max_size": {"get_param": "most"}, "cooldown": 60}},
        "bigger": {"properties": {"scaling_adjustment": 1, "cooldown": {"get_param": "pause"}}},
        "smaller": {"properties": {"scaling_adjustment": "-1"}},
    }
}


def alarm(name: str, operator: str, **more: Any) -> dict[str, Any]:
    return {
        "alarm_id": f"id-of-{name}",
        "name": name,
        "type": "gnocchi_aggregation_by_resources_threshold",
        "state": "ok",
        "state_timestamp": "2026-11-21T12:00:00",
        "state_reason": "",
        "enabled": True,
        "alarm_actions": ["trust+http://heat.test/"],
        "gnocchi_aggregation_by_resources_threshold_rule": {
            "metric": "cpu",
            "aggregation_method": "rate:mean",
            "granularity": 60,
            "evaluation_periods": 2,
            "comparison_operator": operator,
            "threshold": 30e9,
            "query": "{}",
        },
        **more,
    }


@pytest.fixture
def heat(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: FakeClock) -> FakeHeat:
    api: FakeApi = install(monkeypatch, tmp_path)
    heat = FakeHeat(api, "CREATE_COMPLETE")
    heat.resources = [
        resource("group", kind="OS::Heat::AutoScalingGroup"),
        resource("bigger", kind="OS::Heat::ScalingPolicy"),
        resource("smaller", kind="OS::Heat::ScalingPolicy"),
        resource("busy", kind="OS::Aodh::GnocchiAggregationByResourcesAlarm", physical_id="id-of-busy"),
        resource("idle", kind="OS::Aodh::GnocchiAggregationByResourcesAlarm", physical_id="id-of-idle"),
    ]
    api.on("GET", "orchestration", f"/stacks/example/{ID}/template", say=TEMPLATE)
    parameters = {"most": "3", "pause": "90", "flavor": "m1.nano"}
    shown = {"id": ID, "stack_name": "example", "stack_status": "CREATE_COMPLETE", "parameters": parameters}
    api.on("GET", "orchestration", f"/stacks/example/{ID}", say={"stack": shown})
    for policy in ("bigger", "smaller"):
        said = {"attributes": {"alarm_url": f"http://heat.test/{policy}", "signal_url": ""}}
        api.on("GET", "orchestration", f"/stacks/example/{ID}/resources/{policy}", say={"resource": said})
    api.on("GET", "alarming", "/v2/alarms", say=[[alarm("busy", "gt"), alarm("idle", "lt")]])
    return heat


def test_a_group_is_read_with_its_parameters(heat: FakeHeat) -> None:
    settings = read_settings(overcloud(), STACK, "check-autoscaling")
    assert (settings.group, settings.min_size, settings.max_size, settings.cooldown_s) == ("group", 1, 3, 90.0)
    assert {direction: policy.name for direction, policy in settings.policies.items()} == {
        "up": "bigger",
        "down": "smaller",
    }
    assert {name: one.name for name, one in settings.alarms.items()} == {"high": "busy", "low": "idle"}
    assert settings.policy_directions == {"bigger": "up", "smaller": "down"}
    assert settings.flavor == "m1.nano"


def test_everything_that_a_stack_lacks_is_told_at_once(heat: FakeHeat) -> None:
    heat.resources = [resource("server")]
    with pytest.raises(Refused) as refused:
        read_settings(overcloud(), STACK, "check-autoscaling")
    assert len(refused.value.reasons) == 5
    assert "has not one OS::Heat::AutoScalingGroup" in refused.value.reasons[0]


def test_an_alarm_that_is_off_is_none(heat: FakeHeat) -> None:
    heat.api.on("GET", "alarming", "/v2/alarms", say=[[alarm("busy", "gt", enabled=False), alarm("idle", "lt")]])
    with pytest.raises(Refused, match="no enabled high alarm"):
        read_settings(overcloud(), STACK, "check-autoscaling")
