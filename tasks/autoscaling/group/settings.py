"""How a group is meant to scale: read from its stack's template and parameters, its alarms and its policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from blocks.remote.cloud import Cloud
from blocks.remote.errors import Refused
from tasks.autoscaling.group.group import read_group_alarms
from tasks.autoscaling.group.sizes import UnresolvedProperty, read_number, read_sizes, read_word
from tasks.autoscaling.group.webhook import Policy, read_policies
from tasks.autoscaling.timeline import Direction
from tasks.engine.checks import Check
from tasks.heat.stack import Resource, Stack, read_resources
from tasks.telemetry.alarms import Alarm, Rule
from tasks.telemetry.measures import CPU, RATE

_GROUP_TYPES = ("OS::Heat::AutoScalingGroup",)
_ALARM_OF_OPERATOR = {"gt": "high", "ge": "high", "lt": "low", "le": "low"}


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
        other_alarms: Where a policy leads → the alarms on something else that signal it, too.
    """

    stack: Stack
    group: str
    min_size: int
    max_size: int
    cooldown_s: float
    policies: Mapping[Direction, Policy]
    alarms: Mapping[str, Alarm]
    other_alarms: Mapping[Direction, tuple[str, ...]] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """What of the alarms may keep the group from scaling though everything works: told before anything is loaded."""
        said = []
        for name, alarm in self.alarms.items():
            if not alarm.repeats:
                said.append(
                    f"the {name} alarm signals once (repeat_actions is false): a signal that falls into the cooldown, or comes "
                    "while a step is under way, is not repeated"
                )
            if alarm.time_constraints:
                when = "; ".join(alarm.time_constraints)
                said.append(f"the {name} alarm is evaluated within its time constraints alone ({when})")
        for direction, others in self.other_alarms.items():
            if others:
                said.append(f"the policy to scale {direction} is signaled by other alarms too: {', '.join(others)}")
        return said

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
        Refused: The stack is not one group with two policies and two alarms on CPU, or its numbers can't be read or can't
            be checked; with every reason.
        CloudError, Stopped: As `Cloud.request`.
    """
    resources = read_resources(cloud, stack)
    template = cloud.get(f"read the template of stack {stack.name}", "orchestration", f"{stack.path}/template")
    parameters = cloud.get(f"read stack {stack.name}", "orchestration", stack.path)["stack"].get("parameters") or {}
    own = [resource for resource in resources if resource.stack == f"{stack.name}/{stack.id}"]
    declared = _resources(template)
    reasons: list[str] = []
    groups = [resource for resource in own if resource.type in _GROUP_TYPES]
    sizes = None
    if len(groups) == 1:
        sizes, reasons = read_sizes(groups[0].name, _properties(declared, groups[0].name), parameters)
    else:
        names = ", ".join(resource.name for resource in groups) or "none"
        reasons.append(f"stack {stack.name} has not one {_GROUP_TYPES[0]}, but {len(groups)} ({names})")
    policies = _policies(stack, read_policies(cloud, stack, resources), declared, parameters, reasons)
    all_alarms = read_group_alarms(cloud, stack, resources)
    alarms = _alarms(stack, all_alarms, reasons)
    scaling = [
        resource
        for resource in own
        if resource in groups or resource.name in {policy.name for policy in policies.values()}
    ]
    cooldown_s = _cooldown_s(declared, parameters, scaling, reasons)
    if reasons or sizes is None:
        raise Refused(runbook, reasons)
    return Settings(
        stack=stack,
        group=groups[0].name,
        min_size=sizes.min_size,
        max_size=sizes.max_size,
        cooldown_s=cooldown_s,
        policies=policies,
        alarms=alarms,
        other_alarms=_others(all_alarms, alarms, policies),
    )


def check_sizes(template: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[Check]:
    """The group of a template that is still to be made has sizes that can be checked.

    Args:
        template: The template.
        parameters: Of the stack, with their values.
    """
    declared = _resources(template)
    groups = [
        name
        for name, resource in declared.items()
        if isinstance(resource, Mapping) and (resource.get("type") or resource.get("Type")) in _GROUP_TYPES
    ]
    return [check for name in groups for check in _check_group(name, _properties(declared, name), parameters)]


def _check_group(name: str, properties: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[Check]:
    sizes, reasons = read_sizes(name, properties, parameters)
    seen = f"{sizes.min_size} to {sizes.max_size} members" if sizes else ""
    return Check.each(f"sizes of group {name}", "", reasons, seen)


def _properties(declared: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    resource = declared.get(name)
    if not isinstance(resource, Mapping):
        return {}
    found = resource.get("properties") or resource.get("Properties")
    return found if isinstance(found, Mapping) else {}


def _resources(template: Mapping[str, Any]) -> Mapping[str, Any]:
    """The resources of a template in Heat's own format, or in CloudFormation's."""
    found = template.get("resources") or template.get("Resources")
    return found if isinstance(found, Mapping) else {}


def _policies(
    stack: Stack,
    policies: Mapping[str, Policy],
    declared: Mapping[str, Any],
    parameters: Mapping[str, Any],
    reasons: list[str],
) -> dict[Direction, Policy]:
    """The one policy in each direction."""
    found: dict[Direction, list[Policy]] = {"up": [], "down": []}
    for name, policy in policies.items():
        properties = _properties(declared, name)
        try:
            kind = read_word(_named(properties, "adjustment_type", ""), parameters, f"adjustment_type of policy {name}")
            written = _named(properties, "scaling_adjustment", 0)
            adjustment = read_number(written, parameters, f"scaling_adjustment of policy {name}")
        except UnresolvedProperty as unresolved:
            reasons.append(str(unresolved))
            continue
        if kind in {"exact_capacity", "ExactCapacity"}:
            reasons.append(f"policy {name} sets an exact capacity, which leads up or down by the size that there is")
            continue
        if adjustment:
            found["up" if adjustment > 0 else "down"].append(policy)
    for direction, those in found.items():
        if len(those) != 1:
            names = f": {', '.join(policy.name for policy in those)}" if those else ""
            many = f"{len(those)} policies" if those else "no policy"
            reasons.append(f"stack {stack.name} has {many} to scale {direction}{names}")
    return {direction: those[0] for direction, those in found.items() if those}


def _named(properties: Mapping[str, Any], name: str, otherwise: Any) -> Any:
    """A property by its name in OS::Heat, or in AWS::AutoScaling, where it is written without underscores."""
    return properties.get(name, properties.get(name.title().replace("_", ""), otherwise))


def _alarms(stack: Stack, alarms: Mapping[str, Alarm], reasons: list[str]) -> dict[str, Alarm]:
    """The one alarm on CPU in each direction; others (on memory, on disks) are nobody's that is checked here."""
    found: dict[str, list[tuple[str, Alarm]]] = {"high": [], "low": []}
    for name, alarm in alarms.items():
        rule = alarm.rule
        if not alarm.enabled or rule is None or rule.operator not in _ALARM_OF_OPERATOR:
            continue
        if rule.metric == CPU and rule.aggregation == RATE:
            if not alarm.actions:
                reasons.append(f"alarm {name} has no action: nothing tells a policy when it comes up")
            found[_ALARM_OF_OPERATOR[rule.operator]].append((name, alarm))
        elif rule.metric in {CPU, "cpu_util"}:
            reasons.append(
                f"alarm {name} compares {rule.aggregation} of {rule.metric}, and only {RATE} of {CPU} can be told from "
                "percent and vCPUs"
            )
    for direction, those in found.items():
        if len(those) != 1:
            names = f": {', '.join(name for name, _ in those)}" if those else ""
            many = f"{len(those)} enabled {direction} alarms" if those else f"no enabled {direction} alarm"
            other = "" if those else _describe_unread(alarms)
            reasons.append(f"stack {stack.name} has {many} on a threshold of CPU{names}{other}")
    return {direction: those[0][1] for direction, those in found.items() if those}


