"""What Prefect itself makes of a runbook's run: its name, its last words, and approvals that hold for one attempt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.server.fixtures import PrefectServer, Worker, wait_until
from tests.server.test_apply import apply

_FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@pytest.fixture(scope="module", autouse=True)
def deployed(server: PrefectServer, site_file: Path, greetings: Path) -> None:
    apply(server, site_file, greetings)


@pytest.fixture
def start(server: PrefectServer, worker: Worker) -> Callable[..., str]:
    """Start a run by its deployment; returns its id."""

    def start(**parameters: Any) -> str:
        deployment = server.api("GET", "/deployments/name/deploy-stack/deploy-stack")
        made = server.api("POST", f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
        return str(made["id"])

    return start


def until(server: PrefectServer, run: str, *states: str) -> dict[str, Any]:
    """Wait until a run is in one of some states, or has ended."""

    def seen() -> dict[str, Any]:
        return dict(server.api("GET", f"/flow_runs/{run}"))

    wait_until(f"run {run} is {' or '.join(states)}", lambda: seen()["state"]["type"] in {*states, *_FINAL}, 90)
    return seen()


def resume(server: PrefectServer, run: str, site: str) -> None:
    server.api("POST", f"/flow_runs/{run}/resume", {"run_input": {"site": site, "by": "ada"}})


def test_a_refusal_is_the_runs_last_state_and_the_run_is_called_by_what_it_does(
    server: PrefectServer, start: Callable[..., str]
) -> None:
    ended = until(server, start(refuse=True))
    assert ended["state"]["type"] == "FAILED"
    assert ended["state"]["message"].splitlines() == [
        "deploy-stack refuses to begin; nothing was changed:",
        "  - the dump is empty",
    ]
    assert ended["name"] == f"deploy-stack on {ended['parameters']['site']}"
    # Prefect itself has a word more, or two, once the run has ended.
    wait_until("it ends with the reason", lambda: "the dump is empty" in "".join(log_of(server, ended["id"])[-3:]), 30)
    assert [line for line in log_of(server, ended["id"]) if "Traceback" in line] == []


def log_of(server: PrefectServer, run: str) -> list[str]:
    asked = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC"}
    return ["", *(line["message"] for line in server.api("POST", "/logs/filter", asked))]


def test_a_retry_of_a_completed_run_asks_again(server: PrefectServer, start: Callable[..., str]) -> None:
    run = start()
    asked = until(server, run, "PAUSED")
    resume(server, run, asked["parameters"]["site"])
    assert until(server, run)["state"]["type"] == "COMPLETED"
    retried = server.prefect("flow-run", "retry", run)
    assert retried.returncode == 0, retried.stdout + retried.stderr
    wait_until("the run goes on", lambda: server.api("GET", f"/flow_runs/{run}")["run_count"] == 2, 60)
    assert until(server, run, "PAUSED")["state"]["type"] == "PAUSED", "the old approval was taken"
    resume(server, run, "another")
    ended = until(server, run)
    assert ended["state"]["type"] == "FAILED"
    assert ended["state"]["message"].startswith("not approved: 'another' is not the name of the site")


def test_a_retry_of_a_run_that_was_approved_by_parameter_asks(server: PrefectServer, start: Callable[..., str]) -> None:
    run = start(approved_by="grace")
    assert until(server, run)["state"]["type"] == "COMPLETED"
    assert server.prefect("flow-run", "retry", run).returncode == 0
    wait_until("the run goes on", lambda: server.api("GET", f"/flow_runs/{run}")["run_count"] == 2, 60)
    assert until(server, run, "PAUSED")["state"]["type"] == "PAUSED", "nobody was asked"
    resume(server, run, "another")
    assert until(server, run)["state"]["type"] == "FAILED"
