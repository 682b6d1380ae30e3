"""What deploying a stack would do: found out beforehand, and again just before it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import Conflict, NotFound
from tasks.heat.preview import Changes, merged_by_heat, preview_create, preview_update
from tasks.heat.source import StackSource
from tasks.heat.stack import TAG, Stack, find_stack


@dataclass(frozen=True)
class StackPlan:
    """What deploying a stack would do.

    Attributes:
        action: `create`, `update`, `nothing`, or `wait` for an operation that is under way.
        stack: The stack as it is; None where there is none.
        changes: What Heat foresees.
    """

    action: Literal["create", "update", "nothing", "wait"]
    stack: Stack | None
    changes: Changes = field(default_factory=Changes)

    @property
    def lines(self) -> list[str]:
        """The plan for an operator."""
        if self.action == "wait" and self.stack is not None:
            return [f"{self.stack.name} is {self.stack.status}: wait for its end, then look again"]
        return ["nothing to do: Heat holds just this template"] if self.action == "nothing" else self.changes.lines

    @property
    def destroys(self) -> str:
        """What somebody would miss, in a sentence that a person must approve; empty where nobody would."""
        if self.action != "update" or self.stack is None:
            return ""
        losses = list(self.changes.lost)
        if TAG not in self.stack.tags:
            losses.insert(
                0, f"it was not made by a runbook (it lacks the tag {TAG}), and gets another template or parameters"
            )
        return f"stack {self.stack.name}: {'; '.join(losses)}" if losses else ""


def plan_recreation(cloud: Cloud, source: StackSource) -> StackPlan:
    """Say what making a stack would do once the one of its name is gone.

    Raises:
        RequestRejected: Heat will not have the template.
        CloudError, Stopped: As `Cloud.request`.
    """
    # Under a name that nobody has: that of a stack which is there Heat refuses.
    return StackPlan("create", None, preview_create(cloud, f"preview-{uuid4().hex}", source))


def plan_stack(cloud: Cloud, name: str, source: StackSource) -> StackPlan:
    """Say what `deploy_stack` would do, without changing anything.

    Raises:
        Conflict: The stack is half deleted, or suspended.
        RequestRejected: Heat will not have the template.
        CloudError, Stopped: As `Cloud.request`.
    """
    stack = find_stack(cloud, name)
    if stack is None:
        return StackPlan("create", None, preview_create(cloud, name, source))
    if stack.busy:
        return StackPlan("wait", stack)
    if stack.status == "DELETE_FAILED":
        hint = f"delete it (`openstack stack delete {name}`), then start the runbook again"
        raise Conflict(cloud.name, f"stack {name} is half deleted: {stack.reason}", hint)
    raise_if_suspended(cloud, stack)
    if stack.complete and _is_current(cloud, stack, source):
        return StackPlan("nothing", stack)
    return StackPlan("update", stack, preview_update(cloud, stack, source))


def _is_current(cloud: Cloud, stack: Stack, source: StackSource) -> bool:
    """Compare with what Heat holds; its preview would call every nested stack updated, changed or not.

    The Heat of OSP 8 does not tell all: there an update is asked for, in which it finds nothing to do.
    """
    template, environment, files = read_current_source(cloud, stack)
    if environment is None or files is None:
        return False
    merged = merged_by_heat(cloud, source)
    return merged is not None and merged.matches(template, environment, files)


def read_current_source(
    cloud: Cloud, stack: Stack
) -> tuple[Mapping[str, Any], Mapping[str, Any] | None, Mapping[str, str] | None]:
    """Read what Heat holds of a stack: template, environment, files.

    Returns:
        All three; None for those that it does not tell of. The Heat of OSP 8 (5.0.1) tells of the template alone.

    Raises:
        NotFound: There is no such stack.
        CloudError, Stopped: As `Cloud.request`.
    """

    def read(part: str) -> Any:
        return cloud.get(f"read the {part} of stack {stack.name}", "orchestration", f"{stack.path}/{part}")

    template = read("template")
    try:
        return template, read("environment"), read("files")
    except NotFound:
        return template, None, None


def raise_if_suspended(cloud: Cloud, stack: Stack) -> None:
    """Raise where a stack is suspended: `complete` it is, and yet none of its servers runs.

    Raises:
        Conflict: It is, or was about to be.
    """
    if stack.status.startswith("SUSPEND"):
        hint = f"resume it (`openstack stack resume {stack.name}`), then start the runbook again"
        raise Conflict(cloud.name, f"stack {stack.name} is {stack.status}: Heat updates none that is suspended", hint)
