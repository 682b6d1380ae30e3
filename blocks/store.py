"""Where a site's backups are kept."""

from typing import ClassVar, Literal

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, HttpUrl

from blocks.constraints import Address, RemotePath


class BackupStore(Block):
    """Names the backup node of a site, and the directory on it that holds the backups.

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

    kind: Literal["nfs", "sftp"] = Field(description="How backups travel to the store.")
    host: Address = Field(description="Address of the backup node.")
    path: RemotePath = Field(description="Directory on the backup node.")
