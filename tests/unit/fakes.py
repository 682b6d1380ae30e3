"""Shells for unit tests: one that answers from a list, one that runs scripts on this machine, and a clock."""

from __future__ import annotations

import inspect
import os
import select
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import paramiko
import prefect.tasks
import pytest
from prefect.futures import PrefectConcurrentFuture
from prefect.tasks import Task

import blocks.remote.waiting
import tasks.engine.runbook
from blocks.remote.command import Command
from blocks.remote.connection import LineSink, Watch
from blocks.remote.errors import CommandFailed
from blocks.remote.secrets import mask
from blocks.remote.shell import Access, Result, Shell

# Nobody watches.
silent = Watch(lambda _: None, lambda _: None)
NOWHERE = Access("nobody", Path("/nonexistent/key"), Path("/nonexistent/known_hosts"))

# What a command is answered with: its output, its exit code, both, an error, or what a function makes of the command.
Reply = str | int | Result | Exception | Callable[[Command], "Reply"]


def _judged(name: str, command: Command, result: Result) -> Result:
    if result.exit_code not in command.ok:
        raise CommandFailed(name, mask(command.shown), result.exit_code, mask(result.stdout + result.stderr))
    return result


class FakeShell(Shell):
    """Answers a command by the words in it, and records it; one that it was not told about fails the test.

    Args:
        name: Of the host.
        otherwise: The answer to every command that nothing is said about.
    """

    def __init__(self, name: str = "controller-0", otherwise: Reply | None = None) -> None:
        super().__init__(name, "192.0.2.1", NOWHERE)
        self.ran: list[Command] = []
        self.closed = False
        self.channel = FakeChannel()
        self._otherwise = otherwise
        self._answers: list[tuple[tuple[str, ...], list[Reply]]] = []

    def on(self, *words: str, say: Reply | list[Reply]) -> FakeShell:
        """Say what a command is answered with whose line has all of these words in it; the latest to fit counts.

        Args:
            words: Texts that the command's line contains.
            say: The answer; of a list each call takes one, and the last one stays.
        """
        self._answers.insert(0, (words, list(say) if isinstance(say, list) else [say]))
        return self

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        self.ran.append(command)
        result = self._result(self._reply(command), command)
        if on_line is not None and not command.quiet:
            for line in result.stdout.splitlines():
                on_line(mask(line))
        return _judged(self.name, command, result)

    def _reply(self, command: Command) -> Reply:
        line = " ".join(command.words)
        for words, replies in self._answers:
            if all(word in line for word in words):
                return replies.pop(0) if len(replies) > 1 else replies[0]
        if self._otherwise is None:
            raise AssertionError(f"nobody said what {self.name} answers to: {line}")
        return self._otherwise

    def _result(self, reply: Reply, command: Command) -> Result:
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, str):
            return Result(reply, "", 0)
        if isinstance(reply, int):
            return Result("", "", reply)
        return reply if isinstance(reply, Result) else self._result(reply(command), command)

    def open_channel(self, command: Command, *, combined: bool = True) -> paramiko.Channel:
        self.ran.append(command)
        return cast("paramiko.Channel", self.channel)

    def close(self) -> None:
        self.closed = True

    def lines(self, *words: str) -> list[str]:
        """The commands that were run and have all of these words in them, as an operator would type them."""
        return [one.shown for one in self.ran if all(word in " ".join(one.words) for word in words)]


