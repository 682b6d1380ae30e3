"""A host's shell over SSH (Fabric), with pinned host keys, deadlines, and a way to end it from another thread.

Prefect's own timeouts do not interrupt a command that Fabric waits for, so the deadline is given to the command, and
`Shell.close` from any thread ends all that runs.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import paramiko
from fabric import Connection
from invoke.exceptions import CommandTimedOut as InvokeTimedOut

from blocks.remote.command import Command
from blocks.remote.connection import LineSink
from blocks.remote.errors import (
    CommandFailed,
    CommandTimedOut,
    ConnectionLost,
    LockLost,
    Stopped,
    Unreachable,
)
from blocks.remote.guard import guarded, refused
from blocks.remote.hops import Access as Access
from blocks.remote.hops import close, connect
from blocks.remote.secrets import mask

# The host's own `timeout` should speak first; ours is for the host that no longer answers.
_GRACE_S = 10.0


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

    Attributes:
        lock_token: By what the host knows the lock that is held through this shell. With one, a command that changes
            anything runs only while that lock is held; None where no lock was taken.
    """

    # Nothing happened, or looking again and running again is safe: every change must bear that.
    retryable: ClassVar[tuple[type[Exception], ...]] = (ConnectionLost, Unreachable, CommandTimedOut)

    def __init__(self, name: str, address: str, access: Access) -> None:
        self.name = name
        self.address = address
        self.lock_token: str | None = None
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
            LockLost: The host's lock was taken through this shell, and is no longer held; nothing ran.
            Stopped: `close` was called meanwhile.
            Unreachable, HostKeyRejected, LoginRejected: No connection; nothing ran.
        """
        connection = self._open()
        lines = _Lines(on_line if on_line and not command.quiet else None)
        try:
            promise = connection.run(
                self._line(command),
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
            raise self.broken(f"{type(error).__name__}: {error}") from error
        lines.end()
        return self.judge(command, result.exited, result.stdout, result.stderr)

    def open_channel(self, command: Command, *, combined: bool = True) -> paramiko.Channel:
        """Start a command and return its channel at once, for the caller to speak with.

        Args:
            command: What to run; under the host's lock, as `run` does.
            combined: Whether standard error comes with standard output.

        Raises:
            Unreachable, HostKeyRejected, LoginRejected, ConnectionLost: As `run`.
        """
        transport = self._open().transport
        try:
            if transport is None:
                raise EOFError("no transport")
            channel: paramiko.Channel = transport.open_session(timeout=self._access.connect_timeout_s)
            channel.set_combine_stderr(combined)
            channel.exec_command(self._line(command))
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self.broken(f"{type(error).__name__}: {error}") from error
        return channel

    def close(self) -> None:
        """End the connection and with it every command that waits on it; no new one is opened."""
        self._closed.set()
        self._drop()

    def _line(self, command: Command) -> str:
        if self.lock_token is None or not (command.changes and command.root and command.limited):
            return command.line
        return guarded(command, self.lock_token)

    def judge(self, command: Command, code: int, stdout: str, stderr: str) -> Result:
        """Return what a command returned, or raise what its end means (see `run`).

        Args:
            command: The command.
            code: Its exit code; -1 where the connection ended before it did.
            stdout: What it wrote.
            stderr: What it said on standard error.
        """
        if code == -1:  # paramiko's word for a channel that closed without an exit status
            raise self.broken("the connection ended before the command did")
        if code == 124 and 124 not in command.ok:  # timeout(1) on the host
            raise self._timed_out(command)
        if self.lock_token is not None and refused(code, stderr):
            raise LockLost(
                self.name,
                f"the lock on this host is no longer this run's, so `{mask(command.says or command.shown)}` was not run",
                "see that no other runbook is at work, then start this one again: it goes on where it stands",
            )
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

    def broken(self, what: str) -> ConnectionLost | Stopped:
        """Drop the connection, and return what is to be raised: it broke, or the run was stopped."""
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
            self._connection = connect(self.name, self.address, self._access)
            return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        for hop in (connection, connection.gateway):  # Fabric's own close leaves the jump host's connection open
            if hop is not None:
                close(hop)


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
