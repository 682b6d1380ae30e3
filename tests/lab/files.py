"""The files by which a lab is used: inventory, site file, keys."""

import shutil
import uuid

import yaml

from tests.lab.base import Base
from tests.lab.paths import Paths
from tests.lab.settings import CONTROLLERS, DATABASE_OWNER, HOSTS, SUBNET, UNDERCLOUD, VIP

_NETWORKS = ("external", "internal_api", "management", "storage", "storage_mgmt", "tenant")
_SERVICE_GROUPS = """
    kernel nova_conductor snmp mysql cinder_api heat_api container_image_prepare timezone iscsid boot_params_service
    tripleo_firewall keystone_admin_api certmonger_user mysql_client glance_api keystone cinder_volume memcached
    oslo_messaging_rpc nova_vnc_proxy oslo_messaging_notify keystone_public_api nova_api nova_metadata heat_engine
    podman pacemaker tripleo_packages nova_scheduler logrotate_crond haproxy sshd placement cinder_scheduler
    clustercheck tuned chrony horizon neutron_api ca_certs heat_api_cfn
"""


def write_keys(paths: Paths, base: Base) -> None:
    """Puts the key and the hosts' public keys where the lab is used from."""
    for suffix in ("", ".pub"):
        shutil.copy(f"{base.key}{suffix}", f"{paths.key}{suffix}")
    paths.key.chmod(0o600)
    shutil.copy(base.known_hosts, paths.known_hosts)


def write_site(paths: Paths) -> None:
    """Writes the inventory and the site file."""
    paths.inventory.write_text(yaml.safe_dump(inventory(), default_flow_style=False, sort_keys=False))
    quoted = {name: _toml(str(getattr(paths, name))) for name in ("inventory", "key", "known_hosts")}
    paths.site.write_text(f"""\
name = "lab"
inventory = {quoted["inventory"]}
undercloud_address = "{HOSTS[UNDERCLOUD].address}"

[ssh]
user = "heat-admin"
key = {quoted["key"]}
known_hosts = {quoted["known_hosts"]}

[database]
container_pattern = "galera-bundle"
clustercheck_pattern = "clustercheck"
data_directory = "/var/lib/mysql"
owner = {DATABASE_OWNER}
""")


def inventory() -> dict[str, object]:
    """Returns what `tripleo-ansible-inventory --static-yaml-inventory` would write for the lab."""
    user = {"ansible_ssh_user": "heat-admin"}
    groups: dict[str, object] = {
        "Undercloud": {"hosts": {UNDERCLOUD: {}}, "vars": _undercloud()},
        "Controller": {
            "hosts": {name: _controller(name) for name in CONTROLLERS},
            "vars": {
                **user,
                "bootstrap_server_id": _server_id(CONTROLLERS[0]),
                "serial": "1",
                "tripleo_role_name": "Controller",
                "tripleo_role_networks": ["ctlplane", *_NETWORKS],
            },
        },
        "overcloud": {"children": {"Controller": {}}, "vars": _overcloud()},
        "allovercloud": {"children": {"overcloud": {}}},
    }
    for group in _SERVICE_GROUPS.split():
        groups[group] = {"children": {"Controller": {}}, "vars": dict(user)}
    return groups


def _undercloud() -> dict[str, object]:
    address = HOSTS[UNDERCLOUD].address
    return {
        "ansible_connection": "local",
        "ansible_host": "localhost",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_remote_tmp": "/tmp/ansible-${USER}",
        "auth_url": f"https://{address}:13000",
        "cacert": "/etc/pki/ca-trust/source/anchors/cm-local-ca.pem",
        "os_auth_token": "example-token-not-a-secret-gAAAAABedRLI4L",
        "overcloud_admin_password": "example-password-not-a-secret",
        "overcloud_horizon_url": f"https://{VIP}:443/dashboard",
        "overcloud_keystone_url": f"https://{VIP}:13000",
        "plan": "overcloud",
        "project_name": "admin",
        "undercloud_service_list": ["tripleo_ironic_conductor"],
        "undercloud_swift_url": f"https://{address}:13808/v1/AUTH_b0d47705b94c486889fd2b26ce343763",
        "username": "admin",
    }


def _controller(name: str) -> dict[str, object]:
    address = HOSTS[name].address
    variables: dict[str, object] = {
        "ansible_host": address,
        "canonical_hostname": f"{name}.localdomain",
        "ctlplane_hostname": f"{name}.ctlplane.localdomain",
        "ctlplane_ip": address,
        "deploy_server_id": _server_id(name),
    }
    for network in _NETWORKS:
        # A deployment without separate networks has all of them on the control plane's.
        variables[f"{network}_hostname"] = f"{name}.{network.replace('_', '')}.localdomain"
        variables[f"{network}_ip"] = address
    return variables


def _overcloud() -> dict[str, object]:
    networks = ("ctlplane", "external", "internal_api", "storage", "storage_mgmt")
    return {"container_cli": "podman", **{f"{network}_vip": VIP for network in networks}, "redis_vip": VIP}


def _server_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{SUBNET}"))


def _toml(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
