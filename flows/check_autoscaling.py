"""check-autoscaling: a group that grows under load and shrinks after it, or the reason why it does not.

Source: Red Hat OpenStack Platform 8, "Auto Scaling for Compute", sections 1.2.1 and 1.2.2.
Where a step departs from it, `check_autoscaling.departures.toml` says so and why.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from tasks.change import Steps
from tasks.deploy.job import Request
from tasks.heat.calls import deploy, remove
from tasks.hooks import Closing
from tasks.plan import Plan
from tasks.runbook import runbook
from tasks.scaling.check import Check, Intervals, Job, preflight
from tasks.scaling.members import Members, access

NAME = "check-autoscaling"
_TIMEOUT_MIN, _REMOVE_S = 30, 900
_closing = Closing(None)


@flow(
    name=NAME,
    on_cancellation=[_closing.cancelled],
    on_crashed=[_closing.crashed],
    persist_result=False,
    timeout_seconds=6 * 3600,
)
def check_autoscaling(
    site: Annotated[str, Field(min_length=1)],
    stack_name: Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9_.-]{0,254}$")] = "check-autoscaling",
    stack_parameters: dict[str, Any] | None = None,
    high_percent: Annotated[float, Field(gt=0, lt=100)] = 50,
    low_percent: Annotated[float, Field(gt=0, lt=100)] = 10,
    member_user: Annotated[str, Field(min_length=1)] = "cirros",
    member_key: str | None = None,
    polling_interval_s: Annotated[int, Field(ge=1, le=86400)] = 60,
    evaluation_interval_s: Annotated[int, Field(ge=1, le=86400)] = 60,
    processing_s: Annotated[int, Field(ge=1, le=3600)] = 60,
    settle_s: Annotated[int, Field(ge=10, le=3600)] = 300,
    cleanup: bool = True,
    dry_run: bool = False,
) -> None:
    """Bring a group from its minimum to its maximum by load in every member, and back, and say whether it went as it should.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`; its [cloud] says where.
        stack_name: The stack with the group. Where there is none of this name it is made (section 1.2), and removed again.
        stack_parameters: Parameters of the stack, should it be made: image, flavor, key_name, network, cooldown, granularity.
        high_percent: The group should grow above this much of all vCPUs of its members.
        low_percent: The group should shrink below this much.
        member_user: Who logs in to the members.
        member_key: Private key file for it on the worker's machine. Empty: the site's.
        polling_interval_s: How often Ceilometer polls CPU, in seconds (see set-telemetry-interval).
        evaluation_interval_s: How often Aodh evaluates its alarms, in seconds.
        processing_s: How long a measure takes until Gnocchi answers with it, in seconds.
        settle_s: How long a member may take until it is active and reached, or gone, in seconds.
        cleanup: Remove the stack afterwards, if this runbook made it.
        dry_run: Check everything and show the plan; change nothing.
    """
    request = Request("cpu-group", [], stack_parameters or {}, stack_name, high_percent, low_percent)
    intervals = Intervals(polling_interval_s, evaluation_interval_s, processing_s, settle_s)
    with runbook(NAME, site, None, dry_run) as book:
        job = preflight(book, request, intervals)
        assert book.cloud is not None, "preflight refuses a site without a cloud"
        key = Path(member_key).expanduser() if member_key else book.site.ssh.key
        with Members(book.cloud, access(member_user, key)) as members:
            plan = Plan()
            procedure(plan, job, Check(job, members), site, cleanup)
            book.show_plan(plan)
            if dry_run:
                return
            if job.made is not None:
                book.journal.kept["stack"] = job.stack_name
            book.go_on(book.journal, ())
            check = Check(job, members)
            procedure(book, job, check, site, cleanup)
        book.finish()
        check.raise_if_not_passed()


def procedure(steps: Steps, job: Job, check: Check, site: str, cleanup: bool) -> None:
    """All steps.

    Args:
        steps: Who walks through them: the plan, or the run.
        job: What is checked.
        check: The check itself.
        site: The site's name.
        cleanup: Whether a stack that this runbook made is removed afterwards.
    """
    cloud = [job.cloud]
    if job.left:
        steps.step("0", "Remove what an earlier run left", cloud, remove(job.stack_name, _REMOVE_S))
    if job.made is not None:
        make = deploy(job.stack_name, job.made.source, job.made.plan, _TIMEOUT_MIN, keep_failed=True, tags=job.tags)
        steps.step("1.2 6", "Run the Orchestration scripts to build the environment", cloud, make)
    steps.step("1.2.1a", "See that the group is at its minimum", cloud, check.read())
    steps.step("1.2.1b", "Generate CPU load in every member, and watch the group grow", cloud, check.grow())
    steps.step("1.2.2", "Terminate the running dd processes, and watch the group shrink", cloud, check.shrink())
    steps.step("V", "Judge what was seen", cloud, check.judge(site))
    if job.made is not None and cleanup:
        steps.step("C", "Remove the stack", cloud, remove(job.stack_name, _REMOVE_S))
