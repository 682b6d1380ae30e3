"""The work pool that runbooks run in, and the lock of each site."""

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import (
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
    WorkPoolCreate,
)
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from deployments.changes import Change, changed_or_not
from deployments.errors import ServerError

WORK_POOL = "runbooks"
_DESCRIPTION = "Runs runbooks as processes on the machine of the worker."


def ensure_work_pool(client: SyncPrefectClient, dry_run: bool) -> Change:
    """Make the process work pool, unless it is there.

    Only its type is looked at: pausing it or bounding it is the operator's business.

    Raises:
        ServerError: if a pool of that name and another type is there.
    """
    try:
        pool = client.read_work_pool(WORK_POOL)
    except ObjectNotFound:
        if not dry_run:
            template = ProcessWorker.get_default_base_job_template()
            client.create_work_pool(
                WorkPoolCreate(name=WORK_POOL, type="process", description=_DESCRIPTION, base_job_template=template)
            )
        return Change("work pool", WORK_POOL, "created")
    if pool.type != "process":
        raise ServerError(f"the work pool {WORK_POOL} is of type {pool.type!r}, and runbooks need a process pool")
    return Change("work pool", WORK_POOL, "unchanged")


def lock_name(site: str) -> str:
    """Return the name of the concurrency limit that lets one runbook at a time work on a site."""
    return f"runbook-{site}"


def ensure_lock(client: SyncPrefectClient, site: str, dry_run: bool) -> Change:
    """Make the site's lock: a global concurrency limit of one. Who holds it is not touched."""
    name = lock_name(site)
    try:
        limit = client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        if not dry_run:
            client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1))
        return Change("lock", name, "created")
    wanted: dict[str, object] = {"limit": 1, "active": True, "slot_decay_per_second": 0.0}
    change = changed_or_not("lock", name, [key for key, value in wanted.items() if getattr(limit, key) != value])
    if change.parts and not dry_run:
        client.update_global_concurrency_limit(name, GlobalConcurrencyLimitUpdate(**wanted))
    return change
