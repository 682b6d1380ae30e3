"""Why a stack failed: the deepest resource that did, not the chain of groups and nested stacks above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import CloudError
from blocks.remote.secrets import mask
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


def find_failure(stack: Stack, resources: Sequence[Resource]) -> Failure:
    """Find the deepest resource that failed.

    Args:
        stack: The stack, for its own reason where no resource has one.
        resources: All of its resources, nested ones included.
    """
    failed = [resource for resource in resources if resource.failed]
    with_deeper = {resource.stack for resource in failed}
    leaves = [resource for resource in failed if resource.nested not in with_deeper or not resource.nested]
    causes = [
        resource for resource in leaves if not any(word in resource.reason.lower() for word in _CONSEQUENCES)
    ] or leaves
    if not causes:
        return _timed_out(stack, resources)
    cause = causes[0]
    return Failure(resource_path(cause, resources), cause.type, mask(cause.reason), cause.physical_id, len(causes) - 1)


def _timed_out(stack: Stack, resources: Sequence[Resource]) -> Failure:
    """Where nothing failed but time ran out: what it was waiting for."""
    waiting = [resource for resource in resources if resource.status.endswith("_IN_PROGRESS")]
    above = {resource.stack for resource in waiting}
    names = [
        resource_path(resource, resources)
        for resource in waiting
        if resource.nested not in above or not resource.nested
    ]
    late = f" (unfinished: {', '.join(names)})" if names else ""
    return Failure(stack.name, "", mask(stack.reason or "Heat gives no reason") + late)


def read_failure(cloud: Cloud, stack: Stack) -> Failure:
    """Ask the cloud why a stack failed.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    return find_failure(stack, read_resources(cloud, stack))
