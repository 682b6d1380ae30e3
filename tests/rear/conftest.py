"""The lab with Ansible and ReaR."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import Lab
from tests.rear.imaged import Imaged
from tests.server.fixtures import PrefectServer


@pytest.fixture(scope="module")
def imaged(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imaged]:
    server = PrefectServer.start(tmp_path_factory.mktemp("prefect"))
    try:
        with Imaged.made(lab, server, tmp_path_factory.mktemp("site")) as imaged:
            yield imaged
    finally:
        server.stop()
