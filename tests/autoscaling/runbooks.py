"""The runbooks, each run in a process of its own, on a cloud and a Prefect server."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deployments.project import PROJECT
from tests.openstack import Cloud
from tests.openstack.settings import EVALUATION_SECONDS, GRANULARITIES_SECONDS, POLLING_SECONDS
from tests.server.fixtures import PrefectServer

# Of a site the runbooks take one at a time. The second stands for another project on the same cloud, with its own runs.
SITE = "openstack"
BESIDE = "openstack-beside"
# What the templates ask for by other names than the cloud of the tests has them.
PARAMETERS: dict[str, Any] = {
    "image": "debian-12",
    "flavor": "m1.tiny",
    "key_name": "lab",
    "granularity": GRANULARITIES_SECONDS[0],
    "cooldown": 10,
}
INTERVALS: dict[str, Any] = {
    "member_user": "debian",
    "polling_interval_s": POLLING_SECONDS,
    "evaluation_interval_s": EVALUATION_SECONDS,
    "processing_s": 10,
    "settle_s": 90,
}


@dataclass
class Ended:
    """How a run ended.

    Attributes:
        code: Exit code of its process.
        output: What it wrote.
    """

    code: int
    output: str


@dataclass
class Begun:
    """A run that goes on.

    Attributes:
        process: Its process.
        log: What it writes.
    """

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text(errors="replace")

    def wait(self) -> Ended:
        """Wait until it has ended."""
        return Ended(self.process.wait(900), self.output)


@dataclass
class Runbooks:
    """The runbooks, on a cloud and a Prefect server.

    Attributes:
        cloud: The cloud.
        server: The server.
        logs: Where the output of each run is kept.
    """

    cloud: Cloud
    server: PrefectServer
    logs: Path

    def __post_init__(self) -> None:
        self._begun: list[Begun] = []
        self._ready = self._start()

    def run(self, name: str, **parameters: Any) -> Ended:
        """Run a runbook in a process of its own."""
        return self.begin(name, **parameters).wait()

    def begin(self, name: str, **parameters: Any) -> Begun:
        """Begin a runbook in a process of its own, which has imported it already; the next one does so meanwhile."""
        begun = self._ready
        assert begun.process.stdin is not None
        begun.log = begun.log.rename(begun.log.with_name(f"{begun.log.stem}-{name}.log"))
        with begun.process.stdin as stdin:
            stdin.write(json.dumps([name, {"site": SITE, **parameters}]).encode() + b"\n")
        self._ready = self._start()
        return begun

    def _start(self) -> Begun:
        log = self.logs / f"{len(list(self.logs.iterdir())):02}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.autoscaling.run"],
                cwd=PROJECT,
                env={**self.server.env(), "OS_CLIENT_CONFIG_FILE": str(self.cloud.clouds_file)},
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        self._begun.append(Begun(process, log))
        return self._begun[-1]

    def close(self) -> None:
        """End the process that was ready for one more, and what goes on because nobody came to wait for its end."""
        for begun in self._begun:
            begun.process.kill()
            begun.process.wait()
            if begun.process.stdin is not None:
                begun.process.stdin.close()

    def crashed(self, name: str) -> None:
        """Tell the server that the run of a runbook which goes on has crashed, as a worker does when its process is killed."""
        body = {"flows": {"name": {"any_": [name]}}, "flow_runs": {"state": {"type": {"any_": ["RUNNING", "PAUSED"]}}}}
        found = httpx.post(f"{self.server.url}/flow_runs/filter", json=body, timeout=30)
        (run,) = found.raise_for_status().json()
        state = {"state": {"type": "CRASHED", "message": "its process was killed"}, "force": True}
        httpx.post(f"{self.server.url}/flow_runs/{run['id']}/set_state", json=state, timeout=30).raise_for_status()

    def artifact(self, key: str) -> Any:
        """The data of the latest artifact with a key."""
        body = {"artifacts": {"key": {"any_": [key]}}, "limit": 1}
        answer = httpx.post(f"{self.server.url}/artifacts/latest/filter", json=body, timeout=30)
        answer.raise_for_status()
        (found,) = answer.json()
        return found["data"]
