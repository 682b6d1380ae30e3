"""The cloud, a Prefect server that knows it as a site, and the runbooks on both."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.project import PROJECT
from tests.openstack import Cloud
from tests.openstack.settings import EVALUATION_SECONDS, GRANULARITIES_SECONDS, POLLING_SECONDS
from tests.server.fixtures import PrefectServer

# What the templates ask for by other names than the cloud of the tests has them.
PARAMETERS = {
    "image": "debian-12",
    "flavor": "m1.tiny",
    "key_name": "lab",
    "granularity": GRANULARITIES_SECONDS[0],
    "cooldown": 10,
}
INTERVALS = {
    "member_user": "debian",
    "polling_interval_s": POLLING_SECONDS,
    "evaluation_interval_s": EVALUATION_SECONDS,
    "processing_s": 10,
    "settle_s": 90,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.openstack)


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
class Runbooks:
    """The runbooks, on a cloud and a Prefect server.

    Attributes:
        cloud: The cloud.
        server: The server.
    """

    cloud: Cloud
    server: PrefectServer

    def run(self, name: str, **parameters: Any) -> Ended:
        """Run a runbook in a process of its own."""
        wanted = {"site": "openstack", **parameters}
        done = subprocess.run(
            [sys.executable, "-m", "tests.autoscaling.run", name, json.dumps(wanted)],
            cwd=PROJECT,
            env={**self.server.env(), "OS_CLIENT_CONFIG_FILE": str(self.cloud.clouds_file)},
            capture_output=True,
            text=True,
            timeout=900,
        )
        return Ended(done.returncode, done.stdout + done.stderr)

    def artifact(self, key: str) -> Any:
        """The data of the latest artifact with a key."""
        body = {"artifacts": {"key": {"any_": [key]}}, "limit": 1}
        answer = httpx.post(f"{self.server.url}/artifacts/latest/filter", json=body, timeout=30)
        answer.raise_for_status()
        (found,) = answer.json()
        return found["data"]


@pytest.fixture(scope="session")
def runbooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runbooks]:
    cloud = Cloud()
    cloud.up()
    server = PrefectServer.start(tmp_path_factory.mktemp("prefect"))
    try:
        applied = server.run("-m", "deployments", "apply", "--site", str(cloud.site))
        assert applied.returncode == 0, applied.stdout + applied.stderr
        yield Runbooks(cloud, server)
    finally:
        server.stop()
