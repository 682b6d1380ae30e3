"""check-web-autoscaling: a web farm that grows and shrinks behind its balancer, with a visitor who never goes away.

Source: Red Hat OpenStack Platform 8, "Auto Scaling for Compute", sections 1.3.1 and 1.3.2.
Where a step departs from it, `check_web_autoscaling.departures.toml` says so and why.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from tasks.engine.change import Steps
from tasks.engine.hooks import Closing
from tasks.runbooks.check_autoscaling.check_plan import Intervals, ScalingCheckPlan
from tasks.runbooks.check_autoscaling.run import (
    CheckRequest,
    Delay,
    Interval,
    Percent,
    Settling,
    StackName,
    Word,
    around,
    run_check,
)
from tasks.runbooks.check_web_autoscaling.check import WebScalingCheck
from tasks.runbooks.deploy_stack.deployment import StackRequest

NAME = "check-web-autoscaling"
_closing = Closing(None)


@flow(
    name=NAME,
    on_cancellation=[_closing.cancelled],
    on_crashed=[_closing.crashed],
    persist_result=False,
    timeout_seconds=6 * 3600,
)
def check_web_autoscaling(
    site: Word,
    stack_name: StackName = "check-web-autoscaling",
    stack_parameters: dict[str, Any] | None = None,
    high_percent: Percent = 95,
    low_percent: Percent = 15,
    member_user: Word = "cirros",
    member_key: str | None = None,
    polling_interval_s: Interval = 60,
    evaluation_interval_s: Interval = 60,
    processing_s: Delay = 60,
    settle_s: Settling = 300,
    cleanup: bool = True,
    dry_run: bool = False,
) -> None:
    """Bring a web farm from its minimum to its maximum, by its webhook and by load, and back; no request may be lost.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`; its [cloud] says where.
        stack_name: The stack with the group. Where there is none of this name it is made (section 1.3), and removed again.
        stack_parameters: Parameters of the stack, should it be made: image, flavor, key_name, network, subnet, cooldown.
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
    request = StackRequest("web-farm", [], stack_parameters or {}, stack_name, high_percent, low_percent)
    intervals = Intervals(polling_interval_s, evaluation_interval_s, processing_s, settle_s)
    asked = CheckRequest(NAME, site, request, intervals, member_user, member_key, cleanup, dry_run)
    run_check(asked, WebScalingCheck, procedure)


def procedure(steps: Steps, job: ScalingCheckPlan, check: WebScalingCheck, asked: CheckRequest) -> None:
    """All steps.

    Args:
        steps: Who walks through them: the plan, or the run.
        job: What is checked.
        check: The check itself.
        asked: What the operator asks for.
    """
    with around(steps, job, check, asked, "1.3 5", "Run the Orchestration scripts"):
        steps.step("1.3.1a", "See that the page is served and the group at its minimum", [job.cloud], check.read())
        steps.step("1.3.1b", "Scale up by the webhook and by load in every member", [job.cloud], check.grow())
        steps.step("1.3.2", "End the load, and watch the group shrink", [job.cloud], check.shrink())
