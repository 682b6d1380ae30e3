"""A stack of Heat and the resources in it, as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import NotFound

# The tag by which a later run finds what a crashed one left.
TAG = "openstack-runbooks"
# How deep stacks may be nested: Heat's own bound (max_nested_stack_depth).
DEPTH = 5


@dataclass(frozen=True)
class Stack:
    """A stack as Heat shows it.

    Attributes:
        name: Its name.
        id: Its UUID.
        status: Action and state (`CREATE_IN_PROGRESS`).
        reason: Why it is in it.
        tags: Its tags.
    """

    name: str
    id: str
    status: str
    reason: str = ""
    tags: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where it lies beneath Heat's endpoint; with the id in it Heat need not redirect."""
        return f"/stacks/{self.name}/{self.id}"

    @property
    def busy(self) -> bool:
        """Whether an operation is under way."""
        return self.status.endswith("_IN_PROGRESS")

    @property
    def complete(self) -> bool:
        """Whether its last operation ended well; a rollback is no good end."""
        return self.status.endswith("_COMPLETE") and not self.status.startswith("ROLLBACK")

    @property
    def gone(self) -> bool:
        """Whether it has been deleted."""
        return self.status == "DELETE_COMPLETE"


@dataclass(frozen=True)
class Resource:
    """A resource of a stack.

    Attributes:
        name: In its template.
        type: As its template says.
        status: Action and state.
        reason: Why it is in it.
        physical_id: What it is in the cloud; empty until it is made.
        stack: `name/id` of the stack that it belongs to.
        nested: `name/id` of the stack within it; empty for a plain resource.
    """

    name: str
    type: str
    status: str
    reason: str
    physical_id: str
    stack: str
    nested: str

    @property
    def failed(self) -> bool:
        """Whether its last action failed."""
        return self.status.endswith("_FAILED")


def parse_stack(body: Mapping[str, Any]) -> Stack:
    """Read a stack of a listing or of a single answer.

    One that is `DELETE_COMPLETE` keeps its name for a moment longer, until it has a time of deletion: still under way.
    """
    status = body["stack_status"]
    if status == "DELETE_COMPLETE" and not body.get("deletion_time"):
        status = "DELETE_IN_PROGRESS"
    tags = body.get("tags") or ()
    return Stack(
        name=body["stack_name"],
        id=body["id"],
        status=status,
        reason=body.get("stack_status_reason") or "",
        tags=tuple(tags if isinstance(tags, list | tuple) else str(tags).split(",")),
    )


def parse_resource(body: Mapping[str, Any]) -> Resource:
    """Read one resource of a listing."""
    return Resource(
        name=body["resource_name"],
        type=body["resource_type"],
        status=body["resource_status"],
        reason=body.get("resource_status_reason") or "",
        physical_id=body.get("physical_resource_id") or "",
        stack=linked_stack(body, "stack"),
        nested=linked_stack(body, "nested"),
    )


def parse_time(text: str) -> datetime:
    """Read a time as OpenStack's services write it: UTC, with or without saying so."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def linked_stack(body: Mapping[str, Any], rel: str) -> str:
    """Return `name/id` of the stack that a link of a resource or an event leads to; empty where it has none."""
    for link in body.get("links") or ():
        if link.get("rel") == rel:
            words = unquote(urlsplit(link["href"]).path).split("/stacks/", 1)[-1].split("/")
            return "/".join(words[:2])
    return ""


def resource_path(resource: Resource, resources: Sequence[Resource]) -> str:
    """Return the names from a stack down to one of its resources (`webserver / x4k2 / server`).

    Args:
        resource: The resource.
        resources: All of the stack, nested ones included.
    """
    parents = {parent.nested: parent for parent in resources if parent.nested}
    names = [resource.name]
    while (parent := parents.get(resource.stack)) is not None and len(names) <= len(resources):
        names.append(parent.name)
        resource = parent
    return " / ".join(reversed(names))


def find_stack(cloud: Cloud, name: str) -> Stack | None:
    """Find a stack by its name.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    found = cloud.get(f"look for stack {name}", "orchestration", "/stacks", name=name)["stacks"]
    return next((parse_stack(body) for body in found if body["stack_name"] == name), None)


def find_tagged(cloud: Cloud, tag: str = TAG) -> list[Stack]:
    """Find the stacks that bear a tag: those that a run was told to keep, or that one which crashed has left.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    found = cloud.get(f"look for stacks tagged {tag}", "orchestration", "/stacks", tags=tag)["stacks"]
    return [parse_stack(body) for body in found]


def read_stack(cloud: Cloud, stack: Stack) -> Stack:
    """Read a stack's state anew; one that Heat no longer knows is gone.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    path = f"{stack.path}?resolve_outputs=False"  # outputs are resolved by asking every resource
    try:
        return parse_stack(cloud.get(f"read stack {stack.name}", "orchestration", path)["stack"])
    except NotFound:
        return Stack(stack.name, stack.id, "DELETE_COMPLETE")


def read_resources(cloud: Cloud, stack: Stack) -> list[Resource]:
    """Read all resources of a stack, those of nested stacks included; none where it is gone.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    what = f"list the resources of stack {stack.name}"
    body = cloud.get(what, "orchestration", f"{stack.path}/resources", nested_depth=DEPTH)
    return [parse_resource(resource) for resource in body["resources"]]
