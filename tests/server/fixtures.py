"""A Prefect server and a worker of their own for tests: free ports, a temporary home, stopped by process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from deployments.project import PROJECT

# A statement of the server's waits up to 60 s for SQLite's lock, and on a busy machine with a slow disk some do.
START_TIMEOUT_S = ANSWER_TIMEOUT_S = COMMAND_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 20.0
# Gets SIGTERM when the process that started it is gone, even if that was killed.
_CONTAINED = ("setpriv", "--pdeathsig", "TERM")


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(subject: str, true: Callable[[], bool], timeout_s: float, every_s: float = 0.25) -> None:
    """Wait for something; TimeoutError says what it was."""
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{subject} within {timeout_s:.0f} s: it did not happen")
        time.sleep(every_s)


@dataclass
class _Background:
    """A process in a session of its own, with its output in a file."""

    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, words: list[str], log: Path, env: dict[str, str], outlives: bool = False) -> _Background:
        stream: IO[bytes]
        with log.open("ab") as stream:
            process = subprocess.Popen(
                [*([] if outlives else _CONTAINED), sys.executable, "-m", "deployments", *words],
                cwd=PROJECT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(process, log)

    def check_alive(self) -> None:
        if self.process.poll() is not None:
            raise RuntimeError(f"ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}")

    def stop(self) -> None:
        """End the process and whatever it started."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        try:
            # The group outlives its leader while a child of it does.
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


class PrefectServer:
    """A running Prefect server.

    Attributes:
        home: Its PREFECT_HOME: database, leases, log.
        url: Address of its API.
        pid: Process id of the server.
    """

    def __init__(self, home: Path, port: int, background: _Background) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{port}/api"
        self._background = background

    @classmethod
    def start(cls, home: Path, port: int | None = None, outlives: bool = False, **settings: str) -> PrefectServer:
        """Start a server and wait until it answers.

        Args:
            home: An existing directory; a server that ran in it before goes on with its database.
            port: Where it listens; none takes a free one.
            outlives: Whether it may go on after this process.
            settings: Environment variables besides.
        """
        port = port or free_port()
        env = _clean_environment() | {"PREFECT_HOME": str(home), "PYTHONFAULTHANDLER": "1"} | settings
        words = ["server", "--port", str(port)]
        server = cls(home, port, _Background.start(words, home / "server.log", env, outlives))
        try:
            wait_until(f"server on port {port} answers", server._answers, START_TIMEOUT_S)
        except BaseException:
            server.stop()
            raise
        return server

    @property
    def pid(self) -> int:
        return self._background.process.pid

    @property
    def log(self) -> str:
        """What the server has written so far."""
        return self._background.log.read_text()

    def env(self) -> dict[str, str]:
        """Return the environment in which Prefect talks to this server."""
        return _clean_environment() | {"PREFECT_API_URL": self.url, "PREFECT_HOME": str(self.home)}

    def run(
        self, *words: str, cwd: Path = PROJECT, timeout_s: float = COMMAND_TIMEOUT_S, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run `python WORDS` (such as `-m deployments apply …`) against this server."""
        with self._looked_at_when_late():
            return _run([sys.executable, *words], cwd, self.env(), timeout_s, stdin)

    def prefect(
        self, *words: str, cwd: Path = PROJECT, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> subprocess.CompletedProcess[str]:
        """Run `prefect WORDS`, the console script, against this server."""
        with self._looked_at_when_late():
            return _run([str(Path(sys.executable).with_name("prefect")), *words], cwd, self.env(), timeout_s)

    def api(self, method: str, path: str, json: Any = None) -> Any:
        """Send a request to the API, and return its answer.

        While SQLite is busy with another write the server answers 503; Prefect's own clients ask again, and so does
        this one.

        Raises:
            httpx.HTTPStatusError: for any other answer that is no success.
        """
        for attempt in Retrying(
            retry=retry_if_exception(_is_busy),
            wait=wait_random(0.2, 1),
            stop=stop_after_delay(ANSWER_TIMEOUT_S),
            reraise=True,
        ):
            with attempt, self._looked_at_when_late():
                answer = httpx.request(method, f"{self.url}{path}", json=json, timeout=ANSWER_TIMEOUT_S)
                answer.raise_for_status()
        return answer.json() if answer.content else None

    def stop(self) -> None:
        """End the server."""
        self._background.stop()

    @contextmanager
    def _looked_at_when_late(self) -> Iterator[None]:
        """End the server when it doesn't answer in time, and say with the error where its threads were, and its log."""
        try:
            yield
        except (httpx.TimeoutException, subprocess.TimeoutExpired) as error:
            self._background.process.send_signal(signal.SIGABRT)
            self._background.process.wait(STOP_TIMEOUT_S)
            error.add_note(f"The server's log ends with:\n{self.log[-6000:]}")
            raise

    def _answers(self) -> bool:
        self._background.check_alive()
        try:
            return httpx.get(f"{self.url}/health", timeout=2).is_success
        except httpx.TransportError:
            return False


class Worker:
    """A running worker of the work pool `runbooks`; it polls every second."""

    def __init__(self, background: _Background) -> None:
        self._background = background

    @classmethod
    def start(cls, server: PrefectServer, outlives: bool = False, **settings: str) -> Worker:
        """Start a worker and wait until the server knows it.

        Args:
            server: The server.
            outlives: Whether it may go on after this process.
            settings: Environment variables besides.
        """
        env = server.env() | {"PREFECT_WORKER_QUERY_SECONDS": "1"} | settings
        worker = cls(_Background.start(["worker"], server.home / "worker.log", env, outlives))
        try:
            wait_until("worker is online", lambda: worker._is_known_to(server), START_TIMEOUT_S)
        except BaseException:
            worker.stop()
            raise
        return worker

    @property
    def pid(self) -> int:
        return self._background.process.pid

    @property
    def log(self) -> str:
        """What the worker and the runs that it started have written so far."""
        return self._background.log.read_text()

    def stop(self) -> None:
        """End the worker, and the runs that it started."""
        self._background.stop()

    def _is_known_to(self, server: PrefectServer) -> bool:
        self._background.check_alive()
        answer = httpx.post(f"{server.url}/work_pools/runbooks/workers/filter", json={}, timeout=10)
        return answer.is_success and any(worker["status"] == "ONLINE" for worker in answer.json())


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code == httpx.codes.SERVICE_UNAVAILABLE


def _run(
    words: list[str], cwd: Path, env: dict[str, str], timeout_s: float, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout_s, input=stdin)


def _clean_environment() -> dict[str, str]:
    """Return this process's environment without Prefect's own settings, and without colours."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    return env | {"DO_NOT_TRACK": "1", "NO_COLOR": "1", "COLUMNS": "200"}
