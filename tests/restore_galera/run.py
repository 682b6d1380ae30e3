"""Run restore-galera in this process against the server of PREFECT_API_URL; kill the process on its way, if asked.

    python -m tests.restore_galera.run '{"site": "lab", "approved_by": "a test"}' [--kill-after STEP]

SIGKILL, as a power cut or the kernel's OOM killer would do it: nothing runs any more, no `finally`, no hook.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable

from blocks.remote.errors import RunbookError
from flows.restore_galera import restore_galera
from tasks.engine.change import Force
from tasks.engine.run import Runbook

# Into the command, but before its end: the shortest commands that are worth it take about a second.
_DURING_S = 0.4


def _die() -> None:
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def kill_after(step: str) -> None:
    """Die once the step is done, before anything else is put on record."""
    end = Runbook._end

    def _end(self: Runbook, number: str, ends: Force | None) -> None:
        end(self, number, ends)
        if number == step:
            _die()

    Runbook._end = _end  # type: ignore[method-assign]


def kill_during(step: str) -> None:
    """Die in the middle of the step."""
    begin = Runbook._begin

    def _begin(self: Runbook, number: str, begins: Force | None) -> Callable[[], None]:
        recorded = begin(self, number, begins)
        if number == step:
            threading.Timer(_DURING_S, _die).start()
        return recorded

    Runbook._begin = _begin  # type: ignore[method-assign]


def main() -> int:
    """Run it; 0 where it completed, 1 where it failed or refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parameters", type=json.loads)
    parser.add_argument("--kill-after")
    parser.add_argument("--kill-during")
    arguments = parser.parse_args()
    if arguments.kill_after:
        kill_after(arguments.kill_after)
    if arguments.kill_during:
        kill_during(arguments.kill_during)
    try:
        restore_galera(**arguments.parameters)
    except RunbookError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
