"""The key files of SSH: the operator's private key, and the pinned keys of the hosts."""

import shlex
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from blocks.host import Host
from blocks.remote.known_hosts import read_host_keys


class KeyFileError(ValueError):
    """A key file that can't be used; the message names the file and says why."""


@dataclass(frozen=True)
class UnpinnedHost:
    """A host that a known_hosts file pins no usable key for.

    Attributes:
        host: Its name and address; a jump host's name is its address.
        port: Of its sshd.
        unusable: The lines that name it and pin nothing, each as `line 7: why`.
    """

    host: Host
    port: int
    unusable: tuple[str, ...]

    def __str__(self) -> str:
        return self.host.name if self.host.name == self.host.address else f"{self.host.name} ({self.host.address})"


def check_private_key(key: Path) -> None:
    """Check that a private key is there, and is its owner's alone. Its contents are not read.

    Raises:
        KeyFileError: if it is missing, is no file, or is open to others.
    """
    _check_file(key)
    mode = stat.S_IMODE(key.stat().st_mode)
    if mode & 0o077:
        raise KeyFileError(f"{key} is open to others (mode {mode:04o}); `chmod 600 {key}`")


def hosts_without_key(
    known_hosts: Path, hosts: Iterable[Host], port: int = 22, jump_host: str | None = None
) -> list[UnpinnedHost]:
    """Return the hosts that a connection would refuse, since a known_hosts file pins no key for them.

    Args:
        known_hosts: File in OpenSSH's format, read as a connection reads it.
        hosts: Those to look for.
        port: Of sshd on the hosts.
        jump_host: `[user@]host[:port]` that must have a key too.

    Returns:
        Those that are missing, in order; the jump host last.

    Raises:
        KeyFileError: if the file is missing or can't be read.
    """
    _check_file(known_hosts)
    wanted = [(host, port) for host in hosts]
    if jump_host:
        address, _, jump_port = jump_host.rpartition("@")[2].partition(":")
        wanted.append((Host(name=address, address=address), int(jump_port or 22)))
    try:
        found = [(host, its_port, read_host_keys(known_hosts, host.address, its_port)) for host, its_port in wanted]
    except OSError as error:
        raise KeyFileError(f"{known_hosts} can't be read: {error.strerror}") from error
    return [UnpinnedHost(host, its_port, keys.unusable) for host, its_port, keys in found if not keys.keys]


def keyscan_commands(missing: Iterable[UnpinnedHost], known_hosts: Path) -> str:
    """Return the commands that append the missing hosts' keys to a file, for the operator to copy."""
    by_port: dict[int, list[str]] = {}
    for each in missing:
        by_port.setdefault(each.port, []).append(each.host.address)
    return " && ".join(
        f"ssh-keyscan {f'-p {port} ' if port != 22 else ''}{' '.join(addresses)} >> {shlex.quote(str(known_hosts))}"
        for port, addresses in by_port.items()
    )


def _check_file(file: Path) -> None:
    if not file.exists():
        raise KeyFileError(f"{file}: file not found")
    if not file.is_file():
        raise KeyFileError(f"{file} is not a file")
