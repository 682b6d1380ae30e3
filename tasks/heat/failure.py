"""Why a stack failed: the deepest resource that did, not the chain of groups and nested stacks above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import CloudError
from blocks.remote.secrets import mask
from tasks.heat.events import Event, last_operation, read_events
from tasks.heat.stack import Resource, Stack, read_resources, resource_path

# What Heat writes on resources that it gave up because another one failed: never the cause.
_CONSEQUENCES = ("aborted", "cancel", "user triggered")


@dataclass(frozen=True)
class Failure:
    """The resource that failed first of all.

    Attributes:
        path: Names from the stack down to it (`webserver / x4k2 / server`); the stack's own name where no resource failed.
        type: Of the resource; empty for the stack.
        reason: Heat's words, secrets masked.
        physical_id: What it is in the cloud, for a look at it.
        others: How many more failed beside it.
    """

    path: str
    type: str
    reason: str
    physical_id: str = ""
    others: int = 0

    def __str__(self) -> str:
        what = f"{self.path} ({self.type})" if self.type else self.path
        also = f"; {self.others} more failed" if self.others else ""
        return f"{what}: {self.reason}{also}"


class StackFailed(CloudError):
    """An operation on a stack failed.

    Args:
        cloud: The cloud's name.
        stack: The stack, as it stands.
        failure: What failed, and why.
        left: What became of the stack, as a sentence.
    """

    def __init__(self, cloud: str, stack: Stack, failure: Failure, left: str) -> None:
        self.stack, self.failure = stack, failure
        super().__init__(cloud, f"stack {stack.name} is {stack.status}: {failure}", left)


def find_failure(stack: Stack, resources: Sequence[Resource], events: Sequence[Event] = ()) -> Failure:
    """Find the deepest resource that failed.

    Args:
        stack: The stack, for its own reason where no resource has one.
        resources: All of its resources, nested ones included.
        events: Of its last operation, which tell of hooks that nobody has cleared.
    """
    failed = [resource for resource in resources if resource.failed]
    if _waiting_hooks(events):  # whatever was aborted when time ran out
        return _timed_out(stack, resources, events)
    with_deeper = {resource.stack for resource in failed}
    leaves = [resource for resource in failed if resource.nested not in with_deeper or not resource.nested]
    causes = [
        resource for resource in leaves if not any(word in resource.reason.lower() for word in _CONSEQUENCES)
    ] or leaves
    if not causes:
        return _timed_out(stack, resources, events)
    cause = causes[0]
    return Failure(resource_path(cause, resources), cause.type, mask(cause.reason), cause.physical_id, len(causes) - 1)


def _timed_out(stack: Stack, resources: Sequence[Resource], events: Sequence[Event]) -> Failure:
    """Where nothing failed but time ran out: what it was waiting for."""
    if hooked := _waiting_hooks(events):
        hooks = f" (waiting for a hook to be cleared: {', '.join(hooked)}: `openstack stack hook clear {stack.name} RESOURCE`)"
        return Failure(stack.name, "", mask(stack.reason or "Heat gives no reason") + hooks)
    waiting = [resource for resource in resources if resource.status.endswith(("_IN_PROGRESS", "INIT_COMPLETE"))]
    above = {resource.stack for resource in waiting}
    names = [
        resource_path(resource, resources)
        for resource in waiting
        if resource.nested not in above or not resource.nested
    ]
    late = f" (unfinished: {', '.join(names)})" if names else ""
    return Failure(stack.name, "", mask(stack.reason or "Heat gives no reason") + late)


def _waiting_hooks(events: Sequence[Event]) -> list[str]:
    """The resources whose last word is that they wait for a hook (heat/engine/resource.py), with Heat's own words."""
    last = {(event.stack_id, event.resource): event for event in events if "Hook " in event.reason}
    return [f"{event.resource}: {event.reason}" for event in last.values() if "paused until Hook" in event.reason]


def read_failure(cloud: Cloud, stack: Stack) -> Failure:
    """Ask the cloud why a stack failed.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    resources = read_resources(cloud, stack)
    timed_out = "timed out" in stack.reason.lower() or not any(resource.failed for resource in resources)
    return find_failure(stack, resources, last_operation(read_events(cloud, stack), stack) if timed_out else ())
