"""The services' configuration files."""

from tests.openstack.services import KEYSTONE
from tests.openstack.settings import (
    ADDRESS,
    ARCHIVE_POLICY,
    EVALUATION_SECONDS,
    HOST,
    PUBLIC_GATEWAY,
    REGION,
    password,
)

Section = dict[str, str | int | bool]
Ini = dict[str, Section]

# The queue listens on loopback only.
_QUEUE = "rabbit://guest:guest@127.0.0.1:5672/"
_LOCK = "/run/openstack"
DATABASES = (
    "keystone",
    "placement",
    "glance",
    "nova_api",
    "nova",
    "nova_cell0",
    "neutron",
    "heat",
    "gnocchi",
    "aodh",
    "octavia",
)
SERVICE_USERS = ("placement", "glance", "nova", "neutron", "heat", "gnocchi", "aodh", "octavia", "ceilometer")


def files() -> dict[str, str]:
    """Returns the configuration files of all services, by path."""
    return {path: _text(content) for path, content in _all().items()}


def _all() -> dict[str, Ini]:
    return {
        "/etc/keystone/keystone.conf": _keystone(),
        "/etc/placement/placement.conf": {
            "placement_database": _database("placement"),
            "api": {"auth_strategy": "keystone"},
            **_token("placement"),
            **_policy(),
        },
        "/etc/glance/glance-api.conf": _glance(),
        "/etc/nova/nova.conf": _nova(),
        "/etc/neutron/neutron.conf": _neutron(),
        "/etc/neutron/plugins/ml2/ml2_conf.ini": _ml2(),
        "/etc/neutron/linuxbridge_agent.ini": _linuxbridge(),
        "/etc/neutron/l3_agent.ini": {
            "DEFAULT": {"interface_driver": "linuxbridge", "enable_metadata_proxy": False},
        },
        "/etc/heat/heat.conf": _heat(),
        "/etc/gnocchi/gnocchi.conf": _gnocchi(),
        "/etc/aodh/aodh.conf": _aodh(),
        "/etc/ceilometer/ceilometer.conf": _ceilometer(),
        "/etc/octavia/octavia.conf": _octavia(),
    }


def _text(content: Ini) -> str:
    return "".join(
        f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items()) + "\n"
        for section, values in content.items()
    )


def _database(name: str) -> Section:
    secret = password("database")
    return {
        "connection": f"mysql+pymysql://openstack:{secret}@127.0.0.1/{name}?charset=utf8",
        "max_pool_size": 5,
        "max_overflow": 20,
    }


def _account(user: str) -> Section:
    return {
        "auth_type": "password",
        "auth_url": KEYSTONE.url,
        "username": user,
        "password": password(user),
        "project_name": "service",
        "user_domain_id": "default",
        "project_domain_id": "default",
    }


def _client(user: str) -> Section:
    return {**_account(user), "region_name": REGION}


def _token(user: str) -> Ini:
    """Returns how a service checks the tokens that it is shown."""
    return {
        "keystone_authtoken": {
            **_account(user),
            "www_authenticate_uri": KEYSTONE.url,
            "memcached_servers": "127.0.0.1:11211",
        }
    }


def _policy() -> Ini:
    return {"oslo_policy": {"enforce_scope": False, "enforce_new_defaults": False}}


def _messaging(notifications: str = "noop") -> Ini:
    return {
        "oslo_messaging_rabbit": {"heartbeat_timeout_threshold": 0, "rabbit_qos_prefetch_count": 8},
        "oslo_messaging_notifications": {"driver": notifications},
        "oslo_concurrency": {"lock_path": _LOCK},
        **_policy(),
    }


def _keystone() -> Ini:
    return {
        "database": _database("keystone"),
        "token": {"provider": "fernet", "expiration": 14400},
        "cache": {
            "enabled": True,
            "backend": "dogpile.cache.memcached",
            "memcache_servers": "127.0.0.1:11211",
        },
        **_policy(),
    }


def _glance() -> Ini:
    return {
        "DEFAULT": {"enabled_backends": "local:file"},
        "database": _database("glance"),
        "glance_store": {"default_backend": "local"},
        "local": {"filesystem_store_datadir": "/var/lib/glance/images"},
        "paste_deploy": {"flavor": "keystone"},
        "oslo_concurrency": {"lock_path": _LOCK},
        **_token("glance"),
        **_policy(),
    }


def _nova() -> Ini:
    return {
        "DEFAULT": {
            "transport_url": _QUEUE,
            "my_ip": ADDRESS,
            "host": HOST.name,
            "compute_driver": "cloudlab.nova_driver.NamespaceDriver",
            "state_path": "/var/lib/nova",
            "osapi_compute_workers": 1,
            "report_interval": 20,
            "service_down_time": 120,
            # The driver makes a server's cable when Neutron's agent is ready to take it, so there is no event to await.
            "vif_plugging_is_fatal": False,
            "vif_plugging_timeout": 0,
            "running_deleted_instance_poll_interval": 0,
        },
        "api_database": _database("nova_api"),
        "database": _database("nova"),
        "api": {"auth_strategy": "keystone"},
        "notifications": {"notify_on_state_change": "vm_and_task_state", "notification_format": "unversioned"},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 60},
        "conductor": {"workers": 1},
        "vnc": {"enabled": False},
        "filter_scheduler": {"enabled_filters": "ComputeFilter", "track_instance_changes": False},
        "placement": _client("placement"),
        "neutron": _client("neutron"),
        "glance": _client("glance"),
        **_token("nova"),
        **_messaging("messagingv2"),
    }


