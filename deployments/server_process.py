"""Prefect's server, with Python's garbage collector in a thread of its own: `python -m deployments.server_process prefect …`.

With SQLite the server stood still for up to 60 s after a client was killed, or under load. The collector ran in the thread of the
event loop, and came to a cursor of a connection that was in use again, where it waited for that connection's mutex
(`sqlite3_reset`, seen with py-spy); the connection's thread waited for the database's write lock, as long as Prefect's
`busy_timeout` lets it; and who held that lock waited for the event loop. The collector may wait: nobody waits for its thread.
(Prefect 3.9.1, aiosqlite 0.22.1, CPython 3.11; Prefect on PostgreSQL has no such lock.)
"""

from __future__ import annotations

import gc
import runpy
import sys
import threading
import time

# Seconds, and turns. A collection of everything holds the interpreter for as long as it takes, so it is made seldom.
_EVERY_S, _OLDER_EVERY, _ALL_EVERY = 1.0, 10, 120


def collect_in_a_thread() -> None:
    """Take the collector from all other threads, for as long as this process lives."""
    gc.disable()
    threading.Thread(target=_collect, name="garbage collector", daemon=True).start()


def _collect() -> None:
    turn = 0
    while True:
        time.sleep(_EVERY_S)
        turn += 1
        gc.collect(2 if turn % _ALL_EVERY == 0 else 1 if turn % _OLDER_EVERY == 0 else 0)


if __name__ == "__main__":
    collect_in_a_thread()
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
