"""The lab, a Prefect server that knows it, and a dump of the undercloud's databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import Lab, undercloud
from tests.restore_undercloud_database.site import UndercloudSite
from tests.server.fixtures import PrefectServer


@pytest.fixture(scope="session")
def server_and_lab(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UndercloudSite]:
    server = PrefectServer.start(tmp_path_factory.mktemp("prefect"))
    try:
        applied = server.run("-m", "deployments", "apply", "--site", str(lab.site))
        assert applied.returncode == 0, applied.stdout + applied.stderr
        yield UndercloudSite(lab, server)
    finally:
        server.stop()


@pytest.fixture(scope="session")
def dumped(server_and_lab: UndercloudSite) -> UndercloudSite:
    """With a dump of everything, taken once, with a mark in it; rows written later must be gone after a restore."""
    undercloud.wait_running(server_and_lab.lab.machines)
    server_and_lab.write_mark("before")
    server_and_lab.dump("--single-transaction", "--routines", "--events", "--triggers")
    return server_and_lab


@pytest.fixture
def site(dumped: UndercloudSite) -> Iterator[UndercloudSite]:
    """With a row that the dump does not have; afterwards old data that tests have kept is removed."""
    dumped.write_mark("after")
    yield dumped
    dumped.exec("rm -rf /var/lib/mysql-save-*")
