"""The key files of SSH: the operator's private key, and the pinned keys of the hosts."""

import stat
from collections.abc import Mapping
from pathlib import Path

import paramiko


class KeyFileError(ValueError):
    """A key file that can't be used; the message names the file and says why."""


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
    known_hosts: Path, hosts: Mapping[str, str], port: int = 22, jump_host: str | None = None
) -> dict[str, str]:
    """Return the hosts that a known_hosts file pins no key for.

    Args:
        known_hosts: File in OpenSSH's format; hashed names are understood.
        hosts: Address of each host, by name.
        port: Port of sshd on the hosts.
        jump_host: `[user@]host[:port]` that must have a key too.

    Returns:
        Address of each host that is missing, by name; the jump host under its own.

    Raises:
        KeyFileError: if the file is missing or can't be read.
    """
    _check_file(known_hosts)
    try:
        pinned = paramiko.HostKeys(str(known_hosts))
    except (OSError, paramiko.SSHException, ValueError) as error:
        raise KeyFileError(f"{known_hosts} can't be read: {error}") from error
    missing = {name: address for name, address in hosts.items() if not pinned.lookup(_entry(address, port))}
    if jump_host:
        address, _, jump_port = jump_host.rpartition("@")[2].partition(":")
        if not pinned.lookup(_entry(address, int(jump_port or 22))):
            missing[address] = address
    return missing


def _entry(address: str, port: int) -> str:
    """Return the name under which known_hosts holds a host."""
    return address if port == 22 else f"[{address}]:{port}"


def _check_file(file: Path) -> None:
    if not file.exists():
        raise KeyFileError(f"{file}: file not found")
    if not file.is_file():
        raise KeyFileError(f"{file} is not a file")
