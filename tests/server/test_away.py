"""A Prefect server that hangs or is away in the middle of a run ends no run."""

from __future__ import annotations

import os
import signal
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.fixtures import PrefectServer, Worker, wait_until
from tests.server.test_apply import apply

# Times are scaled: what is 15 minutes is 2 s. A step is a task, as every step of a runbook is.
_FLOW = """
    import time
    from pathlib import Path
    from uuid import UUID
    from prefect import flow, task
    from prefect.runtime import flow_run
    from tasks.engine import server_lock
    from tasks.engine.locks import locked

    server_lock.EVERY_S, server_lock.AGAIN_S, server_lock.ANSWER_S, server_lock._BORNE_S = 0.5, 0.5, 6.0, 2.0

    @task(persist_result=False)
    def step(number: int, folder: Path) -> None:
        (folder / "steps").write_text(str(number))
        time.sleep(0.2)

    @flow(name="hold-on")
    def hold_on(site: str, folder: Path) -> None:
        with locked(site, UUID(str(flow_run.id)), "hold-on", []) as heartbeat:
            number = 0
            while not (folder / "enough").exists():
                heartbeat.check()
                number += 1
                step(number, folder)
                step.submit(number, folder).result()
        (folder / "ended").touch()
"""
_PREFECT_YAML = """\
deployments:
  - name: hold-on
    entrypoint: flows/hold_on.py:hold_on
    work_pool: {name: runbooks, job_variables: {env: {PREFECT_CLIENT_MAX_RETRIES: "9"}}}
"""


class Run:
    """A run of that flow, through the worker.

    Attributes:
        folder: What it writes; `enough` ends it.
    """

    def __init__(self, server: PrefectServer, folder: Path) -> None:
        self._server, self.folder = server, folder
        deployment = server.api("GET", "/deployments/name/hold-on/hold-on")["id"]
        parameters = {"parameters": {"folder": str(folder)}}
        self.id = str(server.api("POST", f"/deployments/{deployment}/create_flow_run", parameters)["id"])

    @property
    def steps(self) -> int:
        path = self.folder / "steps"
        return int(path.read_text() or "0") if path.exists() else 0

    def goes_on(self, steps: int = 5) -> None:
        """Wait until it has taken some more steps."""
        before = self.steps
        wait_until("the run takes more steps", lambda: self.steps >= before + steps, 40)

    def end(self) -> None:
        (self.folder / "enough").touch()

    @property
    def state(self) -> str:
        return str(self._server.api("GET", f"/flow_runs/{self.id}")["state"]["type"])

    def completes(self) -> bool:
        wait_until("the run ends", lambda: self.state in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}, 60)
        return self.state == "COMPLETED"

    def log(self) -> str:
        body = {"logs": {"flow_run_id": {"any_": [self.id]}}, "limit": 200}
        return "\n".join(str(line["message"]) for line in self._server.api("POST", "/logs/filter", body))


@pytest.fixture(scope="module")
def holding(server: PrefectServer, site_file: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The flow is deployed."""
    folder = tmp_path_factory.mktemp("holding")
    (folder / "flows").mkdir()
    (folder / "flows" / "hold_on.py").write_text(textwrap.dedent(_FLOW))
    (folder / "prefect.yaml").write_text(_PREFECT_YAML)
    apply(server, site_file, folder)


@pytest.fixture
def run(server: PrefectServer, worker: Worker, holding: None, tmp_path: Path) -> Iterator[Run]:
    """A run that is at work."""
    started = Run(server, tmp_path)
    try:
        wait_until("the run takes steps", lambda: started.steps > 0, 60)
        yield started
    finally:
        os.kill(server.pid, signal.SIGCONT)
        started.end()
        started.completes()


def slots(server: PrefectServer) -> int:
    return int(server.api("GET", "/v2/concurrency_limits/runbook-lab")["active_slots"])


def test_a_run_goes_on_while_the_server_hangs_and_ends_as_it_should(server: PrefectServer, run: Run) -> None:
    """A suspended laptop, a stalled tunnel: connections stay open, and nothing is answered."""
    os.kill(server.pid, signal.SIGSTOP)
    run.goes_on(steps=40)
    os.kill(server.pid, signal.SIGCONT)
    run.goes_on()
    assert slots(server) == 1
    run.end()
    assert run.completes(), run.log()
    wait_until("its log is there", lambda: "answers again" in run.log(), 20)
    assert "the Prefect server does not answer" in run.log()
    assert slots(server) == 0


def test_a_run_that_ends_while_the_server_hangs_has_completed(server: PrefectServer, run: Run) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    run.end()
    wait_until("its last step is done", (run.folder / "ended").exists, 40)
    os.kill(server.pid, signal.SIGCONT)
    assert run.completes(), run.log()


def test_a_lease_that_ended_meanwhile_is_taken_again(server: PrefectServer, run: Run) -> None:
    limit = server.api("GET", "/v2/concurrency_limits/runbook-lab")
    held = _holder(server)["lease"]
    os.kill(server.pid, signal.SIGSTOP)
    run.goes_on()
    os.kill(server.pid, signal.SIGCONT)
    # What the server does with a lease that ran out, which takes it a minute at the least.
    server.api("POST", "/v2/concurrency_limits/decrement-with-lease", {"lease_id": held})
    wait_until("it is taken again", lambda: _holder(server)["lease"] != held, 240)
    assert limit["active_slots"] == slots(server) == 1
    run.goes_on()
    run.end()
    assert run.completes(), run.log()


def test_a_run_that_never_left_pending_keeps_nobody_out(server: PrefectServer, run: Run, tmp_path: Path) -> None:
    deployment = server.api("GET", "/deployments/name/hold-on/hold-on")["id"]
    body: dict[str, Any] = {"parameters": {"folder": str(tmp_path)}, "state": {"type": "PENDING"}}
    stuck = server.api("POST", f"/deployments/{deployment}/create_flow_run", body)["id"]
    run.end()
    assert run.completes()
    (tmp_path / "ended").unlink()
    assert Run(server, tmp_path).completes()
    assert server.api("GET", f"/flow_runs/{stuck}")["state"]["type"] == "PENDING"
    server.api("DELETE", f"/flow_runs/{stuck}")


def _holder(server: PrefectServer) -> dict[str, str]:
    import json

    return dict(json.loads(server.api("GET", "/variables/name/runbook_lease_lab")["value"]))
