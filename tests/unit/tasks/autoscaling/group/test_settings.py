"""How a group is meant to scale is read from template, parameters, policies and alarms; what is missing is told at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blocks.remote.errors import Refused
from tasks.autoscaling.group.settings import check_sizes, read_settings
from tasks.heat.stack import Stack
from tests.unit.cloud_api import FakeApi, install, overcloud
from tests.unit.fakes import FakeClock
from tests.unit.tasks.heat_api import ID, FakeHeat, resource

STACK = Stack("example", ID, "CREATE_COMPLETE")
TEMPLATE: dict[str, Any] = {
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
    assert {name: alarm.name for name, alarm in settings.alarms.items()} == {"high": "busy", "low": "idle"}
    assert settings.policy_directions == {"bigger": "up", "smaller": "down"}


def test_everything_that_a_stack_lacks_is_told_at_once(heat: FakeHeat) -> None:
    heat.resources = [resource("server")]
    with pytest.raises(Refused) as refused:
        read_settings(overcloud(), STACK, "check-autoscaling")
    assert len(refused.value.reasons) == 5
    assert "has not one OS::Heat::AutoScalingGroup" in refused.value.reasons[0]


def refusals(heat: FakeHeat) -> list[str]:
    with pytest.raises(Refused) as refused:
        read_settings(overcloud(), STACK, "check-autoscaling")
    return list(refused.value.reasons)


def other(name: str, operator: str, **rule: Any) -> dict[str, Any]:
    """An alarm that compares something else."""
    said = alarm(name, operator)
    key = f"{said['type']}_rule"
    return said | {key: said[key] | rule}


def test_an_alarm_on_something_else_is_nobodys(heat: FakeHeat) -> None:
    heat.resources.append(
        resource("full", kind="OS::Aodh::GnocchiAggregationByResourcesAlarm", physical_id="id-of-full")
    )
    memory = other("full", "gt", metric="memory.usage", aggregation_method="mean")
    heat.api.on("GET", "alarming", "/v2/alarms", say=[[memory, alarm("busy", "gt"), alarm("idle", "lt")]])
    assert read_settings(overcloud(), STACK, "check-autoscaling").alarms["high"].name == "busy"


def test_two_alarms_in_one_direction_are_refused_by_name(heat: FakeHeat) -> None:
    heat.resources.append(
        resource("full", kind="OS::Aodh::GnocchiAggregationByResourcesAlarm", physical_id="id-of-full")
    )
    heat.api.on("GET", "alarming", "/v2/alarms", say=[[alarm("full", "ge"), alarm("busy", "gt"), alarm("idle", "lt")]])
    (reason,) = refusals(heat)
    assert reason == "stack example has 2 enabled high alarms on a threshold of CPU: full, busy"


@pytest.mark.parametrize("rule", [{"aggregation_method": "mean"}, {"metric": "cpu_util", "aggregation_method": "mean"}])
def test_an_alarm_whose_threshold_nobody_can_compute_is_refused(heat: FakeHeat, rule: dict[str, Any]) -> None:
    heat.api.on("GET", "alarming", "/v2/alarms", say=[[other("busy", "gt", **rule), alarm("idle", "lt")]])
    said = f"alarm busy compares mean of {rule.get('metric', 'cpu')}, and only rate:mean of cpu"
    assert any(reason.startswith(said) for reason in refusals(heat))


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"min_size": 0}, "min_size of group group is 0: a group without a member has none to load"),
        ({"max_size": 1}, "group group has at least 1 and at most 1 members, so there is nothing to scale"),
        (
            {"max_size": {"get_param": "no-such"}},
            'max_size of group group is written as {"get_param": "no-such"}: only',
        ),
        ({"max_size": None}, "max_size of group group is written as null: only a number"),
        ({"min_size": {"str_replace": {"template": "1"}}}, "min_size of group group is written as"),
        ({"cooldown": {"get_attr": ["x", "y"]}}, "cooldown of group is written as"),
        ({"cooldown": {"get_param": "flavor"}}, "which is 'm1.nano': only a number"),
    ],
)
def test_numbers_that_can_not_be_scaled_by_or_read_are_refused(
    heat: FakeHeat, properties: dict[str, Any], said: str
) -> None:
    resources = TEMPLATE["resources"]
    changed = resources | {"group": {"properties": resources["group"]["properties"] | properties}}
    heat.api.on("GET", "orchestration", f"/stacks/example/{ID}/template", say={"resources": changed})
    (reason,) = refusals(heat)
    assert said in reason


def test_a_policy_that_scales_by_who_knows_what_is_refused(heat: FakeHeat) -> None:
    resources = TEMPLATE["resources"] | {"bigger": {"properties": {"scaling_adjustment": {"get_file": "x"}}}}
    heat.api.on("GET", "orchestration", f"/stacks/example/{ID}/template", say={"resources": resources})
    assert 'scaling_adjustment of policy bigger is written as {"get_file": "x"}' in refusals(heat)[0]


def test_a_policy_that_leads_wherever_is_refused(heat: FakeHeat) -> None:
    exact = {"properties": {"scaling_adjustment": 1, "adjustment_type": "exact_capacity"}}
    resources = TEMPLATE["resources"] | {"smaller": exact}
    heat.api.on("GET", "orchestration", f"/stacks/example/{ID}/template", say={"resources": resources})
    assert refusals(heat) == [
        "policy smaller sets an exact capacity, which leads up or down by the size that there is",
        "stack example has no policy to scale down",
    ]


def test_two_policies_in_one_direction_are_refused_by_name(heat: FakeHeat) -> None:
    resources = TEMPLATE["resources"] | {"smaller": {"properties": {"scaling_adjustment": 2}}}
    heat.api.on("GET", "orchestration", f"/stacks/example/{ID}/template", say={"resources": resources})
    assert refusals(heat) == [
        "stack example has 2 policies to scale up: bigger, smaller",
        "stack example has no policy to scale down",
    ]


def test_a_template_that_is_still_to_be_made_is_looked_at_likewise() -> None:
    group = {"type": "OS::Heat::AutoScalingGroup", "properties": {"min_size": 2, "max_size": {"get_param": "most"}}}
    template = {"resources": {"group": group, "server": {"type": "OS::Nova::Server"}}}
    (check,) = check_sizes(template, {"most": 3})
    assert (check.ok, check.seen) == (True, "2 to 3 members")
    (check,) = check_sizes(template, {"most": 2})
    reason = str(check)
    assert "nothing to scale" in reason


def test_an_alarm_that_is_off_is_none(heat: FakeHeat) -> None:
    heat.api.on("GET", "alarming", "/v2/alarms", say=[[alarm("busy", "gt", enabled=False), alarm("idle", "lt")]])
    with pytest.raises(Refused, match="no enabled high alarm"):
        read_settings(overcloud(), STACK, "check-autoscaling")
