"""prefect.yaml, as far as this project uses it.

The file is Prefect's own, and `prefect deploy --all` reads it too. Keys that it knows and this reader does not are
refused rather than passed over.
"""

from pathlib import Path
from typing import Any

import yaml
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from deployments.errors import ConfigurationError

_NO_LIMIT = (
    "concurrency_limit: not allowed: Prefect ends a run, half way too, whose slot can't be renewed while its server is away; "
    "one runbook at a time is what the site's lock is for"
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Schedule(_Strict):
    """When a deployment runs by itself.

    The slug names the schedule on the server, so that it can be found again: whether it is active is the operator's
    choice once it exists, unless `active` says so here.
    """

    slug: str = Field(min_length=1)
    cron: str | None = None
    interval: float | None = Field(default=None, gt=0, description="Seconds.")
    timezone: str = "UTC"
    active: bool | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_kind(self) -> "Schedule":
        if (self.cron is None) == (self.interval is None):
            raise ValueError("needs either cron or interval")
        self.schedule()
        return self

    def schedule(self) -> CronSchedule | IntervalSchedule:
        """Return the schedule as the server knows it."""
        if self.cron is not None:
            return CronSchedule(cron=self.cron, timezone=self.timezone)
        return IntervalSchedule.model_validate({"interval": self.interval, "timezone": self.timezone})


class WorkPool(_Strict):
    """Where a deployment's runs go."""

    name: str
    work_queue_name: str = "default"
    job_variables: dict[str, Any] = Field(default_factory=dict)


class DeploymentEntry(_Strict):
    """One deployment.

    Without `concurrency_limit`: Prefect keeps such a limit by a lease, and ends the run itself where its server is away when
    the lease is to be renewed, a restore half way through too. And a run that never left PENDING holds its slot for ever.
    One runbook at a time is what the site's lock is for.
    """

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    entrypoint: str = Field(pattern=r"^[^:]+\.py:[A-Za-z_][A-Za-z0-9_]*$")
    work_pool: WorkPool
    description: str | None = None
    tags: list[str] = Field(default_factory=list)
    parameters: dict[str, Any] = Field(default_factory=dict)
    schedules: list[Schedule] = Field(default_factory=list)


class PrefectYaml(_Strict):
    """The whole file. Nothing is built or pushed: the worker runs the code of this folder."""

    name: str | None = None
    prefect_version: str | None = Field(default=None, alias="prefect-version")
    definitions: dict[str, Any] = Field(default_factory=dict)
    build: None = None
    push: None = None
    pull: None = None
    deployments: list[DeploymentEntry]


def read_prefect_yaml(file: Path) -> list[DeploymentEntry]:
    """Read the deployments of a prefect.yaml.

    Raises:
        ConfigurationError: naming each deployment and key that is wrong.
    """
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{file}: can't be read: {error.strerror}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{file}: not valid YAML: {error}"]) from error
    try:
        return PrefectYaml.model_validate(values).deployments
    except ValidationError as error:
        raise ConfigurationError([f"{file}: {_problem(values, each)}" for each in error.errors()]) from error


def _problem(values: Any, problem: Any) -> str:
    """Word one of pydantic's errors, with the deployment by its name rather than by its number."""
    location = list(problem["loc"])
    where = ""
    if len(location) > 1 and location[0] == "deployments":
        entry = values["deployments"][location[1]]
        name = entry.get("name") if isinstance(entry, dict) else None
        where = f"deployment {name or location[1] + 1}: "
        location = location[2:]
    if location == ["concurrency_limit"]:
        return f"{where}{_NO_LIMIT}"
    words = {"extra_forbidden": "unknown key", "missing": "missing"}.get(problem["type"], problem["msg"])
    return f"{where}{'.'.join(str(part) for part in location)}: {words}"
