"""Shells on the members of a group: servers that did not exist a minute ago, with host keys that nobody has pinned yet.

A member's host keys are read from its console log, where cloud-init prints them: that way leads through Nova's API, and not
through whoever might sit between us and the member's address.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from blocks.remote.cloud import Cloud
from blocks.remote.errors import HostKeyRejected
from blocks.remote.shell import Access, Shell
from tasks.autoscaling.group.group import Server

_KEYS = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
_KEY = re.compile(r"((?:ssh|ecdsa)-\S+ [A-Za-z0-9+/=]+)")


def parse_host_keys(console: str) -> list[str]:
    """Find the host keys that cloud-init printed: of the last boot, as `type base64`."""
    blocks = _KEYS.findall(console)
    return _KEY.findall(blocks[-1]) if blocks else []


class MemberShells:
    """Opens a shell on each member, and closes them all at the end.

    Args:
        cloud: Where the members are.
        access: User and key; its known_hosts are replaced by what each member's console says.
    """

    def __init__(self, cloud: Cloud, access: Access) -> None:
        self._cloud, self._access = cloud, access
        self._folder = Path(tempfile.mkdtemp(prefix="openstack-runbooks-"))
        self._shells: dict[str, Shell] = {}

    def __enter__(self) -> MemberShells:
        return self

    def __exit__(self, *_: object) -> None:
        for shell in self._shells.values():
            shell.close()
        shutil.rmtree(self._folder)

    def shell(self, server: Server) -> Shell:
        """Return a shell on a member; nothing is connected yet.

        Raises:
            HostKeyRejected: Its console shows no host key, so nobody can tell who answers at its address.
            CloudError, Stopped: As `Cloud.request`.
        """
        if server.id not in self._shells:
            with self._cloud.request(f"read the console of {server.name}") as sdk:
                said = sdk.compute.get_server_console_output(server.id)
            keys = parse_host_keys(str((said or {}).get("output") or ""))
            if not keys:
                raise HostKeyRejected(
                    server.name,
                    "its console shows no SSH host keys",
                    "use an image with cloud-init, which prints them (ssh_fp_console_blacklist, emit_keys_to_console)",
                )
            known = self._folder / server.id
            known.write_text("".join(f"{server.address} {key}\n" for key in keys))
            self._shells[server.id] = Shell(server.name, server.address, replace(self._access, known_hosts=known))
        return self._shells[server.id]


def member_access(user: str, key: Path) -> Access:
    """How members are reached; their host keys come from their consoles.

    Args:
        user: Who logs in.
        key: Private key file.
    """
    return Access(user=user, key=key, known_hosts=Path("/nonexistent"))
