"""What tests find ready in the cloud: a flavor, an image, networks with a router, a key pair, an archive policy."""

from typing import Any

from tests.openstack.settings import (
    ARCHIVE_POLICY,
    FLAVOR,
    GRANULARITIES_SECONDS,
    IMAGE,
    KEYPAIR,
    PRIVATE,
    PRIVATE_GATEWAY,
    PUBLIC,
    PUBLIC_GATEWAY,
    SECURITY_GROUPS,
)


def create(admin: Any, project: Any, public_key: str) -> None:
    """Makes it all, in a cloud where there is nothing of it."""
    admin.compute.create_flavor(name=FLAVOR, vcpus=1, ram=64, disk=1)
    # Nobody reads it: every server has the controller's own Debian.
    admin.image.create_image(
        name=IMAGE,
        disk_format="raw",
        container_format="bare",
        visibility="public",
        data=b"\0" * 65536,
        validate_checksum=False,
        allow_duplicates=True,
    )
    _networks(admin.network, project.network)
    project.compute.create_keypair(name=KEYPAIR, public_key=public_key.strip())
    for name in SECURITY_GROUPS:
        project.network.create_security_group(name=name)
    _archive_policy(admin)


def _networks(admin: Any, project: Any) -> None:
    public = admin.create_network(
        name="public",
        is_router_external=True,
        provider_network_type="flat",
        provider_physical_network="physnet1",
    )
    prefix = PUBLIC.rsplit(".", 1)[0]
    admin.create_subnet(
        network_id=public.id,
        name="public",
        ip_version=4,
        cidr=PUBLIC,
        gateway_ip=PUBLIC_GATEWAY,
        allocation_pools=[{"start": f"{prefix}.10", "end": f"{prefix}.200"}],
        enable_dhcp=False,
    )
    private = project.create_network(name="private")
    subnet = project.create_subnet(
        network_id=private.id,
        name="private",
        ip_version=4,
        cidr=PRIVATE,
        gateway_ip=PRIVATE_GATEWAY,
        enable_dhcp=False,
    )
    router = project.create_router(name="router", external_gateway_info={"network_id": public.id})
    project.add_interface_to_router(router, subnet_id=subnet.id)


def _archive_policy(admin: Any) -> None:
    policy = {
        "name": ARCHIVE_POLICY,
        "back_window": 0,
        "aggregation_methods": ["mean", "rate:mean"],
        "definition": [{"granularity": f"{seconds}s", "timespan": "6 hours"} for seconds in GRANULARITIES_SECONDS],
    }
    gnocchi = admin.session.get_endpoint(service_type="metric")
    admin.session.post(f"{gnocchi}/v1/archive_policy", json=policy)
