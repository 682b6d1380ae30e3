"""One run of a check: what check-autoscaling and check-web-autoscaling have in common, around the steps of their documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, TypeVar

from pydantic import Field

from blocks.remote.errors import RunbookError
from tasks.autoscaling.group.member_shells import MemberShells, member_access
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.engine.runbook import Work
from tasks.engine.step import StepFailed
from tasks.engine.steps import Fence, Steps
from tasks.heat.steps import deploy, remove
from tasks.runbooks.check_autoscaling.check import ScalingCheck
from tasks.runbooks.check_autoscaling.check_plan import Intervals, ScalingCheckPlan, look
from tasks.runbooks.deploy_stack.deployment import StackRequest

_TIMEOUT_MIN, _REMOVE_S = 30, 900

# The parameters of both flows.
Word = Annotated[str, Field(min_length=1)]
StackName = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9_.-]{0,254}$")]
Percent = Annotated[float, Field(gt=0, lt=100)]
Interval = Annotated[int, Field(ge=1, le=86400)]
Delay = Annotated[int, Field(ge=1, le=3600)]
Settling = Annotated[int, Field(ge=10, le=3600)]

C = TypeVar("C", bound=ScalingCheck)


@dataclass(frozen=True)
class CheckRequest:
    """What the operator asks for.

    Attributes:
        site: The site's name.
        request: What the stack is made from, should it be made.
        intervals: How often telemetry looks.
        member_user: Who logs in to the members.
        member_key: Private key file for it; None for the site's.
        cleanup: Whether a stack that the runbook has made is removed afterwards.
    """

    site: str
    request: StackRequest
    intervals: Intervals
    member_user: str
    member_key: str | None
    cleanup: bool


@dataclass(frozen=True)
class Checking(Generic[C]):
    """What the steps of a check are made from.

    Attributes:
        job: What is checked.
        check: The check itself.
        asked: What the operator asks for.
    """

    job: ScalingCheckPlan
    check: C
    asked: CheckRequest


def check_work(
    asked: CheckRequest,
    make: Callable[[ScalingCheckPlan, MemberShells], C],
    procedure: Callable[[Steps, Checking[C]], None],
) -> Work[Checking[C]]:
    """Say what a check does.

    Args:
        asked: What the operator asks for.
        make: Makes the check.
        procedure: Walks through the document's steps.

    Returns:
        The work; it ends as failed (CheckNotPassed) where the group did not scale as it should, or nobody can say.
    """

    def look_first(run: Run) -> Checking[C]:
        key = Path(asked.member_key).expanduser() if asked.member_key else run.site.ssh.key
        run.checks.append(check_key(key))
        job = look(run, asked.request, asked.intervals)
        members = run.resources.enter_context(MemberShells(job.cloud, member_access(asked.member_user, key)))
        check = make(job, members)
        run.resources.enter_context(check)
        return Checking(job, check, asked)

    return Work(look_first, procedure, conclude=lambda checking: checking.check.raise_if_not_passed())


def check_key(key: Path) -> Check:
    """The private key file for the members can be read."""
    try:
        key.read_bytes()
    except OSError as error:
        reason = f"the key for the members can't be read: {error.strerror}: {key}"
        return Check("key for the members", "", "", reason, "give another as member_key")
    return Check("key for the members", "", str(key))


@contextmanager
def around(steps: Steps, checking: Checking[C], number: str, sentence: str) -> Iterator[None]:
    """Make the stack, and in the end judge what was seen and remove what the runbook has made, also after a step has failed.

    A stack that stands and is somebody's own is neither made nor removed; what an earlier run has left goes first.

    Args:
        steps: Who walks through them: the plan, or the run.
        checking: What the steps are made from.
        number: The document's number of the step that makes the stack.
        sentence: What that step does.
    """
    job, check, asked = checking.job, checking.check, checking.asked
    cloud = [job.cloud]
    stands = Fence(
        "stack", f"stack {job.stack_name}, which this run has made: `openstack stack delete {job.stack_name}`"
    )

    def judge() -> None:
        steps.step("V", "Judge what was seen", cloud, check.judge(asked.site))

    def clean_up() -> None:
        if job.deployment is not None and asked.cleanup:
            remove_own = remove(job.stack_name, _REMOVE_S, job.run_tag)
            steps.step("C", "Remove the stack", cloud, remove_own, lifts=stands)

    if job.replaces_leftover:
        steps.step("0", "Remove what an earlier run left", cloud, remove(job.stack_name, _REMOVE_S, job.runbook))
    try:
        if job.deployment is not None:
            make = deploy(
                job.stack_name,
                job.deployment.source,
                job.deployment.plan,
                _TIMEOUT_MIN,
                keep_failed=True,
                tags=job.tags,
            )
            steps.step(number, sentence, cloud, make, raises=stands)
        yield
        judge()
    except StepFailed as failure:
        check.cut_short(failure.message)
        for last in ([judge] if check.observed else []) + [clean_up]:
            try:
                last()
            except RunbookError as besides:
                steps.report_finding(str(besides))
        raise
    clean_up()
