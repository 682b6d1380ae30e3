"""The lab with a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backups.backed_up import PATH, BackedUp
from tests.lab import Lab
from tests.server.fixtures import PrefectServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.lab)


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
        server.stop()
