"""The flow as a deployment run, through a Prefect server and a worker as an operator has them."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.lab_job import Job
from tests.demo.run import as_text, folded, report, start
from tests.lab import LabError
from tests.server.fixtures import PrefectServer, Worker, wait_until

APPROVED = {"approved_by": "a benchmark"}
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
def deployed(prefect: PrefectServer, site_file: Path) -> Iterator[None]:
    """A site applied, and a worker."""
    applied = prefect.run("-m", "deployments", "apply", "--site", str(site_file))
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
        steps: Seconds of each step by its number, of the slowest host.
    """

    flow_s: float
    whole_s: float
    steps: Mapping[str, float]


def restore(prefect: PrefectServer, job: Job, ending: str) -> Took:
    """Run restore-galera with the job's dump to its end; see `carry_out`."""
    return carry_out(prefect, "restore-galera", dump=job.dump.dump, grants=job.dump.grants, ending=ending, **APPROVED)


def carry_out(prefect: PrefectServer, runbook: str, **parameters: str) -> Took:
    """Run a runbook's deployment to its end.

    Args:
        prefect: With the site applied, and a worker.
        runbook: Its name.
        parameters: As `prefect deployment run -p` takes them.

    Raises:
        LabError: It did not complete.
    """
    started = time.monotonic()
    words = [word for key, value in parameters.items() for word in ("-p", f"{key}={value}")]
    run_id = start(prefect, runbook, *words)
    run: dict[str, Any] = {}

    def ended() -> bool:
        run.update(prefect.api("GET", f"/flow_runs/{run_id}"))
        return run["state"]["type"] in _FINAL

    wait_until("the run ends", ended, timeout_s=3600)
    whole_s = time.monotonic() - started
    if run["state"]["type"] != "COMPLETED":
        raise LabError(f"{runbook} ended as {run['state']['name']}: {run['state']['message']}")
    table = folded(report(prefect, run_id).partition("## Steps")[2].partition("## ")[0].strip())
    print(as_text(table), flush=True)
    flow = datetime.fromisoformat(run["end_time"]) - datetime.fromisoformat(run["start_time"])
    return Took(flow.total_seconds(), whole_s, _steps(table))


def _steps(table: str) -> dict[str, float]:
    """Seconds of each step, from the report's table."""
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines() if line.startswith("|")
    ]
    return {row[0]: float(row[-1]) for row in rows if re.fullmatch(r"[0-9.]+", row[-1])}
