"""What Heat says beforehand: whether it will have a template, and what would change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from blocks.remote.cloud import Cloud
from tasks.heat.source import StackSource
from tasks.heat.stack import Stack

_CHANGE_KINDS = ("added", "updated", "replaced", "deleted")
# They hold nothing, and Heat calls them replaced where a number of theirs is another. Deleted they are missed.
_STATELESS = re.compile(r"\(OS::(Heat::ScalingPolicy|(Aodh|Ceilometer)::\w*Alarm)\)$")


@dataclass(frozen=True)
class Changes:
    """What an operation would change.

    Attributes:
        by_kind: `added`, `updated`, `replaced`, `deleted` → resources as `name (type)`. Every nested stack counts as
            updated: Heat can't say less.
    """

    by_kind: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """One line a kind, the destructive ones last; none where nothing changes."""
        return [f"{kind}: {', '.join(self.by_kind[kind])}" for kind in _CHANGE_KINDS if self.by_kind.get(kind)]

    @property
    def lost(self) -> list[str]:
        """What is replaced or deleted and may hold something, one text a kind."""
        replaced = [resource for resource in self.by_kind.get("replaced", ()) if not _STATELESS.search(resource)]
        found = {"replaced": replaced, "deleted": self.by_kind.get("deleted", ())}
        # In one order, whichever of Heat's engines answers: what was approved must be found again.
        return [f"{kind} {', '.join(sorted(names))}" for kind, names in found.items() if names]


def merged_by_heat(cloud: Cloud, source: StackSource) -> StackSource | None:
    """Let Heat merge the environment files of a source, by its own rules.

    Returns:
        The source with the environment that Heat makes of them; None where Heat does not tell it (before Queens) and clients
        merge by other rules.

    Raises:
        RequestRejected: Heat will not have the template or an environment, and says why.
        CloudError, Stopped: As `Cloud.request`.
    """
    if not source.stack.environments:
        return source
    answer = cloud.send("merge the environment files", "orchestration", "POST", "/validate", source.body)
    merged = answer.get("Environment")
    if isinstance(merged, Mapping):
        return replace(source, stack=replace(source.stack, environment=dict(merged)))
    return None if source.merge_strategies else source


def validate_template(cloud: Cloud, source: StackSource) -> list[str]:
    """Let Heat check a template.

    Returns:
        The parameters that have neither a value nor a default.

    Raises:
        RequestRejected: Heat will not have it, and says why.
        CloudError, Stopped: As `Cloud.request`.
    """
    answer = cloud.send("validate the template", "orchestration", "POST", "/validate", source.body)
    merged = answer.get("Environment") or source.environment
    given = {**(merged.get("parameter_defaults") or {}), **(merged.get("parameters") or {})}
    wanted = answer.get("Parameters") or {}
    return sorted(name for name, said in wanted.items() if "Default" not in said and name not in given)


def preview_create(cloud: Cloud, name: str, source: StackSource) -> Changes:
    """Let Heat say what a new stack would have in it.

    Raises:
        RequestRejected: Heat will not have it, and says why.
        CloudError, Stopped: As `Cloud.request`.
    """
    body = source.body | {"stack_name": name}
    answer = cloud.send(f"preview stack {name}", "orchestration", "POST", "/stacks/preview", body)
    return Changes({"added": tuple(_describe(resource) for resource in _flatten(answer["stack"]["resources"]))})


def preview_update(cloud: Cloud, stack: Stack, source: StackSource) -> Changes:
    """Let Heat say what an update would change.

    Not by openstacksdk's `update_stack(preview=True)`: in 4.22.0 that passes the flag as another argument, and updates.

    Raises:
        RequestRejected: Heat will not have it, and says why.
        CloudError, Stopped: As `Cloud.request`.
    """
    what = f"preview the update of stack {stack.name}"
    # Without show_nested, which a Heat of Zed answers with a bare 400.
    answer = cloud.send(what, "orchestration", "PUT", f"{stack.path}/preview", source.body)["resource_changes"]
    return Changes({kind: tuple(_describe(resource) for resource in answer.get(kind) or ()) for kind in _CHANGE_KINDS})


def offered_types(cloud: Cloud) -> frozenset[str]:
    """List the resource types that Heat offers here; hidden ones are not among them, though Heat takes them.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    listed = cloud.get("list the resource types", "orchestration", "/resource_types")["resource_types"]
    return frozenset(type_ if isinstance(type_, str) else type_["resource_type"] for type_ in listed)


def _flatten(resources: list[Any]) -> Iterator[Mapping[str, Any]]:
    """A preview's resources; a nested stack is a list within the list."""
    for resource in resources:
        if isinstance(resource, list):
            yield from _flatten(resource)
        else:
            yield resource


def _describe(body: Mapping[str, Any]) -> str:
    return f"{body['resource_name']} ({body['resource_type']})"