# The types of alarms whose rule names a metric; OSP 8's alone is called so shortly.
_READ_TYPES = frozenset({"gnocchi_aggregation_by_resources_threshold", "gnocchi_resources_threshold", "threshold"})


def _describe_unread(alarms: Mapping[str, Alarm]) -> str:
    """The alarms that may be on CPU and can't be read: Prometheus keeps the metric, or several rules are put together."""
    types = {name: alarm.type for name, alarm in alarms.items() if alarm.enabled and alarm.type not in _READ_TYPES}
    if not types:
        return ""
    said = ", ".join(f"alarm {name} is of type {type_}" for name, type_ in types.items())
    unseen = " (what Prometheus keeps, this check does not see)" if "prometheus" in types.values() else ""
    return f"; {said}, which is not read here{unseen}"


def _others(
    alarms: Mapping[str, Alarm], checked: Mapping[str, Alarm], policies: Mapping[Direction, Policy]
) -> dict[Direction, tuple[str, ...]]:
    """The alarms besides those that are checked that signal the same policies."""
    ours = {alarm.id for alarm in checked.values()}
    others = {name: alarm for name, alarm in alarms.items() if alarm.enabled and alarm.id not in ours}
    return {
        direction: tuple(name for name, alarm in others.items() if policy.name in alarm.signals)
        for direction, policy in policies.items()
    }


def _cooldown_s(
    declared: Mapping[str, Any], parameters: Mapping[str, Any], scaling: list[Resource], reasons: list[str]
) -> float:
    """The longest of the group's and its policies'."""

    def each() -> Iterator[float]:
        for resource in scaling:
            written = _named(_properties(declared, resource.name), "cooldown", None)
            if written is None:
                continue
            try:
                yield read_number(written, parameters, f"cooldown of {resource.name}")
            except UnresolvedProperty as unresolved:
                reasons.append(str(unresolved))

    return max(each(), default=0.0)
