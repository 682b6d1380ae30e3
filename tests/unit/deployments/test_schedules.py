"""What is scheduled is so for each site that it is for."""

from __future__ import annotations

from typing import Any

from deployments.flow_deployments import _schedules
from deployments.prefect_yaml import DeploymentEntry

SITES = {"prod": True, "bare": False, "lab": True}


def scheduled(*schedules: dict[str, Any], tags: list[str]) -> dict[str, Any]:
    entry = {"name": "a", "entrypoint": "flows/a.py:a", "work_pool": {"name": "runbooks"}, "tags": tags}
    made = _schedules(DeploymentEntry.model_validate(entry | {"schedules": schedules}), SITES)
    return {schedule.slug: schedule.parameters for schedule in made}


def test_backups_are_scheduled_for_sites_that_have_a_store() -> None:
    nightly = {"slug": "nightly", "cron": "30 5 * * *", "parameters": {"dry_run": True}}
    assert scheduled(nightly, tags=["backup"]) == {
        "nightly-lab": {"site": "lab", "dry_run": True},
        "nightly-prod": {"site": "prod", "dry_run": True},
    }


def test_all_else_is_scheduled_for_all_sites() -> None:
    assert list(scheduled({"slug": "often", "interval": 30}, tags=[])) == ["often-bare", "often-lab", "often-prod"]


def test_a_schedule_that_names_its_site_is_as_it_is() -> None:
    mine = {"slug": "mine", "interval": 30, "parameters": {"site": "bare"}}
    assert scheduled(mine, tags=["backup"]) == {"mine": {"site": "bare"}}


def test_without_a_site_nothing_is_scheduled() -> None:
    assert scheduled(tags=["backup"]) == {}
