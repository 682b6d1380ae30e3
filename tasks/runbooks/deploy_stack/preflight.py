"""Everything that a scaling group needs of a cloud, looked at before anything is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from blocks.remote.cloud import Cloud
from blocks.remote.errors import RunbookError, Stopped
from tasks.engine.checks import Check
from tasks.openstack.named import find_named
from tasks.openstack.quotas import check_balancer_quota, check_compute_quotas, check_network_quotas, check_volume_quotas
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


def check_parameters(missing: Sequence[str]) -> list[Check]:
    """Every parameter of the template has a value.

    Args:
        missing: Those that have neither a value nor a default.
    """
    reasons = [f"parameter {name} of the template has neither a value nor a default" for name in missing]
    return Check.each("parameters", "", reasons, "all have a value, and Heat takes the template")


def check_numbers(values: Mapping[str, Any]) -> list[Check]:
    """The examples' parameters that are counted with are numbers: Heat would say so later, and not of all."""
    numbers: dict[str, Callable[[Any], float]] = {"max_size": int, "granularity": float, "rate_window": float}
    wrong = []
    for name, number in numbers.items():
        try:
            number(values.get(name, 0))
        except (TypeError, ValueError):
            wrong.append(f"parameter {name} is {values[name]!r}, which is no number")
    return [Check("parameters", "", "", reason) for reason in wrong]


def check_needs(cloud: Cloud, needs: Needs) -> list[Check]:
    """Look at everything that a stack will need.

    Returns:
        What was looked at, each reason with what to do. A cloud that lets nobody in is the only one.

    Raises:
        Stopped: `cloud.close` was called.
    """
    try:
        missing = [service for service in _required_services(needs) if not cloud.offers(service)]
    except Stopped:
        raise
    except RunbookError as error:
        return Check.of(error, "service catalog")
    checks = [_check_service(cloud, service, service in missing) for service in _required_services(needs)]
    for service, look in _CHECKS:
        if service not in missing:
            try:
                checks += look(cloud, needs)
            except Stopped:
                raise
            except RunbookError as error:
                checks += Check.of(error, _SERVICES[service])
    return checks


def _required_services(needs: Needs) -> list[str]:
    implied = {
        "load-balancer": needs.load_balancers > 0,
        "block-storage": needs.volumes > 0,
        "metric": bool(needs.archive_policy),
    }
    wanted = ["compute", "image", "network", *needs.services, *(name for name, yes in implied.items() if yes)]
    return list(dict.fromkeys(wanted))


def _check_service(cloud: Cloud, service: str, missing: bool) -> Check:
    title = _SERVICES.get(service, service)
    if not missing:
        return Check("service catalog", cloud.name, f"{title} is there")
    reason = f"{title} is not in the service catalog (type {service}, region {cloud.region or 'of clouds.yaml'})"
    hint = "install it, or correct region and interface in clouds.yaml"
    return Check("service catalog", cloud.name, f"no {title}", reason, hint)


def _check_named(cloud: Cloud, kind: str, name: str, found: bool, listed: Callable[[], Iterable[Any]]) -> Check:
    """Something of this name is there; where it is not, what there is instead is listed."""
    if found:
        return Check(kind, cloud.name, name)
    names = sorted({str(candidate.name or candidate.id) for candidate in listed()})
    there = ", ".join(names[:10]) + (", …" if len(names) > 10 else "") or "none"
    return Check(
        kind, cloud.name, there, f"there is no {kind} {name!r}", f"there is {there}: make it, or name another one"
    )


def _check_compute(cloud: Cloud, needs: Needs) -> list[Check]:
    """Flavor and key pair, and the room for so many servers of this flavor."""
    with cloud.request("look for flavor and key pair") as sdk:
        nova = sdk.compute
        flavor = find_named(nova.find_flavor, needs.flavor)
        checks = [
            _check_named(cloud, "flavor", needs.flavor, flavor is not None, lambda: nova.flavors(details=False)),
        ]
        if needs.key_name:
            key = find_named(nova.find_keypair, needs.key_name)
            checks.append(_check_named(cloud, "key pair", needs.key_name, key is not None, nova.keypairs))
    if flavor is not None:
        checks += check_compute_quotas(cloud, needs.members, needs.members * flavor.vcpus, needs.members * flavor.ram)
    return checks


