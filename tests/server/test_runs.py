"""Runs, started as an operator starts them and by schedule."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.fixtures import PrefectServer, Worker, wait_until
from tests.server.test_apply import apply


@pytest.fixture(scope="module", autouse=True)
def deployed(server: PrefectServer, site_file: Path, greetings: Path) -> None:
    apply(server, site_file, greetings)


def test_a_bare_name_is_enough(server: PrefectServer, worker: Worker) -> None:
    run = server.prefect("deployment", "run", "--watch", "say-hello", "-p", "times=2")
    assert run.returncode == 0, run.stdout + run.stderr + worker.log
    assert "Creating flow run for deployment 'say-hello/say-hello'" in run.stdout
    # The site came by default, its block from the server, and the code from the folder of prefect.yaml.
    assert f"hello {['overcloud-database-0', 'overcloud-database-1', 'overcloud-database-2'] * 2}" in worker.log


@pytest.mark.parametrize("name", ["say-hello", "say-hello/say-hello"])
def test_both_names_mean_the_same(server: PrefectServer, name: str) -> None:
    run = server.run("-m", "prefect", "deployment", "run", name, "--start-in", "1 hour")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "deployment 'say-hello/say-hello'" in run.stdout


def test_an_unknown_name_gets_prefects_own_error(server: PrefectServer) -> None:
    run = server.prefect("deployment", "run", "say-goodbye")
    assert run.returncode == 1
    assert "Deployment 'say-goodbye/say-goodbye' not found" in run.stdout + run.stderr


def test_a_wrong_parameter_is_refused_before_a_run_exists(server: PrefectServer) -> None:
    run = server.prefect("deployment", "run", "say-hello", "-p", "times=often")
    assert run.returncode != 0
    assert "'often' is not of type 'integer'" in run.stdout + run.stderr


@pytest.fixture
def scheduled(server: PrefectServer) -> Iterator[str]:
    """Switch the schedule of say-hello-often on, for the length of a test; the id of the deployment."""
    deployment = server.api("GET", "/deployments/name/say-hello-often/say-hello-often")
    path = f"/deployments/{deployment['id']}/schedules/{deployment['schedules'][0]['id']}"
    server.api("PATCH", path, {"active": True})
    yield deployment["id"]
    server.api("PATCH", path, {"active": False})


def test_a_scheduled_run_appears_and_runs(server: PrefectServer, worker: Worker, scheduled: str) -> None:
    def runs() -> list[Any]:
        body = {"deployments": {"id": {"any_": [scheduled]}}, "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
        return list(server.api("POST", "/flow_runs/filter", body))

    begin = time.monotonic()
    wait_until("a scheduled run of say-hello-often completes", lambda: bool(runs()), timeout_s=75, every_s=1)
    completed = runs()[0]
    assert completed["auto_scheduled"]
    assert completed["created_by"]["type"] == "SCHEDULE"
    assert time.monotonic() - begin > 1  # It was not there before.


def test_the_scheduler_has_no_error_in_its_log(server: PrefectServer) -> None:
    """With SQLAlchemy 2.1 that of Prefect 3.8.8 failed in every loop, and only the server's log said so."""
    assert "scheduler" not in server.log.lower(), server.log[-3000:]
