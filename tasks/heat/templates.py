"""Heat templates: loaded with every file that they name, and the project's own chosen by what the cloud offers.

The project's own stand in deployments/templates, for each of the two examples of Auto Scaling for Compute (AS 1.2, AS 1.3)
for today's Heat (Aodh, Gnocchi, Octavia), for one with Prometheus in Gnocchi's place (Heat 2024.1 and newer, Red Hat OpenStack
Services on OpenShift 18), and for OSP 8 (Ceilometer's alarms, LBaaS v1).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from blocks.remote.errors import RunbookError
from tasks.heat.environments import read_environments
from tasks.heat.named_files import NamedFiles, address_of, shown
from tasks.heat.template_text import parse_mapping, raise_if_no_template, read_text

EXAMPLES = Path(__file__).resolve().parents[2] / "deployments" / "templates"
_GNOCCHI_ALARM = "OS::Aodh::GnocchiAggregationByResourcesAlarm"


class Example(StrEnum):
    """The document's two examples, by the name of their template."""

    CPU_GROUP = "cpu-group"
    WEB_FARM = "web-farm"


class Era(StrEnum):
    """The cloud that a template is for, by the name of its folder."""

    TODAY = "today"
    PROMETHEUS = "prometheus"
    OSP_8 = "osp-8"


@dataclass(frozen=True)
class StackFiles:
    """What Heat is sent, beside the parameters.

    Attributes:
        template: The template; its file names have become addresses in `files`.
        environment: All environment files, merged in their order: by Heat where it was asked, else as its clients once did.
        files: Address → text of every file that template and environment name, and those name in turn.
        environments: Address of each environment file, and what it says, in their order: Heat merges them itself.
    """

    template: dict[str, Any]
    environment: dict[str, Any]
    files: dict[str, str]
    environments: tuple[tuple[str, Mapping[str, Any]], ...] = ()


@dataclass(frozen=True)
class ExampleTemplate:
    """One of the project's own templates.

    Attributes:
        era: Which cloud it is for.
        template: Its file.
        environment: The environment file that says what a member is.
    """

    era: Era
    template: Path
    environment: Path

    def read(self) -> StackFiles:
        """Read it."""
        return read_template(self.template, [self.environment])


def read_template(template: Path, environments: Sequence[Path] = ()) -> StackFiles:
    """Read a template and its environment files, and every file that they name with `type`, `get_file` or a registry.

    Args:
        template: On the worker's machine.
        environments: Later ones override earlier ones.

    Raises:
        RunbookError: A file is missing or is not what it should be.
    """
    parsed = parse_mapping(read_text(template), template)
    raise_if_no_template(parsed, template)
    files = NamedFiles()
    files.read_of_template(parsed, address_of(template))
    read = read_environments(environments)
    return StackFiles(parsed, read.merged, {**files.texts, **read.files}, read.each)


# Whose template one is, in a sentence.
_WHOSE = {Era.TODAY: "today's", Era.PROMETHEUS: "Prometheus's", Era.OSP_8: "OSP 8's"}


def choose_example(example: Example, offered: Collection[str], gnocchi: bool = True) -> ExampleTemplate:
    """Choose among the project's own templates: today's, Prometheus's where Gnocchi is not there, OSP 8's on a cloud that old.

    Args:
        example: Which of the two.
        offered: Names of the resource types that the cloud's Heat lists.
        gnocchi: Whether the cloud has Gnocchi, which Heat's list does not tell: it has all alarms of Aodh where Aodh is.

    Raises:
        RunbookError: It offers none's; with what is missing of each.
    """
    missing: dict[Era, list[str]] = {}
    for chosen in _candidates(example, gnocchi):
        needed = required_types(chosen.read())
        missing[chosen.era] = sorted(needed.difference(offered))
        # Newer Heats know OS::Ceilometer::Alarm too: it validates, and fails when Aodh is asked for it.
        too_new = chosen.era is Era.OSP_8 and _GNOCCHI_ALARM in offered
        if not missing[chosen.era] and not too_new:
            return chosen
    lacks = "; ".join(f"{_WHOSE[era]} misses {', '.join(types)}" for era, types in missing.items() if types)
    raise RunbookError(
        f"this cloud's Heat offers what no template of the {example} needs; {lacks}",
        "see `openstack orchestration resource type list`: a type is missing where its service is, or where the user "
        "may not use it",
    )


def _candidates(example: Example, gnocchi: bool) -> Iterator[ExampleTemplate]:
    """Every template of the example, the best first: as documented with a volume, then without."""
    for era in [Era.TODAY] if gnocchi else [Era.PROMETHEUS, Era.TODAY]:
        for environment in ("environment.yaml", "environment-without-volumes.yaml"):
            yield ExampleTemplate(era, EXAMPLES / era / f"{example}.yaml", EXAMPLES / era / environment)
    yield ExampleTemplate(
        Era.OSP_8, EXAMPLES / Era.OSP_8 / f"{example}.yaml", EXAMPLES / Era.OSP_8 / "environment.yaml"
    )


