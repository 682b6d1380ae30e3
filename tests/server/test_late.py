"""After a time without a worker, one run of what is scheduled is carried out, and not many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.fixtures import PrefectServer, Worker, wait_until
from tests.server.test_apply import apply

# So many are late before anybody comes.
_EVERY_S, _LATE = 15, 3


@pytest.fixture(scope="module", autouse=True)
def deployed(server: PrefectServer, site_file: Path, greetings: Path) -> None:
    apply(server, site_file, greetings)


@pytest.fixture
def late(server: PrefectServer, worker: Worker) -> Iterator[tuple[str, list[str]]]:
    """A deployment, and its scheduled runs that nobody has carried out when a worker comes; more of them are to come."""
    deployment = server.api("GET", "/deployments/name/deploy-stack/deploy-stack")
    schedules = f"/deployments/{deployment['id']}/schedules"
    server.api("PATCH", "/work_pools/runbooks", {"is_paused": True})
    schedule = {"schedule": {"interval": _EVERY_S}, "active": True, "parameters": {"dry_run": True}}
    (made,) = server.api("POST", schedules, [schedule])
    try:
        wait_until("runs are late", lambda: len(runs(server, deployment["id"], "Late")) >= _LATE, 120, every_s=1)
        found = [str(run["id"]) for run in runs(server, deployment["id"], "Late")]
        server.api("PATCH", "/work_pools/runbooks", {"is_paused": False})
        yield str(deployment["id"]), found
    finally:
        server.api("PATCH", f"{schedules}/{made['id']}", {"active": False})
        server.api("PATCH", "/work_pools/runbooks", {"is_paused": False})


def runs(server: PrefectServer, deployment: str, *states: str) -> list[dict[str, Any]]:
    """Its scheduled runs that are in one of these states, in the order in which they were due."""
    body = {"deployments": {"id": {"any_": [deployment]}}, "sort": "EXPECTED_START_TIME_ASC"}
    found = [dict(run) for run in server.api("POST", "/flow_runs/filter", body)]
    return [run for run in found if run["auto_scheduled"] and run["state"]["name"] in states]


def test_of_runs_that_are_late_the_latest_alone_is_carried_out(
    server: PrefectServer, worker: Worker, late: tuple[str, list[str]]
) -> None:
    deployment, ids = late

    def ended(*states: str) -> list[dict[str, Any]]:
        return [run for run in runs(server, deployment, *states) if run["id"] in ids]

    final = ("Skipped", "Completed", "Failed", "Crashed")
    wait_until("the late runs have ended", lambda: len(ended(*final)) == len(ids), 150, every_s=1)
    assert [run["state"]["name"] for run in ended(*final)[:-1]] == ["Skipped"] * (len(ids) - 1), worker.log
    assert ended("Skipped")[0]["state"]["message"].endswith("is due as well, and does what this one would have done")
    wait_until("one is carried out", lambda: bool(runs(server, deployment, "Completed")), 90, every_s=1)
