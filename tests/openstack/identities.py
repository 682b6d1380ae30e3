"""Who there is in Keystone, and its catalogue."""

from typing import Any

from tests.openstack.config import SERVICE_USERS
from tests.openstack.services import APIS, KEYSTONE, NEUTRON_PORT
from tests.openstack.settings import ADDRESS, PROJECT, REGION, password

_NEW_ROLES = ("service", "heat_stack_owner", "heat_stack_user", "load-balancer_admin", "load-balancer_member")
_PROJECT_ROLES = ("member", "reader", "heat_stack_owner", "load-balancer_member")


def create(admin: Any) -> None:
    """Makes roles, users, projects and endpoints in a Keystone that has its administrator only."""
    identity = admin.identity
    roles = {role.name: role for role in identity.roles()}
    # Some versions of Keystone's bootstrap make some of them.
    roles |= {name: identity.create_role(name=name) for name in _NEW_ROLES if name not in roles}
    service = identity.create_project(name="service", domain_id="default")
    for name in SERVICE_USERS:
        user = _user(identity, name, "default")
        for role in ("admin", "service"):
            identity.assign_project_role_to_user(service, user, roles[role])
    project = identity.create_project(name=PROJECT, domain_id="default")
    user = _user(identity, PROJECT, "default")
    for role in _PROJECT_ROLES:
        identity.assign_project_role_to_user(project, user, roles[role])
    heat = identity.create_domain(name="heat", description="Users that Heat makes for its stacks")
    identity.assign_domain_role_to_user(heat, _user(identity, "heat_domain_admin", heat.id), roles["admin"])
    _catalogue(identity)


def _user(identity: Any, name: str, domain: str) -> Any:
    return identity.create_user(name=name, domain_id=domain, password=password(name))


def _catalogue(identity: Any) -> None:
    services = {api.unit: (api.kind, api.url) for api in APIS if api is not KEYSTONE}
    services["neutron"] = ("network", f"http://{ADDRESS}:{NEUTRON_PORT}")
    for name, (kind, url) in services.items():
        service = identity.create_service(name=name.removesuffix("-api"), type=kind)
        for interface in ("public", "internal", "admin"):
            identity.create_endpoint(service_id=service.id, url=url, interface=interface, region_id=REGION)
