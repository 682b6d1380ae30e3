"""One run of a check: what check-autoscaling and check-web-autoscaling have in common, around the steps of their documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field

from blocks.remote.errors import RunbookError
from tasks.autoscaling.group.member_shells import MemberShells, member_access
from tasks.engine.change import Steps
from tasks.engine.opening import runbook
from tasks.engine.plan import Plan
from tasks.engine.step import StepFailed
from tasks.heat.steps import deploy, remove
from tasks.runbooks.check_autoscaling.check import ScalingCheck
from tasks.runbooks.check_autoscaling.check_plan import Intervals, ScalingCheckPlan, preflight
from tasks.runbooks.deploy_stack.deployment import StackRequest

_TIMEOUT_MIN, _REMOVE_S = 30, 900
# The number of the last step.
_REMOVE = "C"

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
        runbook: The runbook's name.
        site: The site's name.
        request: What the stack is made from, should it be made.
        intervals: How often telemetry looks.
        member_user: Who logs in to the members.
        member_key: Private key file for it; None for the site's.
        cleanup: Whether a stack that the runbook has made is removed afterwards.
        dry_run: Whether nothing may change.
    """

    runbook: str
    site: str
    request: StackRequest
    intervals: Intervals
    member_user: str
    member_key: str | None
    cleanup: bool
    dry_run: bool


def run_check(
    asked: CheckRequest,
    make: Callable[[ScalingCheckPlan, MemberShells], C],
    procedure: Callable[[Steps, ScalingCheckPlan, C, CheckRequest], None],
) -> None:
    """Look first, show the plan, take all steps, and end as failed where the group did not pass.

    Args:
        asked: What the operator asks for.
        make: Makes the check.
        procedure: Walks through the document's steps.

    Raises:
        Refused: Preflight has something against it; with every reason.
        CheckNotPassed: The group did not scale as it should, or nobody can say.
        StepFailed: A step failed.
    """
    with runbook(asked.runbook, asked.site, None, asked.dry_run) as book:
        key = Path(asked.member_key).expanduser() if asked.member_key else book.site.ssh.key
        book.reasons += why_no_key(key)
        job = preflight(book, asked.request, asked.intervals)
        assert book.cloud is not None, "preflight refuses a site without a cloud"
        with MemberShells(book.cloud, member_access(asked.member_user, key)) as members, make(job, members) as check:
            plan = Plan()
            procedure(plan, job, check, asked)
            book.show_plan(plan)
            if asked.dry_run:
                return
            if job.deployment is not None:
                book.journal.kept["stack"] = job.stack_name
            book.go_on(book.journal, ())
            try:
                procedure(book, job, check, asked)
            finally:
                if _REMOVE in book.journal.settled:
                    book.journal.kept.pop("stack", None)
        book.finish()
        check.raise_if_not_passed()


def why_no_key(key: Path) -> list[str]:
    """Say why nobody can log in to a member with a private key file."""
    try:
        key.read_bytes()
    except OSError as error:
        return [f"the key for the members can't be read: {error.strerror}: {key}; give another as member_key"]
    return []


@contextmanager
def around(
    steps: Steps, job: ScalingCheckPlan, check: ScalingCheck, asked: CheckRequest, number: str, sentence: str
) -> Iterator[None]:
    """Make the stack, and in the end judge what was seen and remove what the runbook has made, also after a step has failed.

    A stack that stands and is somebody's own is neither made nor removed; what an earlier run has left goes first.

    Args:
        steps: Who walks through them: the plan, or the run.
        job: What is checked.
        check: The check itself.
        asked: What the operator asks for.
        number: The document's number of the step that makes the stack.
        sentence: What that step does.
    """
    cloud = [job.cloud]

    def judge() -> None:
        steps.step("V", "Judge what was seen", cloud, check.judge(asked.site))

    def clean_up() -> None:
        if job.deployment is not None and asked.cleanup:
            steps.step(_REMOVE, "Remove the stack", cloud, remove(job.stack_name, _REMOVE_S, job.run_tag))

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
            steps.step(number, sentence, cloud, make)
        yield
        judge()
    except StepFailed as failure:
        check.cut_short(failure.message)
        for last in ([judge] if check.observed else []) + [clean_up]:
            try:
                last()
            except RunbookError as besides:
                steps.find(str(besides))
        raise
    clean_up()
