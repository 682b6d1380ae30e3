"""The lab, a Prefect server that knows it, and dumps of the lab's databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import Lab, dumps
from tests.lab.dumps import Dump
from tests.restore_galera.cloud import Cloud
from tests.server.fixtures import PrefectServer, Worker


@pytest.fixture(scope="session")
def cloud(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    server = PrefectServer.start(tmp_path_factory.mktemp("prefect"))
    try:
        applied = server.run("-m", "deployments", "apply", "--site", str(lab.site))
        assert applied.returncode == 0, applied.stdout + applied.stderr
        yield Cloud(lab, server)
    finally:
        server.stop()


@pytest.fixture(scope="session")
def worker(cloud: Cloud) -> Iterator[Worker]:
    running = Worker.start(cloud.server)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def dump(cloud: Cloud) -> Dump:
    """A dump of everything, taken once, with a mark in it; rows written later must be gone after a restore."""
    cloud.write_mark("before")
    return dumps.complete(cloud.lab)
