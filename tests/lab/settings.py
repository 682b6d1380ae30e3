"""What the lab consists of: its hosts, its names on this machine, its packages and its passwords.

A change here makes the cached disks void.
"""

import hashlib
from dataclasses import dataclass

SUBNET = "192.168.24.0/24"
GATEWAY = "192.168.24.254"
VIP = "192.168.24.100"
UNDERCLOUD = "undercloud"
DEFAULT_SIZE_MB = 20
# Everything that the lab makes on this machine carries this word, so that `down` can tell it from other things.
# Short, because an interface's name has at most 15 characters.
PREFIX = "rblab"
BRIDGE = f"{PREFIX}0"
DATABASE_OWNER = 42434
CLUSTER_NAME = "tripleo_cluster"
IMAGE_MARIADB = "undercloud.ctlplane.localdomain:8787/rh-osbs/rhosp16-openstack-mariadb:16.1_20210322.1"
IMAGE_TAGS = (
    "cluster.common.tag/rhosp16-openstack-mariadb:pcmklatest",
    "cluster.common.tag/rhosp16-openstack-haproxy:pcmklatest",
)

MACHINE_PACKAGES = ("mmdebstrap", "podman", "runc", "conmon", "iproute2", "openssh-client", "util-linux", "tar")
# As mmdebstrap takes them.
HOST_PACKAGES = (
    "systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,openssh-client,sudo,iproute2,iptables,"
    "iputils-ping,iputils-arping,python3,python3-yaml,podman,runc,conmon,pcs,pacemaker,corosync,"
    "resource-agents,pacemaker-cli-utils,mariadb-client,hiera,rsync,jq,procps,psmisc,net-tools,netcat-openbsd,"
    "socat,curl,tar,gzip,less,lsof,ca-certificates,hostname,openssl,cron,logrotate,bsdextrautils,kmod,"
    "nftables,attr"
)
IMAGE_PACKAGES = (
    "mariadb-server,mariadb-client,mariadb-backup,galera-4,pacemaker-remote,pacemaker-cli-utils,resource-agents,procps,"
    "iproute2,rsync,socat,hostname,psmisc,lsof,gawk,sudo,xinetd,netcat-openbsd,haproxy"
)


@dataclass(frozen=True)
class Host:
    """One machine of the lab."""

    name: str
    address: str

    @property
    def netns(self) -> str:
        """The name of its network namespace."""
        return f"{PREFIX}-{self.name}"

    @property
    def link(self) -> str:
        """The name of its end of the cable at the bridge."""
        return f"{PREFIX}-{self.address.rsplit('.', 1)[1]}"


HOSTS = {
    host.name: host
    for host in (
        Host("controller-0", "192.168.24.11"),
        Host("controller-1", "192.168.24.12"),
        Host("controller-2", "192.168.24.13"),
        Host(UNDERCLOUD, "192.168.24.1"),
        Host("backup", "192.168.24.20"),
    )
}
CONTROLLERS = tuple(name for name in HOSTS if name.startswith("controller-"))
# The names under which Galera's nodes know each other are those of the internal API network, as in a deployment.
GALERA_ADDRESS = "gcomm://" + ",".join(f"{name}.internalapi.localdomain" for name in CONTROLLERS)
GALERA_HOST_MAP = ";".join(f"{name}:{name}.internalapi.localdomain" for name in CONTROLLERS)

SERVICES = ("keystone", "nova", "nova_api", "neutron", "glance", "heat", "cinder", "placement")


def _password(name: str) -> str:
    """Returns a password that looks random and is the same every time, since it is baked into the cached disks."""
    return hashlib.sha256(f"openstack-runbooks lab {name}".encode()).hexdigest()[:20]


ACCOUNTS = ("root", "clustercheck", "hacluster", *SERVICES, "nova_wildcard", "neutron_fqdn", "monitoring", "reports")
PASSWORDS = {name: _password(name) for name in ACCOUNTS}
