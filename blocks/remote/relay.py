"""A stream from one host to another through this process: what one command writes, another one reads.

Nothing of it is kept here, and neither host needs a way to the other.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import paramiko

from blocks.remote.command import Command
from blocks.remote.shell import Shell

_PART = 1 << 17
_SAID = 8192
# A host that takes nothing for so long: its disk or the connection to it hangs.
_STUCK_S = 900.0
_GRACE_S = 10.0
_PROGRESS_EVERY_S = 10.0


@dataclass(frozen=True)
class Relayed:
    """A stream that has reached its end.

    Attributes:
        size_bytes: Of what was sent.
        sha256: Of what was sent.
        answer: What the reading command has written.
        complaints: The end of what the writing command has said on standard error.
    """

    size_bytes: int
    sha256: str
    answer: str
    complaints: str


class _End:
    """A command at one end of the stream.

    Args:
        shell: Its host.
        command: The command.
    """

    def __init__(self, shell: Shell, command: Command) -> None:
        self._shell, self._command = shell, command
        self._said = b""
        self.channel: paramiko.Channel = shell.open_channel(command, combined=False)

    @property
    def complaints(self) -> str:
        """The end of what it has said on standard error so far."""
        while self.channel.recv_stderr_ready():
            self._said = (self._said + self.channel.recv_stderr(_PART))[-_SAID:]
        return self._said.decode(errors="replace")

    def end(self) -> str:
        """Read what it still writes, and wait for its end; raises what `Shell.run` raises."""
        answer = b""
        self.channel.settimeout(self._command.timeout_s + _GRACE_S)
        try:
            while part := self.channel.recv(_PART):
                answer += part
            code = self.channel.recv_exit_status()
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._shell.broken(f"{type(error).__name__}: {error}") from error
        return self._shell.judge(self._command, code, answer.decode(errors="replace"), self.complaints).stdout


def _nobody(_: int) -> None:
    """Nobody watches."""


def relay(
    source: Shell,
    write: Command,
    sink: Shell,
    read: Command,
    bytes_per_s: int | None = None,
    on_progress: Callable[[int], None] = _nobody,
) -> Relayed:
    """Let one command read what another one writes, on another host.

    Args:
        source: The host that has the data.
        write: Writes it to standard output. Its `timeout_s` bounds the whole stream.
        sink: The host that gets it.
        read: Reads it from standard input. An input that ends early looks to it like one that is whole: what it has made of it
            counts only if this function returns.
        bytes_per_s: Most that is sent in a second; None: as much as goes through.
        on_progress: Gets from time to time how many bytes were sent.

    Raises:
        CommandFailed: One of the commands failed; where both did, the reading one, which stops the other.
        CommandTimedOut, ConnectionLost, LockLost, Stopped: As `Shell.run`.
        Unreachable, HostKeyRejected, LoginRejected: One of the hosts can't be reached; nothing was sent.
    """
    reader = _End(sink, read)
    try:
        writer = _End(source, write)
        try:
            size, sha256 = _pass_on(writer, reader, source, write, bytes_per_s, on_progress)
            writer.end()
            reader.channel.shutdown_write()
            return Relayed(size, sha256, reader.end(), writer.complaints)
        finally:
            writer.channel.close()
    finally:
        reader.channel.close()


def _pass_on(
    writer: _End,
    reader: _End,
    source: Shell,
    write: Command,
    bytes_per_s: int | None,
    on_progress: Callable[[int], None],
) -> tuple[int, str]:
    """Pass on all of it; returns its size and SHA-256."""
    size, sha256, began = 0, hashlib.sha256(), time.monotonic()
    told = began
    writer.channel.settimeout(write.timeout_s + _GRACE_S)
    reader.channel.settimeout(_STUCK_S)
    while True:
        try:
            part = writer.channel.recv(_PART)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise source.broken(f"{type(error).__name__}: {error}") from error
        if not part:
            return size, sha256.hexdigest()
        try:
            reader.channel.sendall(part)
        except (OSError, EOFError, paramiko.SSHException):
            reader.end()  # raises why it has stopped reading
            raise
        sha256.update(part)
        size += len(part)
        _ = writer.complaints, reader.complaints  # or a command that complains much would stand still
        if time.monotonic() - told >= _PROGRESS_EVERY_S:
            told = time.monotonic()
            on_progress(size)
        if bytes_per_s is not None:
            time.sleep(max(0.0, size / bytes_per_s - (time.monotonic() - began)))
