"""A site: one OpenStack deployment that runbooks work on."""

from typing import ClassVar

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, HttpUrl, model_validator

from blocks.cloud import CloudAccess
from blocks.constraints import Address, HostName, RoleName, SiteName
from blocks.database import GaleraDatabase
from blocks.host import Host
from blocks.remote.shell import Shell
from blocks.ssh import SSHAccess
from blocks.store import BackupStore

__all__ = ["Host", "Site"]


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
    ssh: SSHAccess = Field(description="How the hosts are reached.")
    database: GaleraDatabase = Field(description="The Galera database.")
    store: BackupStore | None = Field(default=None, description="Where backups are kept.")
    cloud: CloudAccess | None = Field(default=None, description="The OpenStack API.")

    @model_validator(mode="after")
    def _roles_name_known_hosts(self) -> "Site":
        strangers = {name for names in self.roles.values() for name in names} - self.hosts.keys()
        if strangers:
            raise ValueError(f"roles name hosts that have no address: {', '.join(sorted(strangers))}")
        return self

    def host(self, name: str) -> Host:
        """Return the host called `name` in the inventory.

        Raises:
            LookupError: if the site has no such host; the message lists those that it has.
        """
        if name not in self.hosts:
            raise LookupError(f"site {self.site} has no host {name!r}; its hosts are {', '.join(sorted(self.hosts))}")
        return Host(name=name, address=self.hosts[name])

    def hosts_with(self, role: str) -> list[Host]:
        """Return the hosts of an inventory group, in the inventory's order; the list may be empty.

        Raises:
            LookupError: if the inventory has no such group; the message lists those that it has.
        """
        if role not in self.roles:
            raise LookupError(f"site {self.site} has no role {role!r}; its roles are {', '.join(sorted(self.roles))}")
        return [self.host(name) for name in self.roles[role]]

    def shell(self, host: Host) -> Shell:
        """Return a shell on `host`; nothing is connected yet."""
        return self.ssh.shell(host)
