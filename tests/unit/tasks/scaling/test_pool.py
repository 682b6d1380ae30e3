"""The members of a pool are read; only one that the balancer reaches serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.cloud_errors import NotFound
from tasks.scaling.pool import PoolMember, read_pool
from tests.unit.cloud_api import FakeApi, install, overcloud

MEMBER = {
    "id": "m1",
    "name": "",
    "address": "10.0.0.1",
    "protocol_port": 80,
    "provisioning_status": "ACTIVE",
    "operating_status": "ONLINE",
    "weight": 1,
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeApi:
    return install(monkeypatch, tmp_path)


def test_members_are_read(api: FakeApi) -> None:
    api.on("GET", "load-balancer", "/v2.0/lbaas/pools/p1/members", say={"members": [MEMBER]})
    assert read_pool(overcloud(), "p1") == [PoolMember("m1", "10.0.0.1", 80, "ACTIVE", "ONLINE")]


@pytest.mark.parametrize("status", ["OFFLINE", "ERROR", "DRAINING", "NO_MONITOR"])
def test_only_one_that_is_online_serves(status: str) -> None:
    member = PoolMember("m1", "10.0.0.1", 80, "ACTIVE", status)
    assert not member.serves
    assert PoolMember("m1", "10.0.0.1", 80, "ACTIVE", "ONLINE").serves


def test_a_pool_that_is_not_there_is_not_found(api: FakeApi) -> None:
    said = {"faultcode": "Client", "faultstring": "Pool p1 not found.", "debuginfo": None}
    api.on("GET", "load-balancer", "/v2.0/lbaas/pools/p1/members", say=(404, said))
    with pytest.raises(NotFound, match="Pool p1 not found"):
        read_pool(overcloud(), "p1")