@dataclass(frozen=True)
class ResourceUse:
    """A resource of a template and the type that stands for it.

    Attributes:
        path: Its name, after those of the resources it is within.
        type: Its type as Heat knows it, once the registry was asked.
        named: Its type as the template names it.
        conditional: Whether it, or what it is within, is made on a condition only.
    """

    path: str
    type: str
    named: str
    conditional: bool = False


def required_types(stack: StackFiles) -> frozenset[str]:
    """Names of the resource types that the cloud must offer for this template, whatever its conditions are."""
    return frozenset(use.type for use in resource_uses(stack) if not use.conditional)


def resource_uses(stack: StackFiles) -> list[ResourceUse]:
    """Every resource of the template, of the groups' members and of nested templates.

    Raises:
        RunbookError: A file that stands for a type is no template.
    """
    return list(_template_uses(stack, stack.template, ResourceUse("", "", ""), ()))


def _template_uses(
    stack: StackFiles, template: Mapping[str, Any], within: ResourceUse, above: tuple[str, ...]
) -> Iterator[ResourceUse]:
    resources = template.get("resources") or template.get("Resources") or {}
    values = parameter_values(template, stack.environment) if not above else defaults(template)
    for name, resource in resources.items():
        if isinstance(resource, Mapping):
            path = f"{within.path} > {name}" if within.path else str(name)
            yield from _uses_of(stack, resource, path, within.conditional, above, values)


def _uses_of(
    stack: StackFiles,
    resource: Mapping[str, Any],
    path: str,
    conditional: bool,
    above: tuple[str, ...],
    values: Mapping[str, Any],
) -> Iterator[ResourceUse]:
    conditional = conditional or "condition" in resource or "Condition" in resource
    for named, unsure in _named_types(resource.get("type") or resource.get("Type"), values):
        real = _resolve_type(stack.environment.get("resource_registry") or {}, path.rsplit(" > ", 1)[-1], named)
        use = ResourceUse(path, real, named, conditional or unsure)
        if real not in stack.files:
            yield use
        elif real not in above:  # a template within itself is Heat's to refuse
            yield from _template_uses(stack, _parse_nested(real, stack.files[real]), use, (*above, real))
    # What a group is made of: AutoScalingGroup calls it `resource`, ResourceGroup `resource_def`.
    properties = resource.get("properties") or resource.get("Properties") or {}
    for key in ("resource", "resource_def"):
        member = properties.get(key) if isinstance(properties, Mapping) else None
        if isinstance(member, Mapping):
            yield from _uses_of(stack, member, f"{path} > member", conditional, above, values)


def _named_types(written: Any, values: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """The types that a group's member may be of, and whether that hangs on a condition: by name, by a parameter, by `if`.

    One that is made by another function is left to Heat, which checks it when it is asked to validate.
    """
    if isinstance(written, str):
        yield written, False
    elif isinstance(written, Mapping) and len(written) == 1:
        ((function, argument),) = written.items()
        if function in {"get_param", "Ref"}:
            name = argument[0] if isinstance(argument, list) and len(argument) == 1 else argument
            value = values.get(name) if isinstance(name, str) else None
            if isinstance(value, str):
                yield value, False
        elif function in {"if", "Fn::If"} and isinstance(argument, list):
            for branch in argument[1:]:
                yield from ((named, True) for named, _ in _named_types(branch, values))


def parameter_values(template: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, Any]:
    """What the parameters of a template are, as Heat counts it: parameters, then defaults of the environment, then its own."""
    given = (environment.get(section) or {} for section in ("parameter_defaults", "parameters"))
    values = defaults(template)
    for section in given:
        values |= section
    return values


def defaults(template: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that a template declares for its parameters."""
    declared = template.get("parameters") or template.get("Parameters") or {}
    found = {}
    for name, parameter in declared.items():
        for key in ("default", "Default"):
            if isinstance(parameter, Mapping) and key in parameter:
                found[name] = parameter[key]
    return found


def _parse_nested(address: str, text: str) -> dict[str, Any]:
    """Parse a template that stands for a resource type.

    Raises:
        RunbookError: It is none.
    """
    parsed = parse_mapping(text, f"{shown(address)}, which stands for a resource type and is no template,")
    raise_if_no_template(parsed, f"{shown(address)}, which stands for a resource type,")
    return parsed


def _resolve_type(registry: Mapping[str, Any], name: str, named: str) -> str:
    """What the environment puts in a type's place, for this resource or for all; wildcards too (`OS::Quantum*`)."""
    resources = registry.get("resources")
    here = resources.get(name) if isinstance(resources, Mapping) else None
    for mapping in (here if isinstance(here, Mapping) else {}, registry):
        found = mapping.get(named)
        if isinstance(found, str):
            return found
        for pattern, target in mapping.items():
            if isinstance(target, str) and pattern.endswith("*") and named.startswith(pattern[:-1]):
                return target[:-1] + named[len(pattern) - 1 :] if target.endswith("*") else target
    return named
