"""The machine, for the tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bare_metal.metal import Metal
from tests.lab import Lab
from tests.server.fixtures import PrefectServer


@pytest.fixture(scope="module")
def metal(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metal]:
    server = PrefectServer.start(tmp_path_factory.mktemp("prefect"))
    try:
        with Metal.made(lab, server, tmp_path_factory.mktemp("metal")) as metal:
            yield metal
    finally:
        server.stop()
        lab.down()
