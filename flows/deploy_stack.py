"""deploy-stack: a Heat stack created or brought up to date, from the document's examples or a template of one's own.

Source: Red Hat OpenStack Platform 8, "Auto Scaling for Compute", section 1.2, steps 1 to 3 and 6, and 1.3, steps 1, 2 and 5.
Where a step departs from it, `deploy_stack.departures.toml` says so and why.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Steps
from tasks.heat.steps import deploy, show_outputs
from tasks.runbooks.deploy_stack.deployment import StackDeployment, StackRequest, look

NAME = "deploy-stack"


@runbook(NAME, timeout_s=6 * 3600)
def deploy_stack(
    site: Annotated[str, Field(min_length=1)],
    stack_name: Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9_.-]{0,254}$")],
    template: Annotated[str, Field(min_length=1)] = "cpu-group",
    environments: list[str] | None = None,
    stack_parameters: dict[str, Any] | None = None,
    high_percent: Annotated[float, Field(gt=0, lt=100)] | None = None,
    low_percent: Annotated[float, Field(gt=0, lt=100)] | None = None,
    timeout_min: Annotated[int, Field(ge=1, le=300)] = 30,
    on_failure: Literal["keep", "remove"] = "keep",
    approved_by: str | None = None,
    dry_run: bool = False,
) -> Work[StackDeployment]:
    """Create a stack, or update it, or find that there is nothing to do.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`; its [cloud] says where.
        stack_name: The stack's name.
        template: `cpu-group` (section 1.2), `web-farm` (1.3), or the path of a template on the worker's machine.
        environments: Paths of environment files on the worker's machine; later ones override earlier ones.
        stack_parameters: Parameters of the stack.
        high_percent: For the examples: add members above this much of all vCPUs. Empty: the document's 50, or 95.
        low_percent: For the examples: remove members below this much. Empty: the document's 10, or 15.
        timeout_min: Minutes until Heat gives up.
        on_failure: What becomes of a stack whose creation failed. One that stood before is never removed.
        approved_by: Who has approved that resources are replaced or deleted, or that a stack which no runbook has made is
            changed. Empty: where it comes to that, the run pauses and asks for the site's name.
        dry_run: Check everything and show the plan; change nothing.
    """
    request = StackRequest(template, environments or [], stack_parameters or {}, stack_name, high_percent, low_percent)
    return Work(
        look=lambda run: look(run, request),
        procedure=lambda steps, job: procedure(steps, job, timeout_min, keep_failed=on_failure == "keep"),
        summary=lambda job: f"{stack_name}: {job.plan.action}",
        destroys=lambda job: job.plan.destroys,
    )


def procedure(steps: Steps, job: StackDeployment, timeout_min: int, keep_failed: bool) -> None:
    """All steps.

    Args:
        steps: Who walks through them: the plan, or the run.
        job: What is deployed.
        timeout_min: Minutes until Heat gives up.
        keep_failed: Whether a stack whose creation failed stays for a look.
    """
    for number, sentence, where, said in job.files:
        steps.record_answer(number, sentence, job.cloud, where, said)
    steps.step(
        "6",
        "Run the Orchestration scripts to build the environment",
        [job.cloud],
        deploy(job.request.stack_name, job.source, job.plan, timeout_min, keep_failed, approved=job.plan.destroys),
    )
    steps.step("6a", "Show the outputs", [job.cloud], show_outputs(job.request.stack_name))
