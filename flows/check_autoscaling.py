"""check-autoscaling: a group that grows under load and shrinks after it, or the reason why it does not.

Source: Red Hat OpenStack Platform 8, "Auto Scaling for Compute", sections 1.2.1 and 1.2.2.
Where a step departs from it, `check_autoscaling.departures.toml` says so and why.
"""

from __future__ import annotations

from typing import Any

from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Steps
from tasks.runbooks.check_autoscaling.check import ScalingCheck
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
from tasks.runbooks.deploy_stack.deployment import StackRequest

NAME = "check-autoscaling"


@runbook(NAME, timeout_s=6 * 3600)
def check_autoscaling(
    site: Word,
    stack_name: StackName = "check-autoscaling",
    stack_parameters: dict[str, Any] | None = None,
    high_percent: Percent = 50,
    low_percent: Percent = 10,
    member_user: Word = "cirros",
    member_key: str | None = None,
    polling_interval_s: Interval = 60,
    evaluation_interval_s: Interval = 60,
    processing_s: Delay = 60,
    settle_s: Settling = 300,
    cleanup: bool = True,
    dry_run: bool = False,
) -> Work[Checking[ScalingCheck]]:
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
    request = StackRequest("cpu-group", [], stack_parameters or {}, stack_name, high_percent, low_percent)
    intervals = Intervals(polling_interval_s, evaluation_interval_s, processing_s, settle_s)
    asked = CheckRequest(site, request, intervals, member_user, member_key, cleanup)
    return check_work(asked, ScalingCheck, procedure)


def procedure(steps: Steps, checking: Checking[ScalingCheck]) -> None:
    """All steps.

    Args:
        steps: Who walks through them: the plan, or the run.
        checking: What the steps are made from.
    """
    check, cloud = checking.check, [checking.job.cloud]
    with around(steps, checking, "1.2 6", "Run the Orchestration scripts to build the environment"):
        steps.step("1.2.1a", "See that the group is at its minimum", cloud, check.read())
        steps.step("1.2.1b", "Generate CPU load in every member, and watch the group grow", cloud, check.grow())
        steps.step("1.2.2", "Terminate the running dd processes, and watch the group shrink", cloud, check.shrink())
