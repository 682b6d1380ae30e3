"""A site: one OpenStack deployment that runbooks work on."""

from collections.abc import Iterable
from typing import ClassVar

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, HttpUrl, model_validator

from blocks.bmc import BmcAccess
from blocks.cloud import CloudAccess
from blocks.constraints import Address, CleanupAfter, HostName, RoleName, SiteName
from blocks.database import GaleraDatabase, UndercloudDatabase
from blocks.host import Host
from blocks.rear import RearSettings
from blocks.remote.bmc import Bmc
from blocks.remote.shell import Shell
from blocks.ssh import SSHAccess
from blocks.store import BackupStore

__all__ = ["BACKUP_NODE", "DRILL_HOST", "UNDERCLOUD", "Host", "Site", "UnknownTarget"]

# Hosts that runbooks know by what they are, beside those that they know by role.
UNDERCLOUD = "undercloud"
BACKUP_NODE = "backup node"
DRILL_HOST = "drill host"
_NAMED = (UNDERCLOUD, BACKUP_NODE, DRILL_HOST)
# TripleO's groups of two services, and its name for the role that has every service of the control plane.
_MYSQL, _HAPROXY, _CONTROLLER = "mysql", "haproxy", "Controller"


class UnknownTarget(LookupError):
    """A host, a role or a named host that a site does not have; the message lists those that it has."""


