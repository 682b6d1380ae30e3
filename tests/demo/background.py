"""The demo's own Prefect server and worker: where they live, and how those of an earlier demo are ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blocks.state import state_directory
from tests.server.fixtures import PrefectServer, Worker, free_port

_USUAL_PORT = 4200
# Logs reach the server every half second, so that the steps can be watched.
_SETTINGS = {"PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.5"}


def home() -> Path:
    """The PREFECT_HOME of the demo."""
    return state_directory() / "demo"


def _pid_file() -> Path:
    # Beside the home, which is made anew.
    return state_directory() / "demo.pids"


@contextmanager
def server_and_worker(keep: bool) -> Iterator[PrefectServer]:
    """Start both in a new home; end them afterwards unless they are to be kept.

    Args:
        keep: Leave them running after a demo that came to its end.
    """
    end_earlier()
    shutil.rmtree(home(), ignore_errors=True)
    home().mkdir(parents=True, mode=0o700)
    server = PrefectServer.start(home(), _port(), outlives=keep)
    _record(server.pid)
    worker: Worker | None = None
    kept = False
    try:
        worker = Worker.start(server, outlives=keep, **_SETTINGS)
        _record(server.pid, worker.pid)
        yield server
        kept = keep
    finally:
        if not kept:
            if worker is not None:
                worker.stop()
            server.stop()
            _pid_file().unlink(missing_ok=True)


def _port() -> int:
    """The usual port, which the project's settings name, or a free one where another server has it."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", _USUAL_PORT))
        except OSError:
            return free_port()
    return _USUAL_PORT


def _record(*pids: int) -> None:
    _pid_file().write_text(json.dumps(pids))


def end_earlier() -> None:
    """End what a demo that was kept, or killed, left running.

    Server and worker each lead a process group. Of the groups on record, and of a server or worker that was started
    too shortly before the end to be on record, those processes are ended that live in the demo's home: a number that
    belongs to somebody else by now is left alone.
    """
    groups = _recorded() | {_group(pid) for pid in _at_home() if _is_service(pid)}
    for sign, patience_s in ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0)):
        for pid in _members(groups):
            try:
                os.kill(pid, sign)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + patience_s
        while _members(groups) and time.monotonic() < deadline:
            time.sleep(0.2)
    _pid_file().unlink(missing_ok=True)


def _recorded() -> set[int | None]:
    try:
        return set(json.loads(_pid_file().read_text()))
    except (FileNotFoundError, ValueError):
        return set()


def _members(groups: set[int | None]) -> list[int]:
    groups = groups - {None, os.getpgrp()}
    return [pid for pid in _at_home() if _group(pid) in groups]


def _at_home() -> list[int]:
    """Processes whose PREFECT_HOME is the demo's."""
    mine = f"PREFECT_HOME={home()}"
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if mine in _words(pid, "environ")]


def _is_service(pid: int) -> bool:
    """Whether it is the server or a worker as `python -m deployments` starts them, and not an operator's own `prefect …`."""
    words = _words(pid, "cmdline")
    server, worker = (
        ["-m", "deployments.server_process", "prefect", "server", "start"],
        ["-m", "prefect", "worker", "start"],
    )
    return words[1:6] == server or words[1:5] == worker


def _words(pid: int, file: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []  # It has ended.


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
