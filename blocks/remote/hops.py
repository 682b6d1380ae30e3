"""Opening an SSH connection (Fabric): pinned host keys, time limits, a jump host with a name of its own."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

import paramiko
from fabric import Config, Connection

from blocks.remote.errors import HostError, HostKeyRejected, LoginRejected, Unreachable
from blocks.remote.known_hosts import HostKeyRefused, PinnedKeysPolicy

# Seconds between keep-alives: a peer that lost power is noticed, and firewalls keep the connection.
_KEEPALIVE_S = 15
# A host that has vanished does not say so. paramiko would wait an hour for it to take the next command.
_CHANNEL_S = 30.0


@dataclass(frozen=True)
class Access:
    """How the hosts are reached.

    Attributes:
        user: The SSH user, with passwordless sudo.
        key: Private key file.
        known_hosts: File of pinned host keys; an unknown or changed key is refused.
        port: TCP port of sshd.
        jump_host: `user@host:port` of the host to go through, or None.
        connect_timeout_s: Seconds until a host counts as unreachable.
    """

    user: str
    key: Path
    known_hosts: Path
    port: int = 22
    jump_host: str | None = None
    connect_timeout_s: float = 10.0


def connect(name: str, address: str, access: Access) -> Connection:
    """Open a connection that trusts the pinned keys alone, through the jump host where there is one.

    Raises:
        HostKeyRejected, LoginRejected, Unreachable: Of the jump host by its own name, or of the host.
    """
    gateway = None
    if access.jump_host:
        gateway = _connection(access.jump_host, access)
        _open(gateway, f"jump host {access.jump_host}", access, _JUMP_HOST)
    connection = _connection(address, access, user=access.user, port=access.port, gateway=gateway)
    try:
        _open(connection, name, access, _HOST)
    except HostError:
        if gateway is not None:
            close(gateway)
        raise
    return connection


def _connection(address: str, access: Access, **options: object) -> Connection:
    made = Connection(
        address,
        config=_config(),
        connect_timeout=access.connect_timeout_s,
        connect_kwargs=_arguments(access),
        **options,
    )
    return _pinned(made, access)


@dataclass(frozen=True)
class _Hints:
    """What the operator does about a hop that can't be used."""

    login: str
    unreachable: str


_HOST = _Hints(
    "check ssh.user and ssh.key", "bring the host back (power, network, sshd) before this runbook is started"
)
_JUMP_HOST = _Hints(
    "check the user in ssh.jump_host, and that it lets ssh.key in",
    "bring the jump host back, or correct ssh.jump_host, before this runbook is started; the hosts behind it have not been "
    "tried",
)


def _open(connection: Connection, name: str, access: Access, hints: _Hints) -> None:
    """Open one hop, and say in this project's words why it can't be."""
    try:
        connection.open()
    except HostKeyRefused as error:
        raise HostKeyRejected(name, error.what, error.hint) from error
    except paramiko.AuthenticationException as error:
        raise LoginRejected(name, f"{connection.user} with key {access.key} was refused", hints.login) from error
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise Unreachable(
            name,
            f"no SSH session with {connection.host}:{connection.port} within {access.connect_timeout_s:g} s ({error})",
            hints.unreachable,
        ) from error
    if connection.transport is not None:
        connection.transport.set_keepalive(_KEEPALIVE_S)
        _send_at_once(connection.transport.sock)


def close(connection: Connection) -> None:
    """Close one hop's connection; all that runs over it ends here, not on the host."""
    # The transport first: Fabric's own close waits for nothing, but leaves a hung channel to its reader.
    if connection.transport is not None:
        connection.transport.close()
    connection.close()


def _send_at_once(sock: object) -> None:
    """Turn off Nagle's algorithm, as OpenSSH does and paramiko does not: with it, most commands wait 40 ms for nothing.

    Args:
        sock: A transport's ground: a TCP socket, or a channel of the jump host's transport.
    """
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _config() -> Config:
    """Fabric's defaults without the operator's ~/.ssh/config: a site says all that counts."""
    return Config(overrides={"load_ssh_configs": False, "run": {"replace_env": False}})


def _arguments(access: Access) -> dict[str, object]:
    return {
        "key_filename": str(access.key),
        "allow_agent": False,
        "look_for_keys": False,
        "banner_timeout": access.connect_timeout_s,
        "auth_timeout": access.connect_timeout_s,
        "channel_timeout": _CHANNEL_S,
    }


def _pinned(connection: Connection, access: Access) -> Connection:
    """Replace Fabric's policy, which accepts any unknown key, before the connection is opened."""
    policy = PinnedKeysPolicy(access.known_hosts, connection.host, connection.port)
    connection.client.set_missing_host_key_policy(policy)
    connection.connect_kwargs["transport_factory"] = policy.transport
    return connection
