"""The flow as a deployment run, through a Prefect server and a worker as an operator has them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.lab_job import Job
from tests.demo.run import as_text, folded, report, start
from tests.lab import Lab, LabError
from tests.server.fixtures import PrefectServer, Worker, wait_until

_FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@contextmanager
def server() -> Iterator[PrefectServer]:
    """A Prefect server in a temporary home."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as home:
        running = PrefectServer.start(Path(home))
        try:
            yield running
        finally:
            running.stop()


@contextmanager
def deployed(prefect: PrefectServer, lab: Lab) -> Iterator[None]:
    """The lab's site applied, and a worker."""
    applied = prefect.run("-m", "deployments", "apply", "--site", str(lab.site))
    if applied.returncode != 0:
        raise LabError(applied.stdout + applied.stderr)
    worker = Worker.start(prefect)
    try:
        yield
    finally:
        worker.stop()


@dataclass(frozen=True)
class Took:
    """How long a run took.

    Attributes:
        flow_s: From the flow's start to its end, by the server's record.
        whole_s: From the command line to the end seen from outside: with the worker's polling and Prefect's import.
    """

    flow_s: float
    whole_s: float


def restore(prefect: PrefectServer, job: Job, ending: str) -> Took:
    """Run restore-galera to its end.

    Raises:
        LabError: It did not complete.
    """
    started = time.monotonic()
    words = (f"dump={job.dump.dump}", f"grants={job.dump.grants}", f"ending={ending}", "approved_by=a benchmark")
    run_id = start(prefect, "restore-galera", *(word for pair in words for word in ("-p", pair)))
    run: dict[str, Any] = {}

    def ended() -> bool:
        run.update(prefect.api("GET", f"/flow_runs/{run_id}"))
        return run["state"]["type"] in _FINAL

    wait_until("the run ends", ended, timeout_s=3600)
    whole_s = time.monotonic() - started
    if run["state"]["type"] != "COMPLETED":
        raise LabError(f"restore-galera ended as {run['state']['name']}: {run['state']['message']}")
    steps = report(prefect, run_id).partition("## Steps")[2].partition("## ")[0]
    print(as_text(folded(steps.strip())), flush=True)
    flow = datetime.fromisoformat(run["end_time"]) - datetime.fromisoformat(run["start_time"])
    return Took(flow.total_seconds(), whole_s)