def _check_image(cloud: Cloud, needs: Needs) -> list[Check]:
    with cloud.request("look for the image") as sdk:
        image = find_named(sdk.image.find_image, needs.image)
        found = _check_named(cloud, "image", needs.image, image is not None, sdk.image.images)
        if image is None:
            return [found]
        flavor = find_named(sdk.compute.find_flavor, needs.flavor)
    reason = hint = ""
    if image.status != "active":
        reason = f"image {needs.image!r} is {image.status}"
        hint = "wait until it is active, or upload it again"
    elif flavor is not None and flavor.ram < (image.min_ram or 0):
        reason = f"image {needs.image!r} needs {image.min_ram} MiB of RAM, flavor {needs.flavor!r} has {flavor.ram}"
        hint = "name a larger flavor"
    return [replace(found, reason=reason, hint=hint)]


def _check_networks(cloud: Cloud, needs: Needs) -> list[Check]:
    checks: list[Check] = []
    with cloud.request("look for networks and security groups") as sdk:
        net = sdk.network
        external = list(net.networks(is_router_external=True)) if needs.external_network else []
        wanted = (
            ("network", needs.networks, net.find_network, net.networks),
            ("subnet", needs.subnets, net.find_subnet, net.subnets),
            ("security group", needs.security_groups, net.find_security_group, net.security_groups),
        )
        for kind, names, find, listed in wanted:
            checks += [_check_named(cloud, kind, name, find_named(find, name) is not None, listed) for name in names]
    if needs.external_network:
        found = any(needs.external_network in (network.name, network.id) for network in external)
        checks.append(_check_named(cloud, "external network", needs.external_network, found, lambda: external))
    return checks


def _check_telemetry(cloud: Cloud, needs: Needs) -> list[Check]:
    if not needs.archive_policy:
        return []
    policies = read_archive_policies(cloud)
    policy = policies.get(needs.archive_policy)
    if policy is None:
        fitting = sorted(name for name, policy in policies.items() if not _lacks(policy, needs.granularity_s))
        hint = (
            f"make it with a granularity of {needs.granularity_s:g} s and {' and '.join(METHODS)}, or name one that has "
            f"them ({', '.join(fitting) or 'none has'})"
        )
        reason = f"Gnocchi has no archive policy {needs.archive_policy!r}"
        return [Check("archive policy", cloud.name, "none of this name", reason, hint)]
    if lack := _lacks(policy, needs.granularity_s):
        hint = "let the metric be kept by another policy, or set the alarms' granularity to one that it has"
        return [Check("archive policy", cloud.name, policy.name, f"archive policy {policy.name} {lack}", hint)]
    return [Check("archive policy", cloud.name, f"{policy.name} has a granularity of {needs.granularity_s:g} s")]


def _lacks(policy: ArchivePolicy, granularity_s: float) -> str:
    """Say what a policy lacks for an alarm; empty where it will do."""
    if granularity_s not in policy.timespans_s:
        kept = ", ".join(f"{granularity} s" for granularity in sorted(policy.timespans_s))
        return f"has no granularity of {granularity_s:g} s (it has {kept})"
    missing = [method for method in METHODS if method not in policy.methods]
    return f"does not keep {' and '.join(missing)}" if missing else ""


# Each check with the service that it asks: where that is missing, one sentence is enough.
_CHECKS: tuple[tuple[str, Callable[[Cloud, Needs], list[Check]]], ...] = (
    ("compute", _check_compute),
    ("image", _check_image),
    ("network", _check_networks),
    (
        "network",
        lambda cloud, needs: check_network_quotas(cloud, needs.ports, needs.floating_ips, needs.new_security_groups),
    ),
    ("load-balancer", lambda cloud, needs: check_balancer_quota(cloud, needs.load_balancers)),
    ("block-storage", lambda cloud, needs: check_volume_quotas(cloud, needs.volumes, needs.volume_gib)),
    ("metric", _check_telemetry),
)
