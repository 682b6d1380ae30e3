"""How the hosts of a site are reached."""

from pathlib import Path
from typing import ClassVar

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, HttpUrl

from blocks.constraints import HostName, JumpHost, UserName
from blocks.host import Host
from blocks.remote.shell import Access, Shell


class SSHAccess(Block):
    """Reaches the hosts of a site over SSH, with a key and pinned host keys.

    Holds paths only, never a key: anyone who reaches a Prefect API reads blocks in plain text. The paths are those
    of the machine that the worker runs on.

    Example:
        Open a shell on a host:
        ```python
        from blocks.ssh import SSHAccess

        ssh = SSHAccess.load("BLOCK_NAME")
        shell = ssh.shell(host)
        ```
    """

    _block_type_name: ClassVar[str | None] = "SSH Access"
    _block_type_slug: ClassVar[str | None] = "ssh-access"
    _logo_url: ClassVar[HttpUrl | None] = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/0b47a017e1b40381de770c17647c49cdf6388d1c-250x250.png"
    )
    _documentation_url: ClassVar[HttpUrl | None] = HttpUrl("https://docs.fabfile.org/en/latest/")

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    user: UserName = Field(description="Account that logs in; it may use sudo without a password.")
    users: dict[HostName, UserName] = Field(
        default_factory=dict, description="Accounts of the hosts where another one logs in, by the host's name."
    )
    key: Path = Field(description="Path of the private key on the worker's machine, readable by its owner only.")
    known_hosts: Path = Field(
        description="Path of the known_hosts file on the worker's machine; a host that is not in it is refused."
    )
    port: int = Field(default=22, ge=1, le=65535, description="Port of sshd on the hosts.")
    jump_host: JumpHost | None = Field(
        default=None, description="Host to go through, as [user@]host[:port]; none connects directly."
    )
    connect_timeout_s: float = Field(
        default=10.0, ge=1, le=300, description="Seconds until an unanswered connection counts as failed."
    )

    def user_of(self, host: str) -> str:
        """Return the account that logs in on a host."""
        return self.users.get(host, self.user)

    def shell(self, host: Host, user: str | None = None) -> Shell:
        """Return a shell on `host`; nothing is connected yet.

        Args:
            host: The host.
            user: Who logs in, if it is not the site's account there.
        """
        access = Access(
            user=user or self.user_of(host.name),
            key=self.key,
            known_hosts=self.known_hosts,
            port=self.port,
            jump_host=self.jump_host,
            connect_timeout_s=self.connect_timeout_s,
        )
        return Shell(host.name, host.address, access)
