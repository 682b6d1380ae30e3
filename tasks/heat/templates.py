"""Heat templates: loaded with every file that they name, and the project's own chosen by what the cloud offers.

The project's own stand in deployments/templates, for each of the two examples of Auto Scaling for Compute (AS 1.2, AS 1.3)
once for today's Heat (Aodh, Gnocchi, Octavia) and once for OSP 8 (Ceilometer's alarms, LBaaS v1).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.error import URLError

import yaml
from openstack.exceptions import SDKException
from openstack.orchestration.util import template_format, template_utils

from blocks.remote.errors import RunbookError

EXAMPLES = Path(__file__).resolve().parents[2] / "deployments" / "templates"
_GNOCCHI_ALARM = "OS::Aodh::GnocchiAggregationByResourcesAlarm"


class Example(StrEnum):
    """The document's two examples, by the name of their template."""

    CPU_GROUP = "cpu-group"
    WEB_FARM = "web-farm"


class Era(StrEnum):
    """The cloud that a template is for, by the name of its folder."""

    TODAY = "today"
    OSP_8 = "osp-8"


@dataclass(frozen=True)
class StackFiles:
    """What Heat is sent, beside the parameters.

    Attributes:
        template: The template; its file names have become addresses in `files`.
        environment: All environment files, merged in their order.
        files: Address → text of every file that template and environment name, and those name in turn.
    """

    template: dict[str, Any]
    environment: dict[str, Any]
    files: dict[str, str]


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
    for path in (template, *environments):
        _raise_if_no_mapping(path)
    try:
        files, parsed = template_utils.get_template_contents(template_file=str(template))
        more, environment = template_utils.process_multiple_environments_and_files([str(path) for path in environments])
    except (SDKException, URLError, OSError, ValueError, TypeError, AttributeError) as error:
        raise RunbookError(
            f"template {template} can't be read: {error}",
            "file names in it are taken from its own folder, those in an environment file from that file's",
        ) from error
    return StackFiles(
        parsed or {}, environment, {name: _as_text(content) for name, content in {**files, **more}.items()}
    )


def _as_text(content: str | bytes) -> str:
    """What Heat is sent of a file, in JSON: the library gives an empty one as bytes, and a binary one in base64."""
    return content if isinstance(content, str) else content.decode()


def _raise_if_no_mapping(path: Path) -> None:
    """Say which file is wrong before the library trips over it.

    Raises:
        RunbookError: It is not there, or holds no YAML mapping.
    """
    try:
        parsed = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RunbookError(f"{path} can't be read: {error}", "give its path on the worker's machine") from error
    except yaml.YAMLError as error:
        raise RunbookError(f"{path} is not YAML: {error}", "correct the file at that line") from error
    if parsed is not None and not isinstance(parsed, dict):
        raise RunbookError(f"{path} is no mapping, and so no template or environment", "see Heat's template guide")


def choose_example(example: Example, offered: Collection[str]) -> ExampleTemplate:
    """Choose among the project's own templates: today's, or OSP 8's where the cloud is that old.

    Args:
        example: Which of the two.
        offered: Names of the resource types that the cloud's Heat lists.

    Raises:
        RunbookError: It offers neither's; with what is missing of each.
    """
    missing = {}
    for chosen in _candidates(example):
        needed = required_types(chosen.read())
        missing[chosen.era] = sorted(needed.difference(offered))
        # Newer Heats know OS::Ceilometer::Alarm too: it validates, and fails when Aodh is asked for it.
        too_new = chosen.era is Era.OSP_8 and _GNOCCHI_ALARM in offered
        if not missing[chosen.era] and not too_new:
            return chosen
    raise RunbookError(
        f"this cloud's Heat offers what neither template of the {example} needs; today's misses "
        f"{', '.join(missing[Era.TODAY])}"
        + (f"; OSP 8's misses {', '.join(missing[Era.OSP_8])}" * bool(missing[Era.OSP_8])),
        "see `openstack orchestration resource type list`: a type is missing where its service is, or where the user "
        "may not use it",
    )


def _candidates(example: Example) -> Iterator[ExampleTemplate]:
    """Every template of the example, the best first: as documented with a volume, then without."""
    for era, environment in (
        (Era.TODAY, "environment.yaml"),
        (Era.TODAY, "environment-without-volumes.yaml"),
        (Era.OSP_8, "environment.yaml"),
    ):
        yield ExampleTemplate(era, EXAMPLES / era / f"{example}.yaml", EXAMPLES / era / environment)


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
    for name, resource in resources.items():
        if isinstance(resource, Mapping):
            path = f"{within.path} > {name}" if within.path else str(name)
            yield from _uses_of(stack, resource, path, within.conditional, above)


def _uses_of(
    stack: StackFiles, resource: Mapping[str, Any], path: str, conditional: bool, above: tuple[str, ...]
) -> Iterator[ResourceUse]:
    named = str(resource.get("type") or resource.get("Type") or "")
    real = _resolve_type(stack.environment.get("resource_registry") or {}, path.rsplit(" > ", 1)[-1], named)
    use = ResourceUse(path, real, named, conditional or "condition" in resource or "Condition" in resource)
    if real in stack.files:
        if real not in above:  # a template within itself is Heat's to refuse
            yield from _template_uses(stack, _parse_nested(real, stack.files[real]), use, (*above, real))
        return
    yield use
    # What a group is made of: AutoScalingGroup calls it `resource`, ResourceGroup `resource_def`.
    properties = resource.get("properties") or resource.get("Properties") or {}
    for key in ("resource", "resource_def"):
        member = properties.get(key) if isinstance(properties, Mapping) else None
        if isinstance(member, Mapping):
            yield from _uses_of(stack, member, f"{path} > member", use.conditional, above)


def _parse_nested(address: str, text: str) -> dict[str, Any]:
    try:
        parsed: dict[str, Any] = template_format.parse(text)
    except (ValueError, TypeError) as error:
        raise RunbookError(
            f"{address} stands for a resource type and is no template: {error}", "correct the file"
        ) from error
    return parsed


def _resolve_type(registry: Mapping[str, Any], name: str, named: str) -> str:
    """What the environment puts in a type's place, for this resource or for all; wildcards too (`OS::Quantum*`)."""
    here = (registry.get("resources") or {}).get(name) or {}
    for mapping in (here, registry):
        found = mapping.get(named)
        if isinstance(found, str):
            return found
        for pattern, target in mapping.items():
            if isinstance(target, str) and pattern.endswith("*") and named.startswith(pattern[:-1]):
                return target[:-1] + named[len(pattern) - 1 :] if target.endswith("*") else target
    return named
