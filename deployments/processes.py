"""Starting the Prefect server and a worker with this project's settings.

Each takes the place of the process that asks, so that its process id is the one that the caller knows. What the
server keeps lies below `${XDG_STATE_HOME:-~/.local/state}/openstack-runbooks`, unless PREFECT_HOME says otherwise.
"""

import os
import sys
from pathlib import Path
from typing import NoReturn

from blocks.state import state_directory
from deployments.project import PROJECT


def become_server(port: int | None) -> NoReturn:
    """Become the Prefect server, on loopback.

    Args:
        port: Where it listens; none takes the one of prefect.toml.
    """
    if port is not None:
        # The server's UI sends the browser to the address of the API, and clients started from here inherit it.
        os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    _become("deployments.server_process", "prefect", "server", "start", *(["--port", str(port)] if port else []))


def become_worker(pool: str) -> NoReturn:
    """Become a worker of the work pool."""
    _become("prefect", "worker", "start", "--pool", pool, "--type", "process", "--install-policy", "never")


def _become(module: str, *arguments: str) -> NoReturn:
    home = Path(os.environ.setdefault("PREFECT_HOME", str(state_directory())))
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    # prefect.toml is read from the working directory.
    os.chdir(PROJECT)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - a list of words, as it should be
