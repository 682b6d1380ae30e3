"""The lab with Ansible and ReaR."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import Lab
from tests.lab.settings import CONTROLLERS
from tests.rear.imaged import STORE, Imaged
from tests.rear.layer import layer, unpack
from tests.server.fixtures import PrefectServer


@pytest.fixture(scope="module")
def imaged(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imaged]:
    made = layer(lab)
    for name in ("undercloud", *CONTROLLERS, "backup"):
        unpack(lab, made, name, ansible=name == "undercloud")
    server = PrefectServer.start(tmp_path_factory.mktemp("prefect"))
    try:
        with_rear = Imaged(lab, server, tmp_path_factory.mktemp("site") / "lab.toml")
        with_rear.prepare()
        yield with_rear
    finally:
        lab.exec("backup", ["rm", "-rf", STORE])
        server.stop()
