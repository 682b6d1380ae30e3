"""Which resources of a template this cloud's Heat can't make, or would make without effect; and what to use instead.

Heat's own validation lets three of these pass: a hidden type, a placeholder that is created and does nothing (the LBaaS
types of newer Heats), and `OS::Ceilometer::Alarm`, which has become another name for an alarm that Aodh no longer takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from tasks.engine.checks import Check
from tasks.heat.templates import ResourceUse, StackFiles, resource_uses

_GNOCCHI_ALARM = "OS::Aodh::GnocchiAggregationByResourcesAlarm"


@dataclass(frozen=True)
class ResourceType:
    """What a Heat says of one of its resource types.

    Attributes:
        status: SUPPORTED, DEPRECATED, HIDDEN, UNSUPPORTED; MISSING where Heat does not know it or may not use it.
        message: Heat's own words on it.
        has_no_properties: Whether it has no properties at all.
    """

    status: str
    message: str = ""
    has_no_properties: bool = False


MISSING = ResourceType("MISSING")


def parse_resource_type(document: Mapping[str, Any]) -> ResourceType:
    """Read what `GET /resource_types/<name>` answers; a Heat that says nothing of support supports it."""
    support = document.get("support_status") or {}
    return ResourceType(
        str(support.get("status") or "SUPPORTED"), _last_message(support), not document.get("properties")
    )


def _last_message(support: Mapping[str, Any]) -> str:
    """The first message on the way back through a type's history."""
    while support:
        if support.get("message"):
            return str(support["message"])
        support = support.get("previous_status") or {}
    return ""


@dataclass(frozen=True)
class Advice:
    """What takes the place of a type.

    Attributes:
        pattern: The type's name; * stands for any end.
        instead: What to use.
        why: What became of it.
    """

    pattern: str
    instead: str
    why: str


_LBAAS_1 = "LBaaS v1 was removed from Neutron in Newton"
_LBAAS_2 = "LBaaS v2 was removed from Neutron in Train"
_ALARM = "Ceilometer's alarms are gone since Pike, and the meter cpu_util since Stein"

ADVICE = (
    Advice("OS::Ceilometer::Alarm", f"{_GNOCCHI_ALARM} on the metric cpu with rate:mean", _ALARM),
    Advice("OS::Metering::Alarm", f"{_GNOCCHI_ALARM} on the metric cpu with rate:mean", _ALARM),
    Advice("OS::Aodh::Alarm", f"{_GNOCCHI_ALARM} on the metric cpu with rate:mean", _ALARM),
    Advice("OS::*::CombinationAlarm", "OS::Aodh::CompositeAlarm", "combination alarms were removed from Aodh in Pike"),
    Advice("OS::Neutron::LoadBalancer", "OS::Octavia::LoadBalancer with an OS::Octavia::Listener", _LBAAS_1),
    Advice("OS::Neutron::Pool", "OS::Octavia::Pool; the vip is an OS::Octavia::LoadBalancer's", _LBAAS_1),
    Advice("OS::Neutron::PoolMember", "OS::Octavia::PoolMember", _LBAAS_1),
    Advice("OS::Neutron::HealthMonitor", "OS::Octavia::HealthMonitor", _LBAAS_1),
    Advice("OS::Neutron::LBaaS::*", "the type of the same name under OS::Octavia", _LBAAS_2),
    Advice("OS::Nova::FloatingIP*", "the type of the same name under OS::Neutron", "nova-network was removed in Rocky"),
)

# Names under which newer Heats still make the alarm that Aodh refuses ("Unknown attribute … threshold_rule").
_REFUSED_ALARMS = frozenset({"OS::Ceilometer::Alarm", "OS::Metering::Alarm", "OS::Aodh::Alarm"})

Fault = Literal["missing", "hidden", "deprecated", "placeholder", "fails at create"]


@dataclass(frozen=True)
class Problem:
    """A resource that this cloud can't make as the template wants it.

    Attributes:
        resource: Its path in the template.
        type: Its type.
        fault: What is wrong with the type.
        why: The reason.
        instead: What to use; empty where nobody knows.
        refuses: Whether the stack must not be made; otherwise it is a warning.
    """

    resource: str
    type: str
    fault: Fault
    why: str
    instead: str
    refuses: bool

    def __str__(self) -> str:
        return f"{self._what}; {self._hint}" if self._hint else self._what

    @property
    def check(self) -> Check:
        """The problem as a check that speaks against making the stack."""
        return Check(f"type of resource {self.resource}", "", self.type, self._what, self._hint)

    @property
    def _what(self) -> str:
        return f"resource {self.resource}: {self.type} is {_FAULT_WORDS[self.fault]} ({self.why})"

    @property
    def _hint(self) -> str:
        return f"use {self.instead}" if self.instead else ""


_FAULT_WORDS: Mapping[Fault, str] = {
    "missing": "not offered by this cloud",
    "hidden": "hidden: kept for old stacks alone",
    "deprecated": "deprecated",
    "placeholder": "a placeholder that is created and does nothing",
    "fails at create": "accepted by Heat and refused when it is made",
}


def find_problems(stack: StackFiles, types: Mapping[str, ResourceType]) -> list[Problem]:
    """Name every resource that is missing, hidden, deprecated, a placeholder, or fails once it is made.

    Args:
        stack: The template with all that it names.
        types: What Heat says of the types that it uses (`tasks.heat.templates.resource_uses`), and of the alarm on Gnocchi,
            by which a Heat that is newer than OSP 8's is told; a type that is not there counts as missing.
    """
    newer = types.get(_GNOCCHI_ALARM, MISSING).status not in {"MISSING", "HIDDEN"}
    found = (_judge(use, types.get(use.type, MISSING), newer) for use in resource_uses(stack))
    return [problem for problem in found if problem is not None]


def check_types(cloud: str, problems: Sequence[Problem]) -> list[Check]:
    """The cloud makes every resource of a template.

    Args:
        cloud: The cloud's name.
        problems: What `find_problems` has found.
    """
    wrong = [problem.check for problem in problems if problem.refuses]
    return wrong or [Check("resource types", cloud, "Heat offers every type of the template that is needed")]


def types_to_look_up(stack: StackFiles) -> frozenset[str]:
    """Names of the types that Heat must be asked for before `find_problems`."""
    return frozenset({_GNOCCHI_ALARM, *(use.type for use in resource_uses(stack))})


def _judge(use: ResourceUse, type_: ResourceType, newer: bool) -> Problem | None:
    advice = next((entry for entry in ADVICE if fnmatchcase(use.type, entry.pattern)), Advice("", "", ""))
    refuses = not use.conditional

    def problem(fault: Fault, why: str, refuses: bool = refuses) -> Problem:
        said = type_.message.rstrip(".")
        reason = "; ".join(part for part in (advice.why or why, said) if part)
        unsure = " (needed only if the resource's condition holds)" if use.conditional else ""
        return Problem(use.path, use.type, fault, reason + unsure, advice.instead, refuses)

    if type_.status == "MISSING":
        return problem("missing", "Heat does not know it, its service is not there, or the user may not use it")
    if newer and _REFUSED_ALARMS & {use.named, use.type}:
        return problem("fails at create", _ALARM)
    if type_.status == "HIDDEN" and type_.has_no_properties:
        return problem("placeholder", "what it made was removed")
    if type_.status == "HIDDEN":
        return problem("hidden", "what it makes is about to be removed")
    if type_.status in {"DEPRECATED", "UNSUPPORTED"}:
        return problem("deprecated", f"Heat calls it {type_.status.lower()}", refuses=False)
    return None
