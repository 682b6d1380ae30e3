"""What a check of a scaling group works on, and what speaks against beginning with it."""

from __future__ import annotations

from dataclasses import dataclass

from blocks.cloud import CloudAccess
from blocks.remote.errors import Refused, RunbookError
from tasks.autoscaling.group.settings import read_settings, why_not_check
from tasks.autoscaling.timeline import Thresholds
from tasks.engine.living import at_work
from tasks.engine.run import Runbook
from tasks.engine.step import preflight_task
from tasks.heat.stack import TAG, Stack, find_stack, find_tagged
from tasks.runbooks.deploy_stack import deployment as stack_deployment

# Of the tag that says which flow run a stack belongs to.
_RUN_TAG = "run-"


@dataclass(frozen=True)
class Intervals:
    """What no API tells a project: how often telemetry looks.

    Attributes:
        polling_s: Ceilometer's, of the source that polls CPU.
        evaluation_s: Aodh's.
        processing_s: From a poll until Gnocchi answers with it.
        settle_s: What a member may take until it is active, reached and loaded, or until it is gone.
    """

    polling_s: float
    evaluation_s: float
    processing_s: float
    settle_s: float


@dataclass(frozen=True)
class ScalingCheckPlan:
    """What is checked where.

    Attributes:
        cloud: The place of the steps.
        runbook: Name of the runbook: the tag of a stack that is its own.
        replaces_leftover: Whether a stack of that name is what an earlier run of this runbook has left, to be removed first.
        deployment: What the stack is made from; None where it stands and is not ours.
        stack_name: The stack's name.
        thresholds_percent: The thresholds in percent of all vCPUs of a member.
        intervals: How often telemetry looks.
        run: Id of the flow run.
    """

    cloud: CloudAccess
    runbook: str
    replaces_leftover: bool
    deployment: stack_deployment.StackDeployment | None
    stack_name: str
    thresholds_percent: Thresholds
    intervals: Intervals
    run: str

    @property
    def run_tag(self) -> str:
        """The tag of a stack that this very run has made."""
        return f"{_RUN_TAG}{self.run}"

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of a stack that this runbook makes."""
        return (TAG, self.runbook, self.run_tag)


def preflight(book: Runbook, request: stack_deployment.StackRequest, intervals: Intervals) -> ScalingCheckPlan:
    """Look at the cloud and at the stack, and refuse with the complete list.

    A stack of that name that is not this runbook's own is checked as it is; one that is, an earlier run has left: it is
    removed and made anew. Where there is none, it is made.

    Raises:
        Refused: With every reason.
    """
    return preflight_task(lambda: _look(book, request, intervals))


def _look(book: Runbook, request: stack_deployment.StackRequest, intervals: Intervals) -> ScalingCheckPlan:
    access, cloud = stack_deployment.cloud_of_site(book)
    others: list[str] = []
    try:
        book.reasons += [
            f"{cloud.name} has no {service}, by whose API this check sees {what}: watch the group by hand as the document does"
            for service, what in (("metric", "CPU (Gnocchi)"), ("alarming", "the alarms (Aodh)"))
            if not cloud.offers(service)
        ]
        book.refuse_if_any()
        stack = find_stack(cloud, request.stack_name)
        left = stack is not None and book.name in stack.tags
        if stack is not None and left:
            book.reasons += _why_not_left(stack)
        made = None
        if stack is None or left:
            made = stack_deployment.plan_deployment(book, access, cloud, request, recreate=left)
            book.reasons += why_not_check(made.source.stack.template, made.parameters)
        else:
            read_settings(cloud, stack, book.name)
        tagged = [
            tagged_stack for tagged_stack in find_tagged(cloud, book.name) if tagged_stack.name != request.stack_name
        ]
        others = [tagged_stack.name for tagged_stack in tagged if not _at_work(tagged_stack)]
    except Refused as refusal:
        book.reasons += [reason for reason in refusal.reasons if reason not in book.reasons]
    except RunbookError as error:
        book.reasons.append(str(error))
    book.refuse_if_any()
    for name in others:
        book.find(
            f"stack {name} bears this runbook's tag: an earlier run was told to keep it, or was killed. Remove it with "
            f"`openstack stack delete {name}`, or check again with stack_name={name}, which makes it anew"
        )
    high, low = stack_deployment.threshold_percents(request)
    levels = Thresholds(high, low)
    return ScalingCheckPlan(access, book.name, left, made, request.stack_name, levels, intervals, book.journal.run_id)


def _why_not_left(stack: Stack) -> list[str]:
    """Say why a stack that a run of this runbook has made was not left by it: that run is still at work."""
    return [
        f"stack {stack.name} is that of {who}: wait for its end, give another stack_name, or, if that run has been given up, "
        f"remove the stack with `openstack stack delete {stack.name}`"
        for who in _at_work(stack)
    ]


def _at_work(stack: Stack) -> list[str]:
    """Who is at work with a stack that a run of this runbook has made."""
    runs = [tag.removeprefix(_RUN_TAG) for tag in stack.tags if tag.startswith(_RUN_TAG)]
    return [who for who in map(at_work, runs) if who]
