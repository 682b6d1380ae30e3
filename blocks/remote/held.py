"""A command that lives as long as this process keeps speaking to it: the ground of the locks on the hosts."""

from __future__ import annotations

import time

import paramiko

from blocks.remote.command import Command
from blocks.remote.errors import CommandFailed, ConnectionLost
from blocks.remote.secrets import mask
from blocks.remote.shell import Shell


class Held:
    """A running command whose standard input is a life line.

    Args:
        shell: The host.
        command: Prints `held` on a line of its own once it stands, and ends when its input ends or falls silent. Its
            `timeout_s` bounds its whole life.
        within_s: Seconds until it must have said so.

    Raises:
        CommandFailed: It ended instead; its output says why.
    """

    def __init__(self, shell: Shell, command: Command, within_s: float = 30.0) -> None:
        self._shell = shell
        self._channel = shell.open_channel(command)
        said = self._first_words(within_s)
        if "held" not in said.split():
            code = self._channel.recv_exit_status()
            raise CommandFailed(shell.name, mask(command.shown), code, mask(said))

    def _first_words(self, timeout_s: float) -> str:
        self._channel.settimeout(timeout_s)
        said = b""
        deadline = time.monotonic() + timeout_s
        while b"held" not in said.split() and time.monotonic() < deadline:
            try:
                part = self._channel.recv(4096)
            except TimeoutError as error:
                raise ConnectionLost(self._shell.name, f"no answer within {timeout_s:g} s") from error
            if not part:
                break
            said += part
        return said.decode(errors="replace")

    @property
    def alive(self) -> bool:
        """Whether the command still runs."""
        return not (self._channel.closed or self._channel.exit_status_ready())

    def beat(self) -> None:
        """Say that we live.

        Raises:
            ConnectionLost: The command, or the connection to it, has ended.
        """
        try:
            if not self.alive:
                raise OSError("it has ended")
            self._channel.sendall(b"\n")
        except (OSError, paramiko.SSHException) as error:
            raise ConnectionLost(self._shell.name, f"the lock on this host is lost: {error}") from error

    def release(self) -> None:
        """Close the life line and wait for the command's end, so that the next one can begin."""
        if self._channel.closed:
            return
        self._channel.shutdown_write()
        self._channel.settimeout(10)
        self._channel.status_event.wait(10)
        self._channel.close()
