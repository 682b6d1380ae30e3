"""Stacks of Heat: created, updated or left alone, followed while they change, removed.

Every function looks at what is there first. A run that was killed in the middle of an operation is taken up where Heat
is: the next run waits for the end of that operation, and only then asks what is still to be done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import Conflict
from blocks.remote.errors import RunbookError, Stopped
from blocks.remote.waiting import wait_until
from tasks.heat.events import EventFollower, last_operation, newest_event, read_events
from tasks.heat.failure import StackFailed, read_failure
from tasks.heat.planning import plan_stack, raise_if_suspended, read_current_source
from tasks.heat.preview import merged_by_heat
from tasks.heat.source import StackSource
from tasks.heat.stack import TAG, Stack, read_stack

# Three calls a look: less than one a second. The first looks come sooner, and ask for the stack's state alone.
_EVERY_S = 4.0
# Heat ends an operation by its own timeout; ours is for a Heat that no longer answers.
_HEAT_TIMEOUT_GRACE_S = 90.0

OnLine = Callable[[str], None]
OnProgress = Callable[[float], None]


def _ignore(_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class DeployResult:
    """A stack that stands.

    Attributes:
        outcome: `created`, `updated`, `already` so, or `attached` to an operation that an earlier run began.
        stack: The stack.
    """

    outcome: Literal["created", "updated", "already", "attached"]
    stack: Stack


def deploy_stack(
    cloud: Cloud,
    name: str,
    source: StackSource,
    *,
    timeout_min: int = 30,
    tags: Sequence[str] = (TAG,),
    keep_failed: bool = True,
    approved: str = "",
    on_line: OnLine = _ignore,
    on_progress: OnProgress = _ignore,
) -> DeployResult:
    """Bring a stack to what a template says, and wait for it.

    Args:
        cloud: Where.
        name: The stack's name.
        source: What it is made from.
        timeout_min: Minutes until Heat gives up; asked again a little later, a Heat that is silent is given up too.
        tags: Put on the stack, so that it can be found if this run dies.
        keep_failed: Whether a stack whose *creation* failed stays for a look. One that stood before is never removed, nor one
            that somebody else is making.
        approved: What a person has approved, as `StackPlan.destroys` said it; nothing else is lost.
        on_line: Gets each event as it happens, also those of nested stacks, without secrets.
        on_progress: Gets the percentage of resources that are complete, nested ones included.

    Raises:
        StackFailed: With the deepest resource that failed.
        WaitExpired: Heat never came to an end.
        Conflict: As `plan_stack`; what would be lost was not approved; somebody else removed or changed it meanwhile.
        CloudError, Stopped: As `plan_stack`; Heat goes on with what it began, and the next run attaches to it.
    """
    within_s = timeout_min * 60 + _HEAT_TIMEOUT_GRACE_S
    plan, attached = plan_stack(cloud, name, source), False
    while plan.action == "wait" and plan.stack is not None:
        on_line(f"attached: {plan.stack.name} is {plan.stack.status}")
        before = _last_event_before(cloud, plan.stack)
        ended = _follow(cloud, plan.stack, within_s, on_line, on_progress, before)
        _raise_if_failed(cloud, ended, keep_failed or TAG not in plan.stack.tags, on_line)
        attached = not plan.stack.status.startswith("DELETE")
        plan = plan_stack(cloud, name, source)
    if plan.action == "nothing" and plan.stack is not None:
        return DeployResult("attached" if attached else "already", plan.stack)
    if plan.destroys and plan.destroys != approved:
        hint = "start the runbook again: it shows what would be lost, and waits for approval"
        raise Conflict(cloud.name, f"not approved: {plan.destroys}", hint)
    body = source.body | {"timeout_mins": timeout_min}
    if plan.stack is None:
        stack, marker = _create(cloud, name, body | {"disable_rollback": True, "tags": ",".join(tags)}), ""
    else:
        # An update without its tags would take them away. Whether a failed update is rolled back stays as it was.
        body |= {"tags": ",".join(plan.stack.tags)} if plan.stack.tags else {}
        marker = newest_event(cloud, plan.stack)  # what is older was told by earlier runs
        stack = _update(cloud, plan.stack, body)
    stack = _follow(cloud, stack, within_s, on_line, on_progress, marker, plan.stack)
    _raise_if_failed(cloud, stack, keep_failed, on_line)
    _raise_if_changed_by_others(cloud, stack, source)
    return DeployResult("created" if plan.stack is None else "updated", stack)


def _create(cloud: Cloud, name: str, body: dict[str, Any]) -> Stack:
    answer = cloud.send(f"create stack {name}", "orchestration", "POST", "/stacks", body | {"stack_name": name})
    return Stack(name, answer["stack"]["id"], "CREATE_IN_PROGRESS")


def _update(cloud: Cloud, stack: Stack, body: dict[str, Any]) -> Stack:
    cloud.send(f"update stack {stack.name}", "orchestration", "PUT", stack.path, body)
    return Stack(stack.name, stack.id, "UPDATE_IN_PROGRESS")


def _raise_if_changed_by_others(cloud: Cloud, stack: Stack, source: StackSource) -> None:
    """Raise where somebody else has removed, suspended or updated the stack while it was followed."""
    if stack.gone:
        hint = "find out who did; started again, the runbook makes it anew"
        raise Conflict(cloud.name, f"stack {stack.name} was deleted while this runbook made or updated it", hint)
    raise_if_suspended(cloud, stack)
    template, environment, files = read_current_source(cloud, stack)
    merged = merged_by_heat(cloud, source) if environment is not None else source
    if not (merged or source).may_match(template, environment if merged else None, files):
        hint = "agree with whoever did; started again, the runbook shows what it would change back"
        said = f"somebody else has updated stack {stack.name} meanwhile: it holds another template or other parameters"
        raise Conflict(cloud.name, said, hint)


def _last_event_before(cloud: Cloud, stack: Stack) -> str:
    """The event before the operation that is under way."""
    events = read_events(cloud, stack)
    older = len(events) - len(last_operation(events, stack))
    return events[older - 1].id if older else ""


def _follow(
    cloud: Cloud,
    stack: Stack,
    within_s: float,
    on_line: OnLine,
    on_progress: OnProgress,
    marker: str,
    before: Stack | None = None,
) -> Stack:
    """Wait until an operation ends, telling what happens after an event.

    Args:
        cloud: Where.
        stack: The stack.
        within_s: Seconds until it must have ended.
        on_line: Gets each event.
        on_progress: Gets the percentage.
        marker: The newest event before the operation.
        before: The stack as it was before; None where the operation is known to have begun. The Heat of OSP 8 answers
            first and begins then, and what it shows until then is the end of an earlier operation.
    """
    follower = EventFollower(cloud, stack, on_line, on_progress, marker)
    current, next_read_at, begun = stack, 0.0, before is None

    def look() -> str:
        nonlocal current, next_read_at, begun
        current = read_stack(cloud, stack)
        begun = begun or before is None or current.busy or current.gone or current.status != before.status
        if not begun:
            # It may have begun after the stack was read: its state counts at the next look.
            begun = any(
                event.stack_id == stack.id and event.resource == stack.name
                for event in read_events(cloud, stack, marker)
            )
            return f"{current.status}, what was asked for has not begun"
        if not current.gone and (not current.busy or monotonic() >= next_read_at):
            follower.read_new(deleting=current.status.startswith("DELETE"))
            next_read_at = monotonic() + _EVERY_S / 2
        return current.status

    wait_until(
        cloud.name,
        f"stack {stack.name}",
        "complete or failed",
        look,
        within_s,
        every_s=_EVERY_S,
        satisfied=lambda status: status.endswith(("_COMPLETE", "_FAILED")),
        hint="see the log of heat-engine; Heat goes on, and this runbook started again attaches to it",
    )
    if current.complete or current.gone:
        follower.report_progress(100.0)
    return current


def _raise_if_failed(cloud: Cloud, stack: Stack, keep_failed: bool, on_line: OnLine) -> None:
    """Raise the reason where an operation failed, and remove the stack if it was never whole and nobody wants it."""
    if stack.complete or stack.gone:
        return
    failure = read_failure(cloud, stack)
    if keep_failed or not stack.status.startswith("CREATE"):
        raise StackFailed(
            cloud.name, stack, failure, f"the stack is kept: `openstack stack failures list {stack.name}`"
        )
    on_line(f"{stack.name} failed and is removed: {failure}")
    try:
        delete_stack(cloud, stack, on_line=on_line)
    except Stopped:
        raise
    except RunbookError as error:
        # Not as it is: a step that is tried again would find no stack, and make it anew.
        hint = f"its removal did not end ({error}): `openstack stack delete {stack.name}`"
        raise StackFailed(cloud.name, stack, failure, hint) from error
    raise StackFailed(cloud.name, stack, failure, "the stack was removed, as asked")


def delete_stack(
    cloud: Cloud,
    stack: Stack,
    *,
    within_s: float = 900.0,
    on_line: OnLine = _ignore,
    on_progress: OnProgress = _ignore,
) -> Literal["deleted", "already"]:
    """Delete a stack and wait until it is gone; a deletion that failed is tried once more, which Heat often needs.

    Args:
        cloud: Where.
        stack: Found by `find_stack` or `find_tagged`.
        within_s: Seconds until it must be gone, for each of the two attempts.
        on_line: Gets each event.
        on_progress: Gets the percentage of resources that are gone.

    Raises:
        StackFailed: With the deepest resource that can't be deleted.
        WaitExpired: It never ended.
        CloudError, Stopped: As `Cloud.request`.
    """
    current = read_stack(cloud, stack)
    if current.gone:
        return "already"
    for _ in range(2):
        if current.status == "DELETE_IN_PROGRESS":
            marker = _last_event_before(cloud, current)
        else:
            marker = newest_event(cloud, current)
            cloud.send(f"delete stack {stack.name}", "orchestration", "DELETE", stack.path, None)
        current = _follow(cloud, current, within_s, on_line, on_progress, marker, current)
        if current.gone:
            return "deleted"
        on_line(f"{stack.name} is {current.status}: {current.reason}")
    raise StackFailed(
        cloud.name, current, read_failure(cloud, current), "remove what stands in its way, then delete it again"
    )
