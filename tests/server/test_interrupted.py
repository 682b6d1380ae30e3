"""SIGTERM ends a suite as Ctrl-C does: the server and the worker that it has started end with it, and even if it is killed."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from deployments.project import PROJECT
from tests.leftovers.found import Process, ours
from tests.server.fixtures import wait_until


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 2), (signal.SIGKILL, -signal.SIGKILL)])
def test_what_an_interrupted_suite_has_started_ends_with_it(number: signal.Signals, code: int) -> None:
    before = {one.pid for one in ours()}

    def new() -> list[Process]:
        return [one for one in ours() if one.pid not in before]

    suite = subprocess.Popen(
        [sys.executable, "-m", "pytest", "tests/server/test_runs.py", "-k", "bare"],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until("it starts a worker", lambda: any("prefect worker start" in one.line for one in new()), timeout_s=120)
    assert any("prefect server start" in one.line for one in new())
    suite.send_signal(number)
    assert suite.wait(60) == code
    if number == signal.SIGKILL:
        wait_until(f"all of it ends: {new()}", lambda: not new(), timeout_s=60)
    assert [one.line for one in new()] == []
