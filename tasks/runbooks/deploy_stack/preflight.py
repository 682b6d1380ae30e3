"""Everything that speaks against making a scaling group in a cloud, told at once and before anything is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from blocks.remote.cloud import Cloud
from blocks.remote.errors import RunbookError, Stopped
from tasks.openstack.named import find_named
from tasks.openstack.quotas import why_no_balancer, why_no_compute, why_no_network, why_no_volume
from tasks.telemetry.measures import read_archive_policies
from tasks.telemetry.thresholds import METHODS, ArchivePolicy

# What an operator calls the service, by its type in the catalog.
_SERVICES = {
    "orchestration": "Heat",
    "metric": "Gnocchi",
    "alarming": "Aodh",
    "load-balancer": "Octavia",
    "block-storage": "Cinder",
    "compute": "Nova",
    "network": "Neutron",
    "image": "Glance",
}


@dataclass(frozen=True)
class Needs:
    """What a template is about to ask of a cloud.

    Attributes:
        members: Servers that are still to be made for the group to reach `max_size`.
        flavor: Name or id.
        image: Name or id.
        key_name: Key pair; empty where none is used.
        networks: Names or ids.
        subnets: Names or ids.
        external_network: Where floating addresses come from; empty where none is used.
        security_groups: Those that must be there already.
        services: Types in the catalog.
        ports: In all: one a member, and one a load balancer.
        floating_ips: In all.
        new_security_groups: That the stack makes.
        load_balancers: That the stack makes.
        volumes: In all.
        volume_gib: GiB of them all.
        archive_policy: That the group's `cpu` is kept by; empty where that is not known.
        granularity_s: Seconds; of the alarms.
    """

    members: int
    flavor: str
    image: str
    key_name: str = ""
    networks: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    external_network: str = ""
    security_groups: tuple[str, ...] = ()
    services: tuple[str, ...] = ("orchestration", "metric", "alarming")
    ports: int = 0
    floating_ips: int = 0
    new_security_groups: int = 0
    load_balancers: int = 0
    volumes: int = 0
    volume_gib: int = 0
    archive_policy: str = ""
    granularity_s: float = 60.0


def why_not_begin(cloud: Cloud, needs: Needs) -> list[str]:
    """Look at everything that a stack will need.

    Returns:
        Every reason not to begin, each with what to do; none where all is well. A cloud that lets nobody in is one.

    Raises:
        Stopped: `cloud.close` was called.
    """
    try:
        missing = [service for service in _required_services(needs) if not cloud.offers(service)]
    except Stopped:
        raise
    except RunbookError as error:
        return [str(error)]
    reasons = [_no_service(cloud, service) for service in missing]
    for service, check in _CHECKS:
        if service not in missing:
            try:
                reasons += check(cloud, needs)
            except Stopped:
                raise
            except RunbookError as error:
                reasons.append(str(error))
    return reasons


def _required_services(needs: Needs) -> list[str]:
    implied = {
        "load-balancer": needs.load_balancers > 0,
        "block-storage": needs.volumes > 0,
        "metric": bool(needs.archive_policy),
    }
    wanted = ["compute", "image", "network", *needs.services, *(name for name, yes in implied.items() if yes)]
    return list(dict.fromkeys(wanted))


def _no_service(cloud: Cloud, service: str) -> str:
    return (
        f"{cloud.name}: {_SERVICES.get(service, service)} is not in the service catalog (type {service}, region "
        f"{cloud.region or 'of clouds.yaml'}); install it, or correct region and interface in clouds.yaml"
    )


def _missing(cloud: Cloud, kind: str, name: str, there: Iterable[Any]) -> str:
    """Say that something is missing, and what there is instead."""
    names = sorted({str(candidate.name or candidate.id) for candidate in there})
    listed = ", ".join(names[:10]) + (", …" if len(names) > 10 else "") or "none"
    return f"{cloud.name}: there is no {kind} {name!r}; there is {listed}: make it, or name another one"


def _compute(cloud: Cloud, needs: Needs) -> list[str]:
    """Flavor and key pair, and the room for so many servers of this flavor."""
    reasons = []
    with cloud.request("look for flavor and key pair") as sdk:
        flavor = find_named(sdk.compute.find_flavor, needs.flavor)
        if flavor is None:
            reasons.append(_missing(cloud, "flavor", needs.flavor, sdk.compute.flavors(details=False)))
        if needs.key_name and find_named(sdk.compute.find_keypair, needs.key_name) is None:
            reasons.append(_missing(cloud, "key pair", needs.key_name, sdk.compute.keypairs()))
    if flavor is not None:
        reasons += why_no_compute(cloud, needs.members, needs.members * flavor.vcpus, needs.members * flavor.ram)
    return reasons


def _image(cloud: Cloud, needs: Needs) -> list[str]:
    with cloud.request("look for the image") as sdk:
        image = find_named(sdk.image.find_image, needs.image)
        if image is None:
            return [_missing(cloud, "image", needs.image, sdk.image.images())]
        if image.status != "active":
            return [
                f"{cloud.name}: image {needs.image!r} is {image.status}; wait until it is active, or upload it again"
            ]
        flavor = find_named(sdk.compute.find_flavor, needs.flavor)
        if flavor is not None and flavor.ram < (image.min_ram or 0):
            return [
                f"{cloud.name}: image {needs.image!r} needs {image.min_ram} MiB of RAM, flavor {needs.flavor!r} has "
                f"{flavor.ram}; name a larger flavor"
            ]
    return []


def _networks(cloud: Cloud, needs: Needs) -> list[str]:
    reasons: list[str] = []
    with cloud.request("look for networks and security groups") as sdk:
        net = sdk.network
        external = list(net.networks(is_router_external=True)) if needs.external_network else []
        wanted = (
            ("network", needs.networks, net.find_network, net.networks),
            ("subnet", needs.subnets, net.find_subnet, net.subnets),
            ("security group", needs.security_groups, net.find_security_group, net.security_groups),
        )
        for kind, names, find, listed in wanted:
            reasons += [_missing(cloud, kind, name, listed()) for name in names if find_named(find, name) is None]
    if needs.external_network and not any(needs.external_network in (network.name, network.id) for network in external):
        reasons.append(_missing(cloud, "external network", needs.external_network, external))
    return reasons


def _telemetry(cloud: Cloud, needs: Needs) -> list[str]:
    if not needs.archive_policy:
        return []
    policies = read_archive_policies(cloud)
    policy = policies.get(needs.archive_policy)
    if policy is None:
        fitting = sorted(name for name, policy in policies.items() if not _lacks(policy, needs.granularity_s))
        return [
            f"{cloud.name}: Gnocchi has no archive policy {needs.archive_policy!r}; make it with a granularity of "
            f"{needs.granularity_s:g} s and {' and '.join(METHODS)}, or name one that has them "
            f"({', '.join(fitting) or 'none has'})"
        ]
    lack = _lacks(policy, needs.granularity_s)
    hint = "let the metric be kept by another policy, or set the alarms' granularity to one that it has"
    return [f"{cloud.name}: archive policy {policy.name} {lack}; {hint}"] if lack else []


def _lacks(policy: ArchivePolicy, granularity_s: float) -> str:
    """Say what a policy lacks for an alarm; empty where it will do."""
    if granularity_s not in policy.timespans_s:
        kept = ", ".join(f"{granularity} s" for granularity in sorted(policy.timespans_s))
        return f"has no granularity of {granularity_s:g} s (it has {kept})"
    missing = [method for method in METHODS if method not in policy.methods]
    return f"does not keep {' and '.join(missing)}" if missing else ""


# Each check with the service that it asks: where that is missing, one sentence is enough.
_CHECKS: tuple[tuple[str, Callable[[Cloud, Needs], list[str]]], ...] = (
    ("compute", _compute),
    ("image", _image),
    ("network", _networks),
    ("network", lambda cloud, needs: why_no_network(cloud, needs.ports, needs.floating_ips, needs.new_security_groups)),
    ("load-balancer", lambda cloud, needs: why_no_balancer(cloud, needs.load_balancers)),
    ("block-storage", lambda cloud, needs: why_no_volume(cloud, needs.volumes, needs.volume_gib)),
    ("metric", _telemetry),
)
