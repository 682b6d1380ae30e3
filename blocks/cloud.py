"""The OpenStack API of a site."""

from typing import ClassVar

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, HttpUrl

from blocks.constraints import ResourceName
from blocks.remote.cloud import Cloud


class CloudAccess(Block):
    """Names a cloud of the clouds.yaml on the worker's machine; the credentials stay in that file.

    Example:
        Open the cloud of a site:
        ```python
        from blocks.cloud import CloudAccess

        cloud = CloudAccess.load("BLOCK_NAME").client()
        ```
    """

    _block_type_name: ClassVar[str | None] = "Cloud Access"
    _block_type_slug: ClassVar[str | None] = "cloud-access"
    _logo_url: ClassVar[HttpUrl | None] = HttpUrl(
        "https://raw.githubusercontent.com/PrefectHQ/prefect/420d0d6a78bb6df1fc18bcf188fdad43c1d22ea9/assets/block-logos/webhook.png"
    )
    _documentation_url: ClassVar[HttpUrl | None] = HttpUrl(
        "https://docs.openstack.org/openstacksdk/latest/user/config/configuration.html"
    )

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: ResourceName = Field(description="Name of the cloud in clouds.yaml.")
    region: ResourceName | None = Field(
        default=None, description="Region, if the cloud has more than one; none takes the file's own."
    )

    def client(self) -> Cloud:
        """Return a client of the cloud; nothing is read or connected yet."""
        return Cloud(self.name, self.region)
