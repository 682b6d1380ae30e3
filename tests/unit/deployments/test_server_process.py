"""Whatever the collector waits for, the thread of the event loop does not wait with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from deployments.project import PROJECT

# A cursor in a cycle, as far as it matters: taking it away waits for what the main thread does next.
_WAITING_GARBAGE = """
import gc, sys, threading
from deployments.server_process import collect_in_a_thread

if sys.argv[1] == "in a thread":
    collect_in_a_thread()
collected_by, goes_on = [], threading.Event()

class Cursor:
    def __init__(self):
        self.cycle = self
    def __del__(self):
        goes_on.wait(2)
        collected_by.append(threading.current_thread().name)

Cursor()
kept = [[] for _ in range(100_000)]  # enough for the collector to begin by itself
print("held up" if collected_by else "not held up")
goes_on.set()
while not collected_by:
    threading.Event().wait(0.05)
print(collected_by[0])
"""


@pytest.mark.parametrize(
    ("collector", "told"),
    [("in a thread", ["not held up", "garbage collector"]), ("as it is", ["held up", "MainThread"])],
)
def test_garbage_that_waits_for_the_event_loop_does_not_hold_it_up(collector: str, told: list[str]) -> None:
    words = [sys.executable, "-c", _WAITING_GARBAGE, collector]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == told, done.stderr
