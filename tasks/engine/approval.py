"""Approval: a runbook that destroys data shows what it will do and waits until a person types the site's name.

Where one node alone is lost, it is the node's name: whoever has several of them in mind types the one that is shown.

It holds for one attempt, and for what was shown. `prefect flow-run retry` runs a flow's body again under the same id, where
Prefect would take the answer of the attempt before; so each question has a key of its own.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from blocks.remote.errors import RunbookError

_PAUSE_S = 3600


class Approval(RunInput):
    """What the operator types in. Neither field has a default: an empty answer can't approve."""

    site: str = Field(description="Type the site's name to approve what the plan says.")
    by: str = Field(min_length=1, description="Who approves; recorded in the report.")


class NodeApproval(RunInput):
    """The same, where what is lost is one node's."""

    node: str = Field(description="Type the node's name to approve what the plan says.")
    by: str = Field(min_length=1, description="Who approves; recorded in the report.")


def approved_beforehand(approved_by: str | None) -> str:
    """Who has approved with the flow's parameter; empty where a person must be asked.

    The parameter was given for the first attempt: a retry has the same parameters, and nobody has seen its plan.
    """
    given = (approved_by or "").strip()
    if given and flow_run.run_count > 1:
        get_run_logger().warning("attempt %d: the approval by %s was for the first one", flow_run.run_count, given)
        return ""
    return given


def ask_approval(site: str, what: str, node: str = "") -> str:
    """Wait for a person's approval of `what`.

    Args:
        site: The site's name, which must be typed.
        what: What will be replaced with what, and what will be lost; shown with the question.
        node: The node's name, which must be typed in place of the site's; empty where it is the site's.

    Returns:
        Who approved.

    Raises:
        RunbookError: The answer was not that name.
    """
    get_run_logger().warning("waiting for approval (at most %d min):\n%s", _PAUSE_S // 60, what)
    form, of, wanted = (NodeApproval, "node", node) if node else (Approval, "site", site)
    answer: Any = pause_flow_run(
        wait_for_input=form.with_initial_data(description=what),
        timeout=_PAUSE_S,
        poll_interval=2,
        key=f"approval-{uuid4()}",
    )
    typed = str(answer.node if node else answer.site)
    if typed.strip() != wanted:
        raise RunbookError(
            f"not approved: {typed!r} is not the name of the {of}; nothing was changed",
            f"start the runbook again and type {wanted!r} to approve",
        )
    return str(answer.by)
