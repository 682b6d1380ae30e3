"""What a check of a scaling group works on, and what speaks against beginning with it."""

from __future__ import annotations

from dataclasses import dataclass

from blocks.remote.cloud import Cloud
from blocks.remote.errors import RunbookError
from tasks.autoscaling.group.settings import check_sizes, read_settings
from tasks.autoscaling.timeline import Thresholds
from tasks.engine.active_runs import at_work
from tasks.engine.checks import Check
from tasks.engine.run import Run
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

    cloud: Cloud
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


def look(run: Run, request: stack_deployment.StackRequest, intervals: Intervals) -> ScalingCheckPlan:
    """Look at the cloud and at the stack, and refuse with the complete list.

    A stack of that name that is not this runbook's own is checked as it is; one that is, an earlier run has left: it is
    removed and made anew. Where there is none, it is made.

    Raises:
        Refused: With every reason.
    """
    cloud = stack_deployment.cloud_of_site(run)
    others: list[str] = []
    notes: list[str] = []
    try:
        run.checks += check_services(cloud)
        run.refuse_if_any()
        stack = find_stack(cloud, request.stack_name)
        left = stack is not None and run.name in stack.tags
        if stack is not None and left:
            run.checks.append(check_left(cloud.name, stack))
        made = None
        if stack is None or left:
            made = stack_deployment.plan_deployment(run, cloud, request, recreate=left)
            run.checks += check_sizes(made.source.stack.template, made.parameters)
        else:
            settings = read_settings(cloud, stack, run.name)
            seen = f"{settings.min_size} to {settings.max_size} members, scaled by {len(settings.alarms)} alarms on CPU"
            run.checks.append(Check(f"group {settings.group}", cloud.name, seen))
            notes = settings.notes
        tagged = [other for other in find_tagged(cloud, run.name) if other.name != request.stack_name]
        others = [other.name for other in tagged if not _at_work(other)]
    except RunbookError as error:
        run.checks += Check.of(error, f"stack {request.stack_name}")
    run.refuse_if_any()
    for note in notes:
        run.report_finding(note)
    for name in others:
        run.report_finding(
            f"stack {name} bears this runbook's tag: an earlier run was told to keep it, or was killed. Remove it with "
            f"`openstack stack delete {name}`, or check again with stack_name={name}, which makes it anew"
        )
    high, low = stack_deployment.threshold_percents(request)
    levels = Thresholds(high, low)
    return ScalingCheckPlan(cloud, run.name, left, made, request.stack_name, levels, intervals, run.journal.run_id)


def check_services(cloud: Cloud) -> list[Check]:
    """The cloud has the services by whose APIs a group is watched."""
    checks = []
    for service, what in (("metric", "CPU (Gnocchi)"), ("alarming", "the alarms (Aodh)")):
        there = cloud.offers(service)
        reason = "" if there else f"has no {service}, by whose API this check sees {what}"
        hint = "" if there else "watch the group by hand as the document does"
        if not there and service == "metric":
            hint += "; measures that Prometheus keeps are not read here"
        checks.append(Check("service catalog", cloud.name, f"{service} is there" if there else "", reason, hint))
    return checks


def check_left(cloud: str, stack: Stack) -> Check:
    """The run that has made a stack is no longer at work, so that it has left it.

    Args:
        cloud: The cloud's name.
        stack: Made by a run of this runbook.
    """
    name, runs = f"stack {stack.name}", _at_work(stack)
    if not runs:
        return Check(name, cloud, "an earlier run has left it: it is removed and made anew")
    hint = (
        "wait for its end, give another stack_name, or, if that run has been given up, remove the stack with "
        f"`openstack stack delete {stack.name}`"
    )
    return Check(name, cloud, "", f"stack {stack.name} is that of {' and '.join(runs)}", hint)


def _at_work(stack: Stack) -> list[str]:
    """Who is at work with a stack that a run of this runbook has made."""
    runs = [tag.removeprefix(_RUN_TAG) for tag in stack.tags if tag.startswith(_RUN_TAG)]
    return [who for who in map(at_work, runs) if who]
