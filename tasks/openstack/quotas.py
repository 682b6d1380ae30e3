"""The quotas of a project, held against what is about to be made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import NotFound
from tasks.engine.checks import Check

_COMPUTE = {
    "instances": ("maxTotalInstances", "totalInstancesUsed"),
    "cores": ("maxTotalCores", "totalCoresUsed"),
    "MiB of RAM": ("maxTotalRAMSize", "totalRAMUsed"),
}
_VOLUME = {
    "volumes": ("maxTotalVolumes", "totalVolumesUsed"),
    "GiB of volumes": ("maxTotalVolumeGigabytes", "totalGigabytesUsed"),
}
# Neutron's name of the quota → its collection.
_NETWORK = {
    "ports": ("port", "ports"),
    "floating addresses": ("floatingip", "floatingips"),
    "security groups": ("security_group", "security-groups"),
}


@dataclass(frozen=True)
class Quota:
    """A quota.

    Attributes:
        limit: How many there may be; negative for no limit.
        used: How many there are.
    """

    limit: int
    used: int

    def lacks_room_for(self, wanted: int) -> bool:
        """Say whether so many more do not fit."""
        return wanted > 0 and 0 <= self.limit < self.used + wanted


def check_compute_quotas(cloud: Cloud, instances: int, cores: int, ram_mib: int) -> list[Check]:
    """Nova's quotas have room for so much more.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    absolute = cloud.get("read Nova's limits", "compute", "/limits")["limits"]["absolute"]
    wanted = {"instances": instances, "cores": cores, "MiB of RAM": ram_mib}
    return check_room(cloud.name, parse_limits(absolute, _COMPUTE), wanted)


def check_network_quotas(cloud: Cloud, ports: int, floating_ips: int, security_groups: int) -> list[Check]:
    """Neutron's quotas have room for so much more.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    wanted = {"ports": ports, "floating addresses": floating_ips, "security groups": security_groups}
    return check_room(cloud.name, _network_limits(cloud, wanted), wanted)


def _network_limits(cloud: Cloud, wanted: Mapping[str, int]) -> dict[str, Quota]:
    """Neutron's quotas with their use; a Neutron before Pike does not tell the use, so it is counted."""
    kinds = {name: names for name, names in _NETWORK.items() if wanted[name] > 0}
    try:
        quota = cloud.get("read Neutron's quotas", "network", f"/quotas/{cloud.project}/details")["quota"]
        return {name: Quota(quota[key]["limit"], quota[key]["used"]) for name, (key, _) in kinds.items()}
    except NotFound:
        quota = cloud.get("read Neutron's quotas", "network", f"/quotas/{cloud.project}")["quota"]
    limits = {}
    for name, (key, collection) in kinds.items():
        there = cloud.get(f"count the {name}", "network", f"/{collection}", project_id=cloud.project, fields="id")
        limits[name] = Quota(quota[key], len(there[collection.replace("-", "_")]))
    return limits


def check_balancer_quota(cloud: Cloud, balancers: int) -> list[Check]:
    """Octavia's quota has room for so many more load balancers.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    if not balancers:
        return []
    quota = cloud.get("read Octavia's quota", "load-balancer", f"/lbaas/quotas/{cloud.project}")["quota"]
    there = cloud.get("list the load balancers", "load-balancer", "/lbaas/loadbalancers", project_id=cloud.project)[
        "loadbalancers"
    ]
    # Octavia before Rocky wrote it in one word; null is "as the service's default", which it does not tell.
    limit = quota.get("load_balancer", quota.get("loadbalancer"))
    limits = {"load balancers": Quota(-1 if limit is None else limit, len(there))}
    return check_room(cloud.name, limits, {"load balancers": balancers})


def check_volume_quotas(cloud: Cloud, volumes: int, gib: int) -> list[Check]:
    """Cinder's quotas have room for so much more.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    if not volumes:
        return []
    absolute = cloud.get("read Cinder's limits", "block-storage", "/limits")["limits"]["absolute"]
    wanted = {"volumes": volumes, "GiB of volumes": gib}
    return check_room(cloud.name, parse_limits(absolute, _VOLUME), wanted)


def parse_limits(absolute: Mapping[str, int], names: Mapping[str, tuple[str, str]]) -> dict[str, Quota]:
    """Read the absolute limits of Nova or Cinder."""
    return {name: Quota(absolute[limit], absolute[used]) for name, (limit, used) in names.items()}


def check_room(cloud: str, limits: Mapping[str, Quota], wanted: Mapping[str, int]) -> list[Check]:
    """Quotas have room for what is wanted; where one has not, how far it would have to be raised."""
    return [_check_quota(cloud, name, quota, wanted[name]) for name, quota in limits.items() if wanted[name] > 0]


def _check_quota(cloud: str, name: str, quota: Quota, wanted: int) -> Check:
    check = f"quota of {name}"
    if not quota.lacks_room_for(wanted):
        limit = "no limit" if quota.limit < 0 else f"{quota.used} of {quota.limit} used"
        return Check(check, cloud, f"{limit}, {wanted} more are needed")
    left = max(0, quota.limit - quota.used)
    return Check(
        check,
        cloud,
        f"{quota.used} of {quota.limit} used",
        f"{wanted} more {name} are needed and {left} are left of {quota.limit}",
        f"raise the project's quota to {quota.used + wanted}, or remove what it no longer needs",
    )
