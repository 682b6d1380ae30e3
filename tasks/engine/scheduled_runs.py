"""Scheduled runs that are late: where nobody carried them out for some nights, one run makes up for all of them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
)
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from tasks.engine.heartbeat import warn

_MOST = 200


def later_run(run_id: str, moment: datetime) -> str:
    """Say which scheduled run of the same deployment and parameters is due as well, and was to start after this one.

    A server that can't be asked is told, and hinders nobody: a run too many is better than none.

    Args:
        run_id: Prefect's id of this flow run.
        moment: The time (UTC).

    Returns:
        Its name; empty where there is none, and where this run was not scheduled.
    """
    try:
        with get_client(sync_client=True) as client:
            mine = client.read_flow_run(UUID(run_id))
            if not mine.auto_scheduled or mine.deployment_id is None or mine.expected_start_time is None:
                return ""
            others = client.read_flow_runs(
                flow_run_filter=FlowRunFilter(
                    deployment_id=FlowRunFilterDeploymentId(any_=[mine.deployment_id]),
                    expected_start_time=FlowRunFilterExpectedStartTime(after_=mine.expected_start_time, before_=moment),
                ),
                limit=_MOST,
            )
    except (httpx.TransportError, PrefectHTTPStatusError, ObjectNotFound) as error:
        warn(f"whether a later run is due could not be asked for: {type(error).__name__}: {error}")
        return ""
    return next((other.name for other in others if _replaces(other, mine)), "")


def _replaces(other: FlowRun, mine: FlowRun) -> bool:
    """Whether another run does what this one would do: somebody may have cancelled it, or started it by hand."""
    assert mine.expected_start_time is not None
    if not other.auto_scheduled or other.parameters != mine.parameters or other.expected_start_time is None:
        return False
    cancelled = other.state is not None and (other.state.is_cancelled() or other.state.is_cancelling())
    return other.expected_start_time > mine.expected_start_time and not cancelled
