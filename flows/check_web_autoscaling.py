"""check-web-autoscaling: a web farm that grows and shrinks behind its balancer, with a visitor who never goes away.

Source: Red Hat OpenStack Platform 8, "Auto Scaling for Compute", sections 1.3.1 and 1.3.2.
Where a step departs from it, `check_web_autoscaling.departures.toml` says so and why.
"""

from __future__ import annotations

from typing import Any

from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Steps
from tasks.runbooks.check_autoscaling.check_plan import Intervals
from tasks.runbooks.check_autoscaling.run import (
    Checking,
    CheckRequest,
    Delay,
    Interval,
    Percent,
    Settling,
    StackName,
    Word,
    around,
    check_work,
)
from tasks.runbooks.check_web_autoscaling.check import WebScalingCheck
from tasks.runbooks.deploy_stack.deployment import StackRequest

NAME = "check-web-autoscaling"


@runbook(NAME, timeout_s=6 * 3600)
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
) -> Work[Checking[WebScalingCheck]]:
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
    asked = CheckRequest(site, request, intervals, member_user, member_key, cleanup)
    return check_work(asked, WebScalingCheck, procedure)


def procedure(steps: Steps, checking: Checking[WebScalingCheck]) -> None:
    """All steps.

    Args:
        steps: Who walks through them: the plan, or the run.
        checking: What the steps are made from.
    """
    check, cloud = checking.check, [checking.job.cloud]
    with around(steps, checking, "1.3 5", "Run the Orchestration scripts"):
        steps.step("1.3.1a", "See that the page is served and the group at its minimum", cloud, check.read())
        steps.step("1.3.1b", "Scale up by the webhook and by load in every member", cloud, check.grow())
        steps.step("1.3.2", "End the load, and watch the group shrink", cloud, check.shrink())
