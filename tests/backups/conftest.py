"""The lab with a store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backups.backed_up import PATH, BackedUp
from tests.lab import Lab
from tests.server.fixtures import PrefectServer


@pytest.fixture(scope="module")
def backed_up(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackedUp]:
    server = PrefectServer.start(tmp_path_factory.mktemp("prefect"))
    try:
        lab.exec("backup", ["install", "-d", "-m", "700", PATH])
        made = BackedUp(lab, server, tmp_path_factory.mktemp("site") / "lab.toml")
        made.apply()
        yield made
    finally:
        lab.exec("backup", ["rm", "-rf", PATH])
        # Of runs that could not reach the host any more: they would remove what is gone with the store.
        lab.exec("backup", "systemctl stop 'openstack-runbooks-cleanup-*.timer'")
        server.stop()