class Site(Block):
    """One OpenStack deployment: its hosts and roles, and how each part of it is reached.

    Made from a site file by `python -m deployments apply`. The roles are all groups of the Ansible inventory, with
    groups of groups resolved, so that a host is found by what it runs (`mysql`) however the roles are composed.

    Example:
        Open a shell on every host that runs the database:
        ```python
        from blocks.site import Site

        site = Site.load("BLOCK_NAME")
        shells = [site.shell(host) for host in site.hosts_with("mysql")]
        ```
    """

    _block_type_name: ClassVar[str | None] = "OpenStack Site"
    _block_type_slug: ClassVar[str | None] = "openstack-site"
    _logo_url: ClassVar[HttpUrl | None] = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/0b47a017e1b40381de770c17647c49cdf6388d1c-250x250.png"
    )
    _documentation_url: ClassVar[HttpUrl | None] = HttpUrl(
        "https://docs.redhat.com/en/documentation/red_hat_openstack_platform/16.2/"
    )

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    site: SiteName = Field(description="Name of the site; runbooks take it as their parameter.")
    hosts: dict[HostName, Address] = Field(min_length=1, description="Address of every host, by its inventory name.")
    roles: dict[RoleName, list[HostName]] = Field(
        min_length=1, description="Hosts of every inventory group, in the inventory's order."
    )
    undercloud: HostName | None = Field(default=None, description="Which of the hosts is the undercloud.")
    backup_node: HostName | None = Field(default=None, description="Which of the hosts keeps the backups.")
    ssh: SSHAccess = Field(description="How the hosts are reached.")
    database: GaleraDatabase = Field(description="The Galera database.")
    undercloud_database: UndercloudDatabase = Field(
        default_factory=UndercloudDatabase, description="The undercloud's database."
    )
    store: BackupStore | None = Field(default=None, description="Where backups are kept.")
    rear: RearSettings = Field(
        default_factory=RearSettings, description="How nodes are set up for images of them by ReaR."
    )
    bmc: dict[HostName, BmcAccess] = Field(
        default_factory=dict, description="How the BMCs of nodes are reached, by host."
    )
    cloud: CloudAccess | None = Field(default=None, description="The OpenStack API.")
    cleanup_after_s: CleanupAfter = Field(
        default=600, description="Seconds without a sign of a run until a host undoes by itself what must not stay."
    )

    @model_validator(mode="after")
    def _roles_name_known_hosts(self) -> "Site":
        strangers = {name for names in self.roles.values() for name in names} - self.hosts.keys()
        if strangers:
            raise ValueError(f"roles name hosts that have no address: {', '.join(sorted(strangers))}")
        named = {name for name in (self.undercloud, self.backup_node) if name} | self.ssh.users.keys()
        if strangers := named - self.hosts.keys():
            raise ValueError(f"undercloud, backup_node and ssh.users name no host: {', '.join(sorted(strangers))}")
        if self.store and self.store.drill_host and self.store.drill_host not in self.hosts:
            raise ValueError(f"[store] drill_host names no host: {self.store.drill_host}")
        if strangers := self.rear.networking.keys() - self.hosts.keys():
            raise ValueError(f"[rear] networking names no host: {', '.join(sorted(strangers))}")
        if strangers := self.bmc.keys() - self.hosts.keys():
            raise ValueError(f"[bmc] names no host: {', '.join(sorted(strangers))}")
        return self

    def host(self, name: str) -> Host:
        """Return the host called `name` in the inventory.

        Raises:
            UnknownTarget: if the site has no such host; the message lists those that it has.
        """
        if name not in self.hosts:
            raise UnknownTarget(f"site {self.site} has no host {name!r}; its hosts are {_listed(self.hosts)}")
        return Host(name=name, address=self.hosts[name])

    def hosts_with(self, role: str) -> list[Host]:
        """Return the hosts of an inventory group, in the inventory's order; the list may be empty.

        Raises:
            UnknownTarget: if the inventory has no such group; the message lists those that it has.
        """
        if role not in self.roles:
            raise UnknownTarget(f"site {self.site} has no role {role!r}; its roles are {_listed(self.roles)}")
        return [self.host(name) for name in self.roles[role]]

    def named(self, name: str) -> Host:
        """Return the host that is known by what it is.

        Args:
            name: `UNDERCLOUD`, `BACKUP_NODE` or `DRILL_HOST`.

        Raises:
            UnknownTarget: if the site names none; the message says what to write into the site file.
        """
        match name:
            case "undercloud":
                host, remedy = self.undercloud, "give its address as `undercloud_address`"
            case "backup node":
                host, remedy = self.backup_node, "give its address as `host` of the section [store]"
            case "drill host":
                host = self.store.drill_host if self.store else None
                remedy = "give its name as `drill_host` of the section [store]"
            case _:
                raise UnknownTarget(f"{name!r} is no named host; those are {', '.join(map(repr, _NAMED))}")
        if host is None:
            raise UnknownTarget(f"site {self.site} names no {name}: {remedy} in the site file, and apply it")
        return self.host(host)

    def select(self, targets: Iterable[str]) -> list[Host]:
        """Return the hosts that a runbook works on, in the order of its targets, each host once.

        Args:
            targets: Roles (inventory groups), and the named hosts `UNDERCLOUD`, `BACKUP_NODE` and `DRILL_HOST`, which go
                before a role of the same name. A role may have no host.

        Raises:
            UnknownTarget: with everything that the site does not have.
        """
        hosts: dict[str, Host] = {}
        problems = []
        for target in targets:
            try:
                is_named = target in _NAMED
                found = [self.named(target)] if is_named else self.hosts_with(target)
            except UnknownTarget as error:
                problems.append(str(error))
            else:
                hosts |= {host.name: host for host in found if host.name not in hosts}
        if problems:
            raise UnknownTarget("; ".join(dict.fromkeys(problems)))
        return list(hosts.values())

    def database_roles(self) -> list[str]:
        """Return the roles of the database's hosts and of those that may hold its virtual IP address, the database's first.

        TripleO lets Pacemaker place the address where haproxy runs, which are other hosts where the database has a role of
        its own. An inventory without that group has `Controller`, or nothing but the database's. In the inventory of several
        stacks, each group of a stack is called after it: `cell1_mysql` has its address in `cell1_haproxy`.
        """
        role = self.database.role
        stack = role.removesuffix(_MYSQL) if role.endswith(_MYSQL) else ""
        may_hold = [f"{prefix}{name}" for prefix in dict.fromkeys((stack, "")) for name in (_HAPROXY, _CONTROLLER)]
        return [role, *[name for name in may_hold if self.roles.get(name)][:1]]

    def control_plane(self) -> list[Host]:
        """Return the hosts that runbooks reach whatever they are asked for.

        These are the database's, those that may hold a virtual IP address, and the named ones. Hosts of other roles are
        reached by runbooks that take a role as their parameter.
        """
        roles = [role for role in (*self.database_roles(), _HAPROXY, _CONTROLLER) if role in self.roles]
        drill_host = self.store.drill_host if self.store else None
        hosts = ((UNDERCLOUD, self.undercloud), (BACKUP_NODE, self.backup_node), (DRILL_HOST, drill_host))
        named = [name for name, host in hosts if host]
        return self.select([*roles, *named])

    def shell(self, host: Host, user: str | None = None) -> Shell:
        """Return a shell on `host`; nothing is connected yet.

        Args:
            host: The host.
            user: Who logs in, if it is not the site's account there.
        """
        return self.ssh.shell(host, user)

    def bmc_of(self, host: str) -> Bmc | None:
        """Return the BMC of a host, where the site file has it; nothing is connected yet."""
        return self.bmc[host].client(host) if host in self.bmc else None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
