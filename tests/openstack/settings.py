"""What the cloud consists of: its names and addresses on this machine, its packages, accounts and ready-made resources.

A change here makes the cached disk void.
"""

import hashlib
from dataclasses import dataclass

# Everything that the cloud makes on this machine carries this word. Short, because an interface's name has at most
# 15 characters.
PREFIX = "rbos"
LINK = f"{PREFIX}0"

# Control plane: this machine has the first address, the controller the second.
CONTROL = "10.77.0.0/24"
GATEWAY = "10.77.0.1"
ADDRESS = "10.77.0.2"
# The provider network with the floating addresses. This machine reaches it through the controller.
PUBLIC = "10.78.0.0/24"
PUBLIC_GATEWAY = "10.78.0.1"
# The project's own network, reachable through floating addresses only.
PRIVATE = "10.79.0.0/24"
PRIVATE_GATEWAY = "10.79.0.1"
SUBNETS = (CONTROL, PUBLIC, PRIVATE)

REGION = "RegionOne"
CLOUD = "lab"
ADMIN_CLOUD = "lab-admin"
PROJECT = "demo"
IMAGE = "debian-12"
FLAVOR = "m1.tiny"
KEYPAIR = "lab"
SECURITY_GROUPS = ("all", "base")
# `cirros` has the few programs of a Cirros, from busybox; the others have all of Debian.
MEMBER_USERS = ("debian", "cirros", "cloud-user")

POLLING_SECONDS = 5
EVALUATION_SECONDS = 5
ARCHIVE_POLICY = "autoscaling"
# The first is the polling interval, so that each interval has one sample, as where both are a minute.
GRANULARITIES_SECONDS = (POLLING_SECONDS, 60)
# What one vCPU gets of a processor. The six busy members of two checks together get less than one of two processors, so
# the services always have the other one, and a busy member is always seen at 100 %: its time is counted in vCPU seconds.
VCPU_PERCENT = 15

# As mmdebstrap takes them. The agents of Nova and Neutron and Octavia's driver agent are in the python3 packages.
PACKAGES = (
    "systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,openssh-client,sudo,iproute2,iptables,conntrack,"
    "iputils-arping,iputils-ping,procps,psmisc,curl,ca-certificates,hostname,patch,socat,less,php8.2-cli,"
    "busybox-static,mariadb-server,rabbitmq-server,memcached,haproxy,uwsgi-core,uwsgi-plugin-python3,"
    "python3-pymysql,python3-memcache,python3-pymemcache,python3-nova,python3-neutron,python3-octavia,"
    "keystone,placement-api,glance-api,nova-common,nova-api,nova-conductor,nova-scheduler,neutron-server,"
    "heat-api,heat-api-cfn,heat-engine,gnocchi-api,gnocchi-metricd,aodh-api,aodh-evaluator,aodh-notifier,"
    "ceilometer-common,ceilometer-polling,ceilometer-agent-notification,octavia-api"
)


@dataclass(frozen=True)
class Host:
    """The cloud's one machine."""

    name: str = "controller-0"
    address: str = ADDRESS
    netns: str = f"{PREFIX}-controller-0"


HOST = Host()


def password(account: str) -> str:
    """Returns a password that looks random and is the same every time, since it is baked into the cached disk."""
    return hashlib.sha256(f"openstack-runbooks cloud {account}".encode()).hexdigest()[:20]
