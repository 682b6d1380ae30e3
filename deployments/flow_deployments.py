"""The deployments of prefect.yaml on the server."""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from deployments.changes import Change, changed_or_not
from deployments.errors import ConfigurationError
from deployments.prefect_yaml import DeploymentEntry, Schedule

# The tag of what is of no use to a site without a backup store.
_BACKUP = "backup"


def load_flow(file: Path, entry: DeploymentEntry) -> Flow[..., Any]:
    """Load the flow that a deployment names; paths are relative to prefect.yaml.

    Raises:
        ConfigurationError: if it can't be loaded, or is not called as the deployment is.
    """
    key = f"{file}: deployment {entry.name}: entrypoint"
    try:
        # Without the placeholder that Prefect makes from the source of a flow that can't be imported.
        flow: Flow[..., Any] = load_flow_from_entrypoint(
            str(file.parent / entry.entrypoint), use_placeholder_flow=False
        )
    except Exception as error:  # a flow's module can raise whatever it likes
        raise ConfigurationError([f"{key}: {entry.entrypoint} can't be loaded: {_cause(error)!r}"]) from error
    if flow.name != entry.name:
        # `prefect deployment run NAME` stands for NAME/NAME.
        raise ConfigurationError([f"{key}: the flow is called {flow.name!r}; flow and deployment share a name"])
    return flow


def _cause(error: BaseException) -> BaseException:
    """Return what a flow's module raised, which Prefect wraps."""
    return _cause(error.__cause__) if error.__cause__ else error


def ensure_deployment(
    client: SyncPrefectClient, file: Path, entry: DeploymentEntry, sites: Mapping[str, bool], dry_run: bool
) -> Change:
    """Make one deployment as prefect.yaml has it, unless it is that already.

    Args:
        client: Of the server.
        file: The prefect.yaml; runs get its folder as their working directory.
        entry: What it says.
        sites: Names of the sites that the server knows, which the parameter `site` may be, and whether each has a backup
            store. One alone is its default. Each has schedules of its own; those of a deployment with the tag `backup` only where
            there is a store.
        dry_run: Only compare.
    """
    flow = load_flow(file, entry)
    there = _read(client, entry.name)
    wanted = _wanted(file, entry, flow, sites)
    schedules = list(_schedules(entry, sites))
    change = _compare(entry, wanted, schedules, there) if there else Change("deployment", entry.name, "created")
    if change.action != "unchanged" and not dry_run:
        if there is not None and _is_limited(there):
            _lift_limit(client, there)  # first: the server deletes a limit that it is not told of, a shared one too
        client.create_deployment(
            flow_id=client.create_flow_from_name(flow.name),
            name=entry.name,
            schedules=[_schedule(schedule, there) for schedule in schedules],
            **wanted,
        )
    return change


def _is_limited(there: DeploymentResponse) -> bool:
    return there.global_concurrency_limit is not None


def _lift_limit(client: SyncPrefectClient, there: DeploymentResponse) -> None:
    """Take away the limit that an earlier version of this project, or somebody in the UI, has put on a deployment.

    See `deployments.prefect_yaml.DeploymentEntry` for what it would do. A limit that is the deployment's own goes with it;
    one that others share only lets go of it.
    """
    limit = there.global_concurrency_limit
    own = limit is not None and limit.name.startswith("deployment:")
    lifted = {"concurrency_limit": None} if own else {"global_concurrency_limit_id": None}
    client.request("PATCH", "/deployments/{id}", path_params={"id": there.id}, json=lifted)


def _read(client: SyncPrefectClient, name: str) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(f"{name}/{name}")
    except ObjectNotFound:
        return None


def _schedules(entry: DeploymentEntry, sites: Mapping[str, bool]) -> Iterable[Schedule]:
    """The schedules of an entry, one for each site that it is for; one that names its site is as it is."""
    for schedule in entry.schedules:
        if "site" in schedule.parameters:
            yield schedule
            continue
        for site in sorted(name for name, has_store in sites.items() if has_store or _BACKUP not in entry.tags):
            parameters = {"site": site} | schedule.parameters
            yield schedule.model_copy(update={"slug": f"{schedule.slug}-{site}", "parameters": parameters})


def _wanted(file: Path, entry: DeploymentEntry, flow: Flow[..., Any], sites: Collection[str]) -> dict[str, Any]:
    """Return the deployment's attributes, under the names that the server uses for what it is given and returns."""
    schema = parameter_schema(flow).model_dump(mode="json", exclude_unset=True)
    default_site = {}
    if site := schema["properties"].get("site"):
        # The form in the UI offers these, and the server refuses a run with another name before it is scheduled.
        site["enum"] = sorted(sites)
        default_site = {"site": site["enum"][0]} if len(sites) == 1 else {}
    return {
        "entrypoint": entry.entrypoint,
        "description": entry.description or flow.description,
        "tags": entry.tags,
        "parameters": default_site | entry.parameters,
        "parameter_openapi_schema": schema,
        "enforce_parameter_schema": True,
        "work_pool_name": entry.work_pool.name,
        "work_queue_name": entry.work_pool.work_queue_name,
        "job_variables": entry.work_pool.job_variables,
        # What Prefect generates for a folder that no remote repository stands behind.
        "pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": str(file.parent)}}],
    }


def _compare(
    entry: DeploymentEntry, wanted: dict[str, Any], schedules: list[Schedule], there: DeploymentResponse
) -> Change:
    answer = json.loads(there.model_dump_json(exclude={"schedules"}))
    parts = [key for key, value in wanted.items() if answer[key] != value]
    if _is_limited(there):
        parts.append("concurrency_limit")
    if not _same_schedules(schedules, there.schedules):
        parts.append("schedules")
    return changed_or_not("deployment", entry.name, parts)


def _same_schedules(wanted: list[Schedule], there: list[DeploymentSchedule]) -> bool:
    by_slug = {schedule.slug: schedule for schedule in there}
    return by_slug.keys() == {schedule.slug for schedule in wanted} and all(
        _timing(schedule.schedule()) == _timing(by_slug[schedule.slug].schedule)
        and schedule.parameters == by_slug[schedule.slug].parameters
        and schedule.active in (None, by_slug[schedule.slug].active)
        for schedule in wanted
    )


def _timing(schedule: Any) -> dict[str, Any]:
    """Return what says when a schedule fires, without the moment from which an interval counts: it is made up anew."""
    return dict(schedule.model_dump(mode="json", exclude={"anchor_date"}))


def _schedule(schedule: Schedule, there: DeploymentResponse | None) -> DeploymentScheduleCreate:
    before = {known.slug: known.active for known in there.schedules} if there else {}
    # A schedule that somebody switched off stays off, whatever else of the deployment changes.
    active = schedule.active if schedule.active is not None else before.get(schedule.slug, True)
    return DeploymentScheduleCreate(
        schedule=schedule.schedule(), active=active, parameters=schedule.parameters, slug=schedule.slug
    )
