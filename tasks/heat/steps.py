"""Stacks as steps of a runbook: what `tasks.heat.stack_operations` does, as changes of a cloud."""

from __future__ import annotations

from collections.abc import Sequence

from prefect.artifacts import create_table_artifact

from blocks.remote.cloud import Cloud
from blocks.remote.connection import Performed, Watch
from blocks.remote.secrets import mask
from tasks.engine.change import Call, Change
from tasks.heat.outputs import read_outputs
from tasks.heat.planning import StackPlan
from tasks.heat.source import StackSource
from tasks.heat.stack import TAG, find_stack
from tasks.heat.stack_operations import delete_stack, deploy_stack

_OUTCOMES: dict[str, Performed] = {"created": "done", "updated": "done", "already": "already", "attached": "attached"}


def deploy(
    name: str,
    source: StackSource,
    plan: StackPlan,
    timeout_min: int,
    keep_failed: bool,
    tags: Sequence[str] = (TAG,),
    approved: str = "",
) -> Change[Cloud]:
    """Bring a stack to what its template says.

    Args:
        name: The stack's name.
        source: What it is made from.
        plan: What preflight foresaw; for the plan.
        timeout_min: Minutes until Heat gives up.
        keep_failed: Whether a stack whose creation failed stays for a look.
        tags: Put on the stack.
        approved: What a person has approved of what the plan would destroy, in the plan's words.
    """

    def do(cloud: Cloud, watch: Watch) -> Performed:
        deployed = deploy_stack(
            cloud,
            name,
            source,
            timeout_min=timeout_min,
            tags=tags,
            keep_failed=keep_failed,
            approved=approved,
            on_line=watch.line,
            on_progress=watch.progress,
        )
        watch.line(f"{name}: {deployed.outcome}")
        return _OUTCOMES[deployed.outcome]

    shown = "\n".join([f"openstack stack {plan.action} {name}", *(f"  {line}" for line in plan.lines)])
    return Change((Call(shown, do),))


def show_outputs(name: str) -> Change[Cloud]:
    """Make an artifact of a stack's outputs; whatever lets somebody act is masked in it, as a webhook's address."""

    def do(cloud: Cloud, watch: Watch) -> Performed:
        stack = find_stack(cloud, name)
        outputs = read_outputs(cloud, stack) if stack else {}
        rows = [
            {"output": output.key, "value": output.display_value, "description": mask(output.description)}
            for output in outputs.values()
        ]
        for row in rows:
            watch.line(f"{row['output']} = {row['value']}")
        create_table_artifact(rows, key=f"outputs-{name.lower().replace('_', '-').replace('.', '-')}", description=name)
        return "done"

    return Change((Call(f"openstack stack output show --all {name}", do),))


def remove(name: str, within_s: float, tag: str) -> Change[Cloud]:
    """Delete a stack and wait until it is gone.

    Args:
        name: The stack's name.
        within_s: Seconds until it must be gone, for each of two attempts.
        tag: What it bears; one of that name without it is somebody else's, and stays.
    """

    def do(cloud: Cloud, watch: Watch) -> Performed:
        stack = find_stack(cloud, name)
        if stack is None or tag not in stack.tags:
            return "already"
        did = delete_stack(cloud, stack, within_s=within_s, on_line=watch.line, on_progress=watch.progress)
        return "done" if did == "deleted" else "already"

    return Change((Call(f"openstack stack delete --yes --wait {name}", do),))
