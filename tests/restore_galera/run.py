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
from typing import Any, cast

from prefect import Flow
from prefect.client.schemas.objects import State

from flows.restore_galera import restore_galera
from tasks.engine.run import Run

# Into the command, but before its end: the shortest commands that are worth it take about a second.
_DURING_S = 0.4


def _die() -> None:
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def kill_after(step: str) -> None:
    """Die once the step is done, before anything else is put on record."""
    end = Run._end_step

    def _end_step(self: Run, number: str, *more: Any) -> None:
        end(self, number, *more)
        if number == step:
            _die()

    Run._end_step = _end_step  # type: ignore[assignment,method-assign]


def kill_during(step: str) -> None:
    """Die in the middle of the step."""
    begin = Run._begin_step

    def _begin_step(self: Run, number: str, *more: Any) -> Callable[[], None]:
        recorded = begin(self, number, *more)
        if number == step:
            threading.Timer(_DURING_S, _die).start()
        return recorded

    Run._begin_step = _begin_step  # type: ignore[assignment,method-assign]


def main(flow: Flow[..., Any]) -> int:
    """Run a flow; 0 where it completed, 1 where it failed or refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parameters", type=json.loads)
    parser.add_argument("--kill-after")
    parser.add_argument("--kill-during")
    arguments = parser.parse_args()
    if arguments.kill_after:
        kill_after(arguments.kill_after)
    if arguments.kill_during:
        kill_during(arguments.kill_during)
    state = cast("State[Any]", flow(**arguments.parameters, return_state=True))
    if not state.is_completed():
        print(state.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(restore_galera))
