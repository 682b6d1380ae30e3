"""The databases of a site, as TripleO sets them up: the overcloud's Galera cluster, and the undercloud's."""

from typing import ClassVar

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, HttpUrl

from blocks.constraints import DataDirectory, HieraKey, RemotePath, ResourceName, RoleName


class GaleraDatabase(Block):
    """Where a site's Galera cluster lives: its hosts, containers, files and hiera keys.

    The defaults are those of Red Hat OpenStack Platform 16. The root password is not here: a runbook reads it from
    hiera on the host that needs it.

    Example:
        Load the database of a site:
        ```python
        from blocks.database import GaleraDatabase

        database = GaleraDatabase.load("BLOCK_NAME")
        ```
    """

    _block_type_name: ClassVar[str | None] = "Galera Database"
    _block_type_slug: ClassVar[str | None] = "galera-database"
    _logo_url: ClassVar[HttpUrl | None] = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/3c7dff04f70aaf4528e184a3b028f9e40b98d68c-250x250.png"
    )
    _documentation_url: ClassVar[HttpUrl | None] = HttpUrl(
        "https://docs.redhat.com/en/documentation/red_hat_openstack_platform/16.2/"
    )

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    role: RoleName = Field(default="mysql", description="Inventory group of the hosts that run the database.")
    container_pattern: ResourceName = Field(
        default="galera-bundle", description="Part of the name that the database's container has on every host."
    )
    clustercheck_pattern: ResourceName = Field(
        default="clustercheck", description="Part of the name that the health check's container has on every host."
    )
    resource: ResourceName = Field(default="galera-bundle", description="Name of the Pacemaker resource.")
    data_directory: DataDirectory = Field(
        default="/var/lib/mysql", description="Data directory on the hosts; a restore moves it aside."
    )
    owner: int = Field(
        default=42434, ge=1, le=2**31 - 1, description="Numeric user and group that own the data directory."
    )
    port: int = Field(default=3306, ge=1, le=65535, description="Port that clients connect to.")
    hiera_config: RemotePath = Field(
        default="/etc/puppet/hiera.yaml", description="Configuration file of hiera on the hosts."
    )
    vip_key: HieraKey = Field(default="mysql_vip", description="Hiera key of the database's virtual address.")
    password_key: HieraKey = Field(
        default="mysql::server::root_password", description="Hiera key of the database's root password."
    )
    client_options: RemotePath = Field(
        default="/root/.my.cnf", description="Option file of the root client, inside the container."
    )
    galera_options: RemotePath = Field(
        default="/etc/my.cnf.d/galera.cnf", description="Option file of the server, inside the container."
    )


class UndercloudDatabase(Block):
    """Where the undercloud's database lives: its container, files and hiera keys.

    The defaults are those of Red Hat OpenStack Platform 16. The root password is not here: a runbook reads it from
    hiera on the undercloud.

    Example:
        Load the undercloud's database of a site:
        ```python
        from blocks.database import UndercloudDatabase

        database = UndercloudDatabase.load("BLOCK_NAME")
        ```
    """

    _block_type_name: ClassVar[str | None] = "Undercloud Database"
    _block_type_slug: ClassVar[str | None] = "undercloud-database"
    _logo_url: ClassVar[HttpUrl | None] = GaleraDatabase._logo_url
    _documentation_url: ClassVar[HttpUrl | None] = GaleraDatabase._documentation_url

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    container: ResourceName = Field(
        default="mysql", description="Name of the database's container; its unit is `tripleo_<name>.service`."
    )
    data_directory: DataDirectory = Field(
        default="/var/lib/mysql", description="Data directory on the undercloud; a restore moves it aside."
    )
    owner: int = Field(
        default=42434, ge=1, le=2**31 - 1, description="Numeric user and group that own the data directory."
    )
    hiera_config: RemotePath = Field(
        default="/etc/puppet/hiera.yaml", description="Configuration file of hiera on the undercloud."
    )
    password_key: HieraKey = Field(
        default="mysql::server::root_password", description="Hiera key of the database's root password."
    )
    client_options: RemotePath = Field(
        default="/root/.my.cnf", description="Option file of the root client, inside the container."
    )
