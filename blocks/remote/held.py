"""A command that lives as long as this process keeps speaking to it, and answers: the ground of the locks on the hosts."""

from __future__ import annotations

import time

import paramiko

from blocks.remote.clock import since_boot
from blocks.remote.command import Command
from blocks.remote.errors import CommandFailed, ConnectionLost
from blocks.remote.guard import LAST_WORD
from blocks.remote.secrets import mask
from blocks.remote.shell import Shell


class Held:
    """A running command whose standard input is a life line.

    That we could send says nothing: a connection may be dead for a quarter of an hour before TCP gives up on what was
    written into it. So the command answers each line with the same line, and only an answer counts.

    Args:
        shell: The host.
        command: Prints `held` on a line of its own once it stands, then each line that it reads, and ends when it reads
            `LAST_WORD` or when its input ends or falls silent. Its `timeout_s` bounds its whole life.
        within_s: Seconds until it must have said so.

    Attributes:
        proven_at: When it was last known to live (`since_boot`): when the latest line that was answered was sent.

    Raises:
        CommandFailed: It ended instead; its output says why.
    """

    def __init__(self, shell: Shell, command: Command, within_s: float = 30.0) -> None:
        self._shell = shell
        self.proven_at = since_boot()
        self._channel = shell.open_channel(command)
        self._sent: dict[str, float] = {}
        self._count = 0
        said = self._first_words(within_s)
        if "held" not in said.splitlines():
            code = self._channel.recv_exit_status()
            raise CommandFailed(shell.name, mask(command.says or command.shown), code, mask(said))
        self._rest = said.rpartition("\n")[2]

    def _first_words(self, timeout_s: float) -> str:
        said = b""
        deadline = time.monotonic() + timeout_s
        while b"held" not in said.splitlines():
            left = deadline - time.monotonic()
            self._channel.settimeout(max(0.01, left))
            try:
                part = self._channel.recv(4096) if left > 0 else None
            except TimeoutError:
                part = None
            if part is None:
                self._channel.close()  # or it would stand later, with nobody to keep it
                raise ConnectionLost(self._shell.name, f"no answer within {timeout_s:g} s")
            if not part:
                break
            said += part
        return said.decode(errors="replace")

    @property
    def alive(self) -> bool:
        """Whether nothing says that the command, or the connection to it, has ended; no proof that they have not."""
        return not (self._channel.closed or self._channel.exit_status_ready())

    def prove(self, timeout_s: float) -> bool:
        """Ask for a sign of life.

        Args:
            timeout_s: Seconds to wait for it. One that comes later is seen by the next call, and counts from when it was
                asked for.

        Returns:
            Whether any came.

        Raises:
            ConnectionLost: The command, or the connection to it, has ended.
        """
        before = self.proven_at
        deadline = time.monotonic() + timeout_s
        self._count += 1
        line = str(self._count)
        try:
            self._channel.settimeout(timeout_s)
            self._sent[line] = since_boot()
            self._channel.sendall(f"{line}\n".encode())
            while line in self._sent and (left := deadline - time.monotonic()) > 0:
                self._channel.settimeout(left)
                self._hear(self._channel.recv(4096))
        except TimeoutError:
            pass  # no answer yet: whoever asks for the age of the last one is told by it
        except (OSError, paramiko.SSHException) as error:
            raise self._lost(error) from error
        return self.proven_at > before

    def _hear(self, part: bytes) -> None:
        if not part:
            raise OSError("it has ended")
        *lines, self._rest = (self._rest + part.decode(errors="replace")).split("\n")
        for line in lines:
            sent = self._sent.pop(line.strip(), None)
            if sent is not None:
                self.proven_at = max(self.proven_at, sent)

    def _lost(self, why: object) -> ConnectionLost:
        return ConnectionLost(self._shell.name, f"the lock on this host is lost: {why}")

    def release(self) -> None:
        """Tell it to end and wait for its end, so that the next one can begin."""
        if self._channel.closed:
            return
        try:
            self._channel.settimeout(10)
            self._channel.sendall(f"{LAST_WORD}\n".encode())
            self._channel.shutdown_write()
            self._channel.status_event.wait(10)
        except (OSError, paramiko.SSHException):
            pass  # the connection is gone; the host's own end of it ends the command
        finally:
            self._channel.close()
