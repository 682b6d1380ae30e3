"""Where a site's backups are kept, and how."""

import re
from typing import Annotated, Any, ClassVar, Literal

from prefect.blocks.core import Block
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, HttpUrl, StringConstraints

from blocks.constraints import Address, HostName, RemotePath

_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
# What age-keygen prints as the public key; the private one never belongs here, and does not fit.
AgeRecipient = Annotated[str, StringConstraints(pattern=r"^age1[02-9ac-hj-np-z]{58}$")]


def _bytes(value: Any) -> Any:
    """Read "50M" as so many bytes; K, M and G are powers of 1024."""
    found = re.fullmatch(r"(\d+)([KMG]?)", value.strip()) if isinstance(value, str) else None
    if isinstance(value, str) and found is None:
        raise ValueError('must be bytes a second, as a number or like "50M"')
    return int(found[1]) * _UNITS[found[2]] if found else value


class Retention(BaseModel):
    """Which backups `prune-backups` keeps, of each kind: runbook, database and method.

    Only backups that were restored and compared are counted. What is counted more than once is kept once.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    last: int = Field(default=3, ge=1, le=1000, description="So many of the latest.")
    daily: int = Field(default=7, ge=0, le=1000, description="The latest of each of so many days (UTC).")
    weekly: int = Field(default=4, ge=0, le=1000, description="The latest of each of so many weeks (ISO, UTC).")
    monthly: int = Field(default=6, ge=0, le=1000, description="The latest of each of so many months (UTC).")
    minimum_verified: int = Field(
        default=2, ge=1, le=1000, description="So many verified ones always stay, whatever the other counts say."
    )


class BackupStore(Block):
    """Names the backup node of a site, the directory on it that holds the backups, and how they are kept there.

    Example:
        Load the store of a site:
        ```python
        from blocks.store import BackupStore

        store = BackupStore.load("BLOCK_NAME")
        ```
    """

    _block_type_name: ClassVar[str | None] = "Backup Store"
    _block_type_slug: ClassVar[str | None] = "backup-store"
    _logo_url: ClassVar[HttpUrl | None] = HttpUrl(
        "https://raw.githubusercontent.com/PrefectHQ/prefect/420d0d6a78bb6df1fc18bcf188fdad43c1d22ea9/assets/block-logos/filesystem.png"
    )
    _documentation_url: ClassVar[HttpUrl | None] = HttpUrl("https://relax-and-recover.org/documentation/")

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    kind: Literal["nfs", "sftp"] = Field(
        description="How backups travel to the store. nfs: hosts on which it is mounted under the same path write and read there, "
        "the others over SSH; sftp: over SSH always."
    )
    host: Address = Field(description="Address of the backup node.")
    path: RemotePath = Field(description="Directory on the backup node.")
    retention: Retention = Field(default_factory=Retention, description="Which backups prune-backups keeps.")
    bandwidth_bytes_per_s: Annotated[int, BeforeValidator(_bytes), Field(ge=1024)] | None = Field(
        default=None, description='Most that a backup may send in a second, as bytes or like "50M"; none: no limit.'
    )
    ionice: Literal["idle", "best-effort", "none"] = Field(
        default="best-effort",
        description="Class of disk access that a backup reads and writes with: idle, best-effort at its lowest, or as all else.",
    )
    age_recipient: AgeRecipient | None = Field(
        default=None, description="Public key of age that backups are encrypted to; none: they are not encrypted."
    )
    age_identity: RemotePath | None = Field(
        default=None,
        description="File with age's private key on the host of a drill, readable by root alone; none: what is encrypted can't be "
        "verified.",
    )
    integrity: Literal["chain"] = Field(
        default="chain", description="How a changed manifest is found: by the catalogue, which chains their checksums."
    )
    drill_host: HostName | None = Field(
        default=None,
        description="Host of the inventory on which verify-backup restores backups; none: the backup node if it has podman and "
        "the server's image, else the undercloud, else a host of the database that serves no clients.",
    )
    drill_directory: RemotePath = Field(
        default="/var/tmp",  # noqa: S108 - a directory of the run's own is made in it, under the host's lock
        description="Directory on that host in which a drill's data lies while it lasts.",
    )
    max_age_h: int = Field(
        default=26, ge=1, le=8760, description="Hours after which the newest verified backup of a kind is too old."
    )
