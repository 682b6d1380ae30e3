"""How a site's nodes are set up for images by ReaR, with the vendor's Ansible role on the undercloud."""

import ipaddress
import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from blocks.constraints import HostName, RemotePath, UserName

_ROLE = "tripleo_backup_and_restore_"
# What the runbooks give the role themselves, under the names that it has had.
_OURS = frozenset(
    _ROLE + name
    for name in (
        *("server", "nfs_server", "shared_storage_folder", "nfs_storage_folder", "clients_nets", "nfs_clients_nets"),
        *("output_url", "backup_url"),
    )
)


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError("must be a network as address/prefix, without bits of a host: 192.168.24.0/24") from None


def _not_ours(name: str) -> str:
    if name in _OURS:
        raise ValueError("is set by the runbook, from [store] and [rear]")
    return name


def _address_of_images(text: str) -> str:
    if not re.fullmatch(r"(https?|nfs)://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._@+-]+)*/?", text):
        raise ValueError(
            "must be an address like http://192.168.24.1:8080/images: no query, which some BMCs can't bear, and no account"
        )
    return text.rstrip("/")


Network = Annotated[str, AfterValidator(_network)]
VariableName = Annotated[
    str, StringConstraints(pattern=rf"^{_ROLE}[a-z0-9_]+$", max_length=128), AfterValidator(_not_ours)
]
# One line, in single quotes within ReaR's configuration.
RescueCommand = Annotated[str, StringConstraints(pattern=r"^[^'\x00-\x1f]+$", max_length=1024)]
Value = bool | int | str | list[str]


class RearSettings(BaseModel):
    """What `prepare-backup-node` and `install-rear` want to know. No secret belongs here: the role's variables lie in a file."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    ansible_user: UserName = Field(default="stack", description="Account on the undercloud that runs Ansible.")
    ansible_key: RemotePath = Field(
        default="/home/stack/.ssh/id_rsa",
        description="Private key on the undercloud with which Ansible logs in to the nodes; its public half ends in .pub.",
    )
    roles_path: RemotePath = Field(
        default="/usr/share/ansible/roles", description="Directory on the undercloud that holds the Ansible role."
    )
    nfs_clients: list[Network] = Field(
        default=["192.168.24.0/24"], min_length=1, description="Networks that may mount the store, where it is NFS."
    )
    sftp_user: UserName = Field(
        default="rear", description="Account on the backup node that takes images, where the store is SFTP."
    )
    archive: Literal["beside", "inside"] = Field(
        default="beside",
        description="Where an archive lies if the store is SFTP: beside the ISO, or inside it as documented, which holds 2 GiB.",
    )
    networking: dict[HostName, list[RescueCommand]] = Field(
        default_factory=dict,
        description="Commands that set up a node's network in ReaR's rescue system, by host, in place of those made from its "
        "Open vSwitch bridges; an empty list: none.",
    )
    iso_url: Annotated[str, AfterValidator(_address_of_images)] | None = Field(
        default=None,
        description="Address at which BMCs find the directory of images; none: that of the NFS server, if the store is one.",
    )
    variables: dict[VariableName, Value] = Field(
        default_factory=dict, description="More variables for the Ansible role, as it names them."
    )
