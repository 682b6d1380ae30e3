"""How a group is meant to scale: read from its stack's template and parameters, its alarms and its policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blocks.remote.cloud import Cloud
from blocks.remote.errors import Refused
from tasks.heat.stack import Resource, Stack, read_resources
from tasks.scaling.group import read_group_alarms
from tasks.scaling.timeline import Direction
from tasks.scaling.webhook import Policy, read_policies
from tasks.telemetry.alarms import Alarm, Rule

_GROUPS = ("OS::Heat::AutoScalingGroup",)


@dataclass(frozen=True)
class Settings:
    """A group's settings.

    Attributes:
        stack: The stack.
        group: Name of the group's resource.
        min_size: The fewest members.
        max_size: The most members.
        cooldown_s: The longest of group and policies.
        policies: `up` and `down`.
        alarms: `high` and `low`: Aodh's.
        flavor: Of the members, as the stack's parameter says it; empty where it has none of that name.
    """

    stack: Stack
    group: str
    min_size: int
    max_size: int
    cooldown_s: float
    policies: Mapping[Direction, Policy]
    alarms: Mapping[str, Alarm]
    flavor: str

    @property
    def rules(self) -> tuple[Rule, Rule]:
        """What the high and the low alarm compare."""
        high, low = self.alarms["high"].rule, self.alarms["low"].rule
        assert high is not None, "only alarms with rules are taken"
        assert low is not None, "only alarms with rules are taken"
        return high, low

    @property
    def policy_directions(self) -> Mapping[str, Direction]:
        """Name of a policy's resource → where it leads."""
        return {policy.name: direction for direction, policy in self.policies.items()}


def read_settings(cloud: Cloud, stack: Stack, runbook: str) -> Settings:
    """Read how a stack's group is meant to scale.

    Raises:
        Refused: The stack is not one group with two policies and two alarms; with every reason.
        CloudError, Stopped: As `Cloud.asking`.
    """
    resources = read_resources(cloud, stack)
    template = cloud.ask(f"read the template of stack {stack.name}", "orchestration", f"{stack.path}/template")
    told = cloud.ask(f"read stack {stack.name}", "orchestration", stack.path)["stack"].get("parameters") or {}
    own = [one for one in resources if one.stack == f"{stack.name}/{stack.id}"]
    declared = template.get("resources") or {}
    reasons: list[str] = []
    groups = [one for one in own if one.type in _GROUPS]
    if len(groups) != 1:
        names = ", ".join(one.name for one in groups) or "none"
        reasons.append(f"stack {stack.name} has not one {_GROUPS[0]}, but {len(groups)} ({names})")
    policies = _policies(read_policies(cloud, stack, resources), declared, told)
    reasons += [
        f"stack {stack.name} has no policy to scale {direction}"
        for direction in ("up", "down")
        if direction not in policies
    ]
    alarms = _alarms(read_group_alarms(cloud, stack, resources))
    reasons += [
        f"stack {stack.name} has no enabled {name} alarm on a threshold"
        for name in ("high", "low")
        if name not in alarms
    ]
    if reasons:
        raise Refused(runbook, reasons)
    (group,) = groups
    properties = _properties(declared, group.name)
    return Settings(
        stack=stack,
        group=group.name,
        min_size=int(_resolved(properties.get("min_size", 0), told)),
        max_size=int(_resolved(properties.get("max_size", 0), told)),
        cooldown_s=max(_cooldowns(declared, told, [group, *(one for one in own if one.name in _names(policies))])),
        policies=policies,
        alarms=alarms,
        flavor=str(told.get("flavor") or ""),
    )


def _names(policies: Mapping[Direction, Policy]) -> set[str]:
    return {policy.name for policy in policies.values()}


def _properties(declared: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = (declared.get(name) or {}).get("properties") or {}
    return found if isinstance(found, Mapping) else {}


def _resolved(value: Any, told: Mapping[str, Any]) -> Any:
    """A property's value; the one function that the numbers of a group are written with is get_param."""
    if isinstance(value, Mapping) and "get_param" in value:
        return told.get(str(value["get_param"]), 0)
    return value


def _policies(
    policies: Mapping[str, Policy], declared: Mapping[str, Any], told: Mapping[str, Any]
) -> dict[Direction, Policy]:
    found: dict[Direction, Policy] = {}
    for name, policy in policies.items():
        adjustment = float(_resolved(_properties(declared, name).get("scaling_adjustment", 0), told))
        if adjustment:
            found["up" if adjustment > 0 else "down"] = policy
    return found


def _alarms(alarms: Mapping[str, Alarm]) -> dict[str, Alarm]:
    found: dict[str, Alarm] = {}
    for alarm in alarms.values():
        if alarm.enabled and alarm.rule is not None:
            found["high" if alarm.rule.operator in {"gt", "ge"} else "low"] = alarm
    return found


def _cooldowns(declared: Mapping[str, Any], told: Mapping[str, Any], resources: list[Resource]) -> list[float]:
    return [float(_resolved(_properties(declared, one.name).get("cooldown", 0), told) or 0) for one in resources]
