"""The pool behind a load balancer: which members serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blocks.remote.cloud import Cloud


@dataclass(frozen=True)
class PoolMember:
    """A member of an Octavia pool.

    Attributes:
        id: Its UUID.
        address: Where the balancer sends requests.
        port: Its TCP port.
        provisioning: `ACTIVE` once the balancer is set up for it; `PENDING_…`, `ERROR`.
        operating: `ONLINE` once the health monitor reaches it; `OFFLINE`, `ERROR`, `DRAINING`; `NO_MONITOR` where nobody
            looks.
    """

    id: str
    address: str
    port: int
    provisioning: str
    operating: str

    @property
    def serves(self) -> bool:
        """Whether it is known to answer; without a monitor nobody knows."""
        return self.operating == "ONLINE"


def parse_pool_member(body: Mapping[str, Any]) -> PoolMember:
    """Read a member as Octavia lists it."""
    return PoolMember(
        body["id"], body["address"], int(body["protocol_port"]), body["provisioning_status"], body["operating_status"]
    )


def read_pool(cloud: Cloud, pool: str) -> list[PoolMember]:
    """Read the members of a pool.

    Args:
        cloud: Where.
        pool: The pool's id: the physical id of Heat's `OS::Octavia::Pool`.

    Raises:
        NotFound: There is no such pool.
        CloudError, Stopped: As `Cloud.asking`.
    """
    listed = cloud.ask("list the pool's members", "load-balancer", f"/lbaas/pools/{pool}/members")["members"]
    return [parse_pool_member(one) for one in listed]
