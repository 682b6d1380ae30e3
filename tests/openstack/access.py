"""How the cloud is reached from this machine: the files for its users, and connections."""

from typing import Any

import openstack
import yaml

from tests.lab.paths import Paths
from tests.openstack.services import KEYSTONE
from tests.openstack.settings import ADDRESS, ADMIN_CLOUD, CLOUD, HOST, PROJECT, REGION, password


def clouds_file(paths: Paths) -> str:
    """Returns the path of clouds.yaml."""
    return str(paths.run / "clouds.yaml")


def connect(paths: Paths, cloud: str) -> Any:
    """Returns a connection of openstacksdk, which has no types."""
    loader = openstack.config.OpenStackConfig(config_files=[clouds_file(paths)], vendor_files=[], load_envvars=False)
    return openstack.connection.Connection(config=loader.get_one(cloud), app_name="openstack-runbooks-tests")


def write(paths: Paths) -> None:
    """Writes clouds.yaml, the inventory and the site file."""
    clouds = {"clouds": {CLOUD: _cloud(PROJECT, PROJECT), ADMIN_CLOUD: _cloud("admin", "admin")}}
    path = paths.run / "clouds.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(clouds, sort_keys=False))
    paths.inventory.write_text(yaml.safe_dump(inventory(), sort_keys=False))
    quoted = {name: _toml(str(getattr(paths, name))) for name in ("inventory", "key", "known_hosts")}
    paths.site.write_text(f"""\
name = "openstack"
inventory = {quoted["inventory"]}

[ssh]
user = "heat-admin"
key = {quoted["key"]}
known_hosts = {quoted["known_hosts"]}

[cloud]
name = {_toml(CLOUD)}
""")


def _cloud(user: str, project: str) -> dict[str, object]:
    return {
        "auth": {
            "auth_url": KEYSTONE.url,
            "username": user,
            "password": password(user),
            "project_name": project,
            "user_domain_id": "default",
            "project_domain_id": "default",
        },
        "region_name": REGION,
        "identity_api_version": "3",
        "interface": "public",
    }


def inventory() -> dict[str, object]:
    """Returns what `tripleo-ansible-inventory --static-yaml-inventory` would write for the cloud, in short."""
    controller = {
        "ansible_host": ADDRESS,
        "canonical_hostname": f"{HOST.name}.localdomain",
        "ctlplane_ip": ADDRESS,
    }
    services = (
        "ceilometer_agent_central",
        "ceilometer_agent_notification",
        "gnocchi_api",
        "heat_api",
        "aodh_api",
        "mysql",
    )
    user = {"ansible_ssh_user": "heat-admin"}
    return {
        "Controller": {"hosts": {HOST.name: controller}, "vars": {**user, "tripleo_role_name": "Controller"}},
        "overcloud": {"children": {"Controller": {}}},
        "allovercloud": {"children": {"overcloud": {}}},
        **{name: {"children": {"Controller": {}}, "vars": dict(user)} for name in services},
    }


def _toml(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
