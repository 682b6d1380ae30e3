"""A host's shell over SSH (Fabric), with pinned host keys, deadlines, and a way to end it from another thread.

Prefect's own timeouts do not interrupt a command that Fabric waits for, so the deadline is given to the command, and
`Shell.close` from any thread ends all that runs.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import paramiko
from fabric import Config, Connection
from invoke.exceptions import CommandTimedOut as InvokeTimedOut

from blocks.remote.command import Command
from blocks.remote.connection import LineSink
from blocks.remote.errors import (
    CommandFailed,
    CommandTimedOut,
    ConnectionLost,
    HostKeyRejected,
    LoginRejected,
    Stopped,
    Unreachable,
)
from blocks.remote.known_hosts import HostKeyRefused, PinnedKeysPolicy
from blocks.remote.secrets import mask

# Seconds between keep-alives: a peer that lost power is noticed, and firewalls keep the connection.
_KEEPALIVE_S = 15
# A host that has vanished does not say so. paramiko would wait an hour for it to take the next command.
_CHANNEL_S = 30.0
# The host's own `timeout` should speak first; ours is for the host that no longer answers.
_GRACE_S = 10.0


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


@dataclass(frozen=True)
class Result:
    """What a command returned.

    Attributes:
        stdout: All of it.
        stderr: All of it.
        exit_code: One of the command's `ok` codes.
    """

    stdout: str
    stderr: str
    exit_code: int

    @property
    def text(self) -> str:
        """Standard output without the white space around it."""
        return self.stdout.strip()


class Shell:
    """One host, one connection that is opened at the first command and again after it broke.

    Args:
        name: What the host is called in plans and errors.
        address: Where it is.
        access: How it is reached.
    """

    # Nothing happened, or looking again and running again is safe: every change must bear that.
    retryable: ClassVar[tuple[type[Exception], ...]] = (ConnectionLost, Unreachable, CommandTimedOut)

    def __init__(self, name: str, address: str, access: Access) -> None:
        self.name = name
        self.address = address
        self._access = access
        self._connection: Connection | None = None
        self._opening = threading.Lock()
        self._closed = threading.Event()

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        """Run a command and wait for its end.

        Args:
            command: What to run.
            on_line: Gets each line of output as it comes, masked; not called for a quiet command.

        Returns:
            Its output and exit code.

        Raises:
            CommandFailed: It ended with a code outside `command.ok`.
            CommandTimedOut: It did not end within `command.timeout_s`.
            ConnectionLost: The connection broke; whether the command took effect is unknown.
            Stopped: `close` was called meanwhile.
            Unreachable, HostKeyRejected, LoginRejected: No connection; nothing ran.
        """
        connection = self._open()
        lines = _Lines(on_line if on_line and not command.quiet else None)
        try:
            promise = connection.run(
                command.line,
                asynchronous=True,  # so that standard input goes straight to the channel, not a character at a time
                in_stream=False,
                out_stream=lines,
                err_stream=lines,
                timeout=command.timeout_s + _GRACE_S,
                encoding="utf-8",
                warn=True,
            )
            # A command that ends before it has read its input closes the channel under us. That is no broken connection,
            # which would cost the host's lock: how it ended, the join says; a connection that did break, too.
            with suppress(OSError):
                if command.stdin is not None:
                    promise.runner.channel.sendall(command.stdin.encode())
                promise.runner.channel.shutdown_write()
            result = promise.join()
        except InvokeTimedOut as error:
            raise self._timed_out(command) from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._broken(f"{type(error).__name__}: {error}") from error
        lines.end()
        return self._judge(command, result.exited, result.stdout, result.stderr)

    def open_channel(self, command: Command) -> paramiko.Channel:
        """Start a command and return its channel at once, for the caller to speak with.

        Raises:
            Unreachable, HostKeyRejected, LoginRejected, ConnectionLost: As `run`.
        """
        transport = self._open().transport
        try:
            if transport is None:
                raise EOFError("no transport")
            channel: paramiko.Channel = transport.open_session(timeout=self._access.connect_timeout_s)
            channel.set_combine_stderr(True)
            channel.exec_command(command.line)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._broken(f"{type(error).__name__}: {error}") from error
        return channel

    def close(self) -> None:
        """End the connection and with it every command that waits on it; no new one is opened."""
        self._closed.set()
        self._drop()

    def _judge(self, command: Command, code: int, stdout: str, stderr: str) -> Result:
        if code == -1:  # paramiko's word for a channel that closed without an exit status
            raise self._broken("the connection ended before the command did")
        if code == 124 and 124 not in command.ok:  # timeout(1) on the host
            raise self._timed_out(command)
        if code not in command.ok:
            said = (
                "(output withheld)"
                if command.quiet and not stderr
                else mask(stderr if command.quiet else stdout + stderr)
            )
            raise CommandFailed(self.name, mask(command.says or command.shown), code, said)
        return Result(stdout, stderr, code)

    def _timed_out(self, command: Command) -> CommandTimedOut:
        return CommandTimedOut(
            self.name,
            f"`{mask(command.shown)}` did not end within {command.timeout_s:g} s and was ended",
            "see what the host is waiting for (disk, lock, network), then start the runbook again",
        )

    def _broken(self, what: str) -> ConnectionLost | Stopped:
        self._drop()
        if self._closed.is_set():
            return Stopped(self.name, "the run was stopped while a command was under way")
        return ConnectionLost(self.name, what, "see whether the host is up, then start the runbook again")

    def _open(self) -> Connection:
        with self._opening:
            if self._closed.is_set():
                raise Stopped(self.name, "the run was stopped")
            if self._connection is not None and self._connection.is_connected:
                return self._connection
            self._drop()
            self._connection = _connect(self.name, self.address, self._access)
            return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        # The transport first: Fabric's own close waits for nothing, but leaves a hung channel to its reader.
        if connection.transport is not None:
            connection.transport.close()
        connection.close()


def _connect(name: str, address: str, access: Access) -> Connection:
    """Open a connection that trusts the pinned keys alone."""
    gateway = None
    if access.jump_host:
        gateway = _pinned(Connection(access.jump_host, config=_config(), connect_kwargs=_arguments(access)), access)
    connection = _pinned(
        Connection(
            address,
            user=access.user,
            port=access.port,
            gateway=gateway,
            config=_config(),
            connect_timeout=access.connect_timeout_s,
            connect_kwargs=_arguments(access),
        ),
        access,
    )
    try:
        connection.open()
    except HostKeyRefused as error:
        raise HostKeyRejected(name, error.what, error.hint) from error
    except paramiko.AuthenticationException as error:
        raise LoginRejected(
            name, f"{access.user} with key {access.key} was refused", "check ssh.user and ssh.key"
        ) from error
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise Unreachable(
            name,
            f"no SSH session with {address}:{access.port} within {access.connect_timeout_s:g} s ({error})",
            "bring the host back (power, network, sshd) before this runbook is started",
        ) from error
    for hop in (connection, gateway):
        if hop is not None and hop.transport is not None:
            hop.transport.set_keepalive(_KEEPALIVE_S)
            _send_at_once(hop.transport.sock)
    return connection


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


class _Lines:
    """A stream that passes on whole lines."""

    def __init__(self, sink: LineSink | None) -> None:
        self._sink = sink
        self._rest = ""

    def write(self, text: str) -> int:
        if self._sink is not None:
            *whole, self._rest = (self._rest + text).split("\n")
            for line in whole:
                self._sink(mask(line.rstrip("\r")))
        return len(text)

    def flush(self) -> None:
        """Nothing is held back but an unfinished line."""

    def end(self) -> None:
        if self._sink is not None and self._rest:
            self._sink(mask(self._rest))
            self._rest = ""
