"""What a Prefect task costs, made as every step on a host is made, with nothing to do in it.

python -m tests.benchmarks.task_cost    (against the server of PREFECT_API_URL; prints milliseconds as JSON)
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from prefect import flow
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

from blocks.remote.shell import Access, Shell
from tasks.engine.change import Change
from tasks.engine.step import step_task

TASKS = 100
AT_ONCE = 3


@flow(name="task-cost", task_runner=ThreadPoolTaskRunner(max_workers=16), persist_result=False)  # type: ignore[arg-type]
def task_cost() -> dict[str, float]:
    """Run the tasks one after the other, then three at a time as for three controllers."""
    nowhere = Shell("nowhere", "192.0.2.1", Access("nobody", Path("key"), Path("known_hosts")))  # Nobody connects.
    tasks = [step_task(str(number), "Do nothing", nowhere, Change(())) for number in range(TASKS)]
    for one in tasks[:5]:
        one()
    started = time.perf_counter()
    for one in tasks:
        one()
    in_sequence = time.perf_counter() - started
    started = time.perf_counter()
    for first in range(0, TASKS, AT_ONCE):
        wait([one.submit() for one in tasks[first : first + AT_ONCE]])
    submitted = time.perf_counter() - started
    return {"in sequence": in_sequence / TASKS, "submitted": submitted / TASKS}


if __name__ == "__main__":
    print(json.dumps(task_cost()))
