"""Approval: a runbook that destroys data shows what it will do and waits until a person types the site's name."""

from __future__ import annotations

from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from prefect.logging import get_run_logger
from pydantic import Field

from blocks.remote.errors import RunbookError

_PAUSE_S = 3600


class Approval(RunInput):
    """What the operator types in. Neither field has a default: an empty answer can't approve."""

    site: str = Field(description="Type the site's name to approve what the plan says.")
    by: str = Field(min_length=1, description="Who approves; recorded in the report.")


def approve(site: str, approved_by: str | None, what: str) -> str:
    """Wait for the approval of `what`.

    Args:
        site: The site's name, which must be typed.
        approved_by: Who has approved already (the flow's parameter): nothing is asked.
        what: What will be replaced with what, shown with the question.

    Returns:
        Who approved.

    Raises:
        RunbookError: The answer was not the site's name.
    """
    if approved_by is not None and approved_by.strip():
        return approved_by.strip()
    get_run_logger().warning("waiting for approval (at most %d min):\n%s", _PAUSE_S // 60, what)
    answer = pause_flow_run(
        wait_for_input=Approval.with_initial_data(description=what), timeout=_PAUSE_S, poll_interval=2, key="approval"
    )
    if answer.site.strip() != site:
        raise RunbookError(
            f"not approved: {answer.site!r} is not the name of the site; nothing was changed",
            f"start the runbook again and type {site!r} to approve",
        )
    return str(answer.by)