class FakeChannel:
    """The channel of a command that is being spoken with.

    Attributes:
        says: What it prints, part by part; an exception is raised in its place; nothing left is the end of its output.
        takes_s: Seconds before each part.
        heard: What was sent to it.
        echoes: Whether it answers each line with the same line, as the lock on a host does.
    """

    def __init__(self) -> None:
        self.says: list[bytes | Exception] = [b"held\n"]
        self.takes_s = 0.0
        self.heard = b""
        self.echoes = False
        self.code = 0
        self.ended = False
        self.closed = False
        self.status_event = self

    def recv(self, _: int) -> bytes:
        if self.takes_s:
            time.sleep(self.takes_s)
        said = self.says.pop(0) if self.says else b""
        if isinstance(said, Exception):
            raise said
        return said

    def sendall(self, data: bytes) -> None:
        self.heard += data
        if self.echoes:
            self.says.append(data)

    def settimeout(self, _: float) -> None:
        pass

    def wait(self, _: float) -> bool:
        return True

    def recv_exit_status(self) -> int:
        return self.code

    def exit_status_ready(self) -> bool:
        return self.ended

    def shutdown_write(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.closed = True


class LocalShell(Shell):
    """Runs commands on this machine as they are, without sudo: for scripts, in a folder of the test's own.

    Args:
        path: A folder of programs that go before all others.
    """

    def __init__(self, path: Path | None = None) -> None:
        super().__init__("here", "192.0.2.1", NOWHERE)
        self._environment = {"LC_ALL": "C", "PATH": ":".join([*([str(path)] if path else []), os.environ["PATH"]])}

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        done = subprocess.run(
            command.words, input=command.stdin or "", capture_output=True, text=True, timeout=20, env=self._environment
        )
        return _judged(self.name, command, Result(done.stdout, done.stderr, done.returncode))

    def open_channel(self, command: Command, *, combined: bool = True) -> paramiko.Channel:
        return cast("paramiko.Channel", LocalChannel(command.words, self._environment))


class LocalChannel:
    """The channel of a command on this machine."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, bufsize=0)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._stdin, self._stdout, self._stderr = self.process.stdin, self.process.stdout, self.process.stderr
        self._ahead = b""

    def recv(self, size: int) -> bytes:
        return self._stdout.read(size) or b""

    def recv_stderr_ready(self) -> bool:
        self._ahead = self._ahead or (self._read_stderr() if select.select([self._stderr], [], [], 0)[0] else b"")
        return bool(self._ahead)

    def _read_stderr(self) -> bytes:
        return self._stderr.read(65536) or b""

    def recv_stderr(self, _: int) -> bytes:
        ahead, self._ahead = self._ahead, b""
        return ahead

    def sendall(self, data: bytes) -> None:
        while data:
            data = data[self._stdin.write(data) :]

    def shutdown_write(self) -> None:
        self._stdin.close()

    def settimeout(self, _: float) -> None:
        pass

    def recv_exit_status(self) -> int:
        return self.process.wait(20)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self._stdin, self._stdout, self._stderr):
            stream.close()


class FakeClock:
    """A clock that only moves when somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", self._read)
        monkeypatch.setattr(time, "sleep", self._sleep)
        monkeypatch.setattr(blocks.remote.waiting, "monotonic", self._read)

    def _read(self) -> float:
        return self.now

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


class _DoneFuture(PrefectConcurrentFuture[object]):
    """A future of a task that has been called already; the result, or the error, comes when it is asked for."""

    def __init__(self, outcome: Callable[[], object]) -> None:
        self._outcome = outcome
        self._final_state = cast("object", True)  # type: ignore[assignment]

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> object:
        return self._outcome()

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


def without_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call the function of a Prefect task as it is: without Prefect's engine, which needs a server."""

    def call(task: Task[[], object]) -> object:
        return task.fn()

    def submit(task: Task[[], object]) -> _DoneFuture:
        try:
            value = task.fn()
        except Exception as error:  # noqa: BLE001 - as the engine does
            raised = error

            def fail() -> object:
                raise raised

            return _DoneFuture(fail)
        return _DoneFuture(lambda: value)

    def no_source(_: object) -> str:
        raise OSError("not looked up")

    # Prefect looks up the source of each task that is made, which takes longer than everything else here.
    monkeypatch.setattr(inspect, "getsource", no_source)
    monkeypatch.setattr(prefect.tasks, "_generate_task_key", lambda _: "task", raising=False)
    monkeypatch.setattr(Task, "__call__", call)
    monkeypatch.setattr(Task, "submit", submit)
    monkeypatch.setattr(tasks.engine.runbook, "later_run", lambda *_: "")
