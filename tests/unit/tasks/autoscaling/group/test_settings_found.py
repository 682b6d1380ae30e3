"""Groups as people really have them: in CloudFormation's format, with parameters for words, with alarms of every kind."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.autoscaling.group.settings import Settings, check_sizes, read_settings
from tests.unit.cloud_api import overcloud
from tests.unit.tasks.autoscaling.group.test_settings import STACK, TEMPLATE, alarm, heat, other, refusals
from tests.unit.tasks.heat_api import ID, FakeHeat, resource

__all__ = ["heat"]
SIGNAL = f"trust+http://heat.test:8004/v1/p/stacks/example/{ID}/resources/bigger/signal"


def hold(heat: FakeHeat, template: dict[str, Any], **parameters: str) -> None:
    heat.api.on("GET", "orchestration", f"/stacks/example/{ID}/template", say=template)
    told = {"most": "3", "pause": "90", **parameters}
    shown = {"id": ID, "stack_name": "example", "stack_status": "CREATE_COMPLETE", "parameters": told}
    heat.api.on("GET", "orchestration", f"/stacks/example/{ID}", say={"stack": shown})


def with_alarms(heat: FakeHeat, *alarms: dict[str, Any]) -> None:
    for number, body in enumerate(alarms):
        if body["alarm_id"] not in {"id-of-busy", "id-of-idle"}:
            heat.resources.append(resource(f"more{number}", kind="OS::Aodh::Alarm", physical_id=body["alarm_id"]))
    heat.api.on("GET", "alarming", "/v2/alarms", say=[list(alarms)])


def settings() -> Settings:
    return read_settings(overcloud(), STACK, "check-autoscaling")


def cfn(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def test_a_group_in_cloudformations_format_is_read(heat: FakeHeat) -> None:
    policy = "AWS::AutoScaling::ScalingPolicy"
    resources = {
        "group": cfn("OS::Heat::AutoScalingGroup", min_size=1, max_size={"Ref": "most"}, resource={"type": "A"}),
        "bigger": cfn(policy, AdjustmentType="ChangeInCapacity", ScalingAdjustment="1", Cooldown={"Ref": "pause"}),
        "smaller": cfn("OS::Heat::ScalingPolicy", adjustment_type="change_in_capacity", scaling_adjustment=-1),
    }
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}
    hold(heat, template)
    found = settings()
    assert (found.min_size, found.max_size, found.cooldown_s) == (1, 3, 90)
    assert found.policy_directions == {"bigger": "up", "smaller": "down"}
    (check,) = check_sizes(template, {"most": "1"})
    assert "nothing to scale" in check.reason


@pytest.mark.parametrize(
    "kind", [{"get_param": "kind"}, {"Ref": "kind"}, {"get_param": ["kinds", "up"]}, "ExactCapacity"]
)
def test_an_exact_capacity_is_seen_however_it_is_written(heat: FakeHeat, kind: object) -> None:
    exact = {"properties": {"scaling_adjustment": 3, "adjustment_type": kind}}
    parameters = {"kind": "exact_capacity", "kinds": '{"up": "exact_capacity"}'}
    hold(heat, {"resources": TEMPLATE["resources"] | {"bigger": exact}}, **parameters)
    assert refusals(heat)[0] == "policy bigger sets an exact capacity, which leads up or down by the size that there is"


def test_a_kind_of_adjustment_that_can_not_be_read_is_told(heat: FakeHeat) -> None:
    odd = {"properties": {"scaling_adjustment": 3, "adjustment_type": {"get_attr": ["a", "b"]}}}
    hold(heat, {"resources": TEMPLATE["resources"] | {"bigger": odd}})
    assert 'adjustment_type of policy bigger is written as {"get_attr": ["a", "b"]}' in refusals(heat)[0]


@pytest.mark.parametrize("type_", ["prometheus", "composite", "gnocchi_aggregation_by_metrics_threshold"])
def test_an_alarm_of_a_type_that_is_not_read_is_named_by_it(heat: FakeHeat, type_: str) -> None:
    rule = {"query": "rate(cpu[2m])", "comparison_operator": "gt", "threshold": 50.0, "metrics": ["m1"]}
    with_alarms(heat, alarm("busy", "gt") | {"type": type_, f"{type_}_rule": rule}, alarm("idle", "lt"))
    unseen = " (what Prometheus keeps, this check does not see)" if type_ == "prometheus" else ""
    assert refusals(heat) == [
        "stack example has no enabled high alarm on a threshold of CPU; "
        f"alarm busy is of type {type_}, which is not read here{unseen}"
    ]


def test_an_alarm_that_tells_nobody_is_refused(heat: FakeHeat) -> None:
    with_alarms(heat, alarm("busy", "gt", alarm_actions=[]), alarm("idle", "lt"))
    assert refusals(heat) == ["alarm busy has no action: nothing tells a policy when it comes up"]


def test_what_may_keep_a_group_from_scaling_is_told_beforehand(heat: FakeHeat) -> None:
    when = {"name": "night", "start": "0 22 * * *", "duration": 3600, "timezone": ""}
    memory = other("memory", "gt", metric="memory.usage", aggregation_method="mean") | {"alarm_actions": [SIGNAL]}
    busy = alarm("busy", "gt", repeat_actions=False, time_constraints=[when], alarm_actions=[SIGNAL])
    with_alarms(heat, memory, busy, alarm("idle", "lt", repeat_actions=True))
    found = settings()
    assert found.other_alarms == {"up": ("more0",), "down": ()}
    once, constrained, others = found.notes
    assert "the high alarm signals once (repeat_actions is false)" in once
    assert (
        "the high alarm is evaluated within its time constraints alone (night: from '0 22 * * *' (UTC) for 3600 s)"
        in constrained
    )
    assert others == "the policy to scale up is signaled by other alarms too: more0"


def test_of_alarms_as_they_should_be_nothing_is_told(heat: FakeHeat) -> None:
    with_alarms(heat, alarm("busy", "gt", repeat_actions=True), alarm("idle", "lt", repeat_actions=True))
    assert settings().notes == []
