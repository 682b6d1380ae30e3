"""Whether a flow run that has left its name on something is still at work."""

from __future__ import annotations

import json
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound
from prefect.variables import Variable

from tasks.engine.server_lock import limit_of, variable_of


def at_work(run: str) -> str:
    """Say who a flow run is, if it may still be at work.

    It is, while it has not ended and holds its site's lock: that of a killed run ends by itself after about a minute.

    Args:
        run: Its id.

    Returns:
        Who it is; empty where it has ended. One that this Prefect server does not know may be another server's.
    """
    with get_client(sync_client=True) as client:
        try:
            flow_run = client.read_flow_run(UUID(run))
        except ObjectNotFound:
            return f"flow run {run}, which this Prefect server does not know"
        site = str(flow_run.parameters.get("site"))
        ended = flow_run.state is None or flow_run.state.is_final()
        if ended or not _holds(client, site, run):
            return ""
        return f"flow run {flow_run.name} ({run}) on site {site}, {flow_run.state_name}"


def _holds(client: SyncPrefectClient, site: str, run: str) -> bool:
    try:
        limit = client.read_global_concurrency_limit_by_name(limit_of(site))
    except ObjectNotFound:  # the site was taken away
        return False
    holder = json.loads(str(Variable.get(variable_of(site), default="{}")))
    return limit.active_slots > 0 and holder.get("run") == run