def _neutron() -> Ini:
    return {
        "DEFAULT": {
            "transport_url": _QUEUE,
            "host": HOST.name,
            "core_plugin": "ml2",
            "service_plugins": "router",
            "auth_strategy": "keystone",
            "bind_host": ADDRESS,
            "api_workers": 0,
            "rpc_workers": 0,
            "rpc_state_report_workers": 0,
            "notify_nova_on_port_status_changes": True,
            "notify_nova_on_port_data_changes": True,
        },
        "agent": {"report_interval": 15},
        "experimental": {"linuxbridge": True},
        "database": _database("neutron"),
        "nova": _client("nova"),
        **_token("neutron"),
        **_messaging(),
    }


def _ml2() -> Ini:
    return {
        "ml2": {
            "type_drivers": "flat,local",
            "tenant_network_types": "local",
            "mechanism_drivers": "linuxbridge",
            "extension_drivers": "port_security",
        },
        "ml2_type_flat": {"flat_networks": "physnet1"},
        # Groups exist, and filter nothing.
        "securitygroup": {"enable_ipset": False, "firewall_driver": "noop"},
    }


def _linuxbridge() -> Ini:
    return {
        "linux_bridge": {"bridge_mappings": "physnet1:br-ext"},
        "vxlan": {"enable_vxlan": False},
        "securitygroup": {"firewall_driver": "noop", "enable_security_group": False},
        "agent": {"polling_interval": 1},
    }


def _heat() -> Ini:
    authority = KEYSTONE.url
    return {
        "DEFAULT": {
            "transport_url": _QUEUE,
            "num_engine_workers": 1,
            "heat_metadata_server_url": f"http://{ADDRESS}:8000",
            "heat_waitcondition_server_url": f"http://{ADDRESS}:8000/v1/waitcondition",
            "stack_user_domain_name": "heat",
            "stack_domain_admin": "heat_domain_admin",
            "stack_domain_admin_password": password("heat_domain_admin"),
            "deferred_auth_method": "trusts",
            "reauthentication_auth_method": "",
            "region_name_for_services": REGION,
            "max_resources_per_stack": -1,
            # Of 5 times: each is as silent as the one before, and takes a server that can't boot a quarter of a minute.
            "action_retry_limit": 1,
        },
        "database": _database("heat"),
        "trustee": {
            "auth_type": "password",
            "auth_url": authority,
            "username": "heat",
            "password": password("heat"),
            "user_domain_id": "default",
        },
        "clients_keystone": {"auth_uri": authority},
        # Read by the patched heat-api-cfn only: Debian's asks Keystone without a token of its own.
        "ec2authtoken": {**_account("heat"), "auth_uri": authority},
        **_token("heat"),
        **_messaging(),
    }


def _gnocchi() -> Ini:
    directory = "/var/lib/gnocchi"
    return {
        "DEFAULT": {"coordination_url": f"file://{directory}/coordination"},
        "api": {"auth_mode": "keystone"},
        "indexer": {"url": _database("gnocchi")["connection"]},
        "incoming": {"driver": "file", "file_basepath": directory},
        "storage": {"driver": "file", "file_basepath": directory},
        "metricd": {"workers": 1, "metric_processing_delay": 2},
        **_token("gnocchi"),
    }


def _aodh() -> Ini:
    return {
        "DEFAULT": {"transport_url": _QUEUE},
        "database": _database("aodh"),
        "evaluator": {"evaluation_interval": EVALUATION_SECONDS, "workers": 1},
        "notifier": {"workers": 1},
        "service_credentials": {**_client("aodh"), "interface": "public"},
        **_token("aodh"),
        **_messaging(),
    }


def _ceilometer() -> Ini:
    return {
        "DEFAULT": {"transport_url": _QUEUE, "host": HOST.name, "hypervisor_inspector": "cloudlab"},
        "compute": {"instance_discovery_method": "naive", "resource_update_interval": 0},
        "notification": {"workers": 1},
        "service_credentials": {**_client("ceilometer"), "interface": "public"},
        **_messaging("messagingv2"),
    }


def _octavia() -> Ini:
    return {
        "DEFAULT": {"transport_url": _QUEUE, "host": HOST.name},
        "api_settings": {
            "auth_strategy": "keystone",
            "enabled_provider_drivers": "haproxy: an haproxy in a namespace of the controller",
            "default_provider_driver": "haproxy",
        },
        "driver_agent": {"enabled_provider_agents": "haproxy"},
        "database": _database("octavia"),
        # Only what the API does with it: making and deleting the port of the virtual address.
        "controller_worker": {"network_driver": "allowed_address_pairs_driver"},
        "service_auth": _client("octavia"),
        "neutron": _client("octavia"),
        **_token("octavia"),
        **_messaging(),
    }


PIPELINE = f"""\
---
sources:
    - name: cpu_source
      meters:
          - "cpu"
      sinks:
          - cpu_sink
sinks:
    - name: cpu_sink
      publishers:
          - gnocchi://?archive_policy={ARCHIVE_POLICY}&filter_project=service
"""

PROVIDER_NETWORK = f"""\
[Unit]
Description=The bridge of the provider network

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/ip link add br-ext type bridge
ExecStart=/sbin/ip address add {PUBLIC_GATEWAY}/24 dev br-ext
ExecStart=/sbin/ip link set br-ext up
"""
