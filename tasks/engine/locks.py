"""One runbook at a time on a control plane: a lock on the Prefect server, and one on every host it touches.

The hosts' locks protect the control plane: from a second server, an operator's laptop, a run that should be dead. The
server's lock shows in the UI, and refuses early. See docs/decisions/0012.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from uuid import UUID

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_before_delay, wait_fixed

from blocks.remote.errors import Busy
from blocks.remote.shell import Shell
from tasks.engine.heartbeat import Heartbeat, warn
from tasks.engine.host_lock import HostLock
from tasks.engine.server_lock import ServerLock

# Each time the site's slot on the server and the locks of all hosts are asked for.
_ASK_AGAIN_S = 20.0


@contextmanager
def locked(
    site: str, flow_run_id: UUID, holder: str, shells: Sequence[Shell], wait_s: float = 0
) -> Iterator[Heartbeat]:
    """Hold the server's and all hosts' locks.

    Args:
        site: The site's name.
        flow_run_id: The run that holds them.
        holder: Who it is, for whoever is refused on a host; one line.
        shells: The hosts.
        wait_s: Seconds to wait while somebody else holds one of them.

    Yields:
        What keeps them alive. Call its `check` before the first command in each place and before each new try of it.

    Raises:
        Busy: Somebody else holds one of them.
    """
    patiently = Retrying(
        retry=retry_if_exception_type(Busy),
        stop=stop_before_delay(wait_s),
        wait=wait_fixed(_ASK_AGAIN_S),
        before_sleep=_tell_once,
        reraise=True,
    )
    heartbeat, taken = patiently(_take, ServerLock(site, flow_run_id), holder, shells)
    with taken:
        yield heartbeat


def _take(server: ServerLock, holder: str, shells: Sequence[Shell]) -> tuple[Heartbeat, ExitStack]:
    """Take all locks, or none."""
    with ExitStack() as stack:
        server.take()
        stack.callback(server.release)
        heartbeat = stack.enter_context(hosts_locked(holder, shells))
        heartbeat.keep(server)
        return heartbeat, stack.pop_all()


def _tell_once(state: RetryCallState) -> None:
    """Say at the beginning of the wait who is waited for."""
    if state.attempt_number == 1 and state.outcome is not None:
        warn(f"waiting: {state.outcome.exception()}")


def lock_host(shell: Shell, holder: str) -> HostLock:
    """Take the lock of one host; it ends by itself after a minute and a half unless a `Heartbeat` keeps it.

    Raises:
        Busy: Somebody else holds it.
    """
    return HostLock(shell, holder)


@contextmanager
def hosts_locked(holder: str, shells: Sequence[Shell]) -> Iterator[Heartbeat]:
    """Hold the locks of hosts, all or none.

    Args:
        holder: Who takes them, for whoever is refused; one line.
        shells: The hosts.

    Raises:
        Busy: Somebody else holds one of them.
    """
    locks: list[HostLock] = []
    try:
        with ThreadPoolExecutor(max_workers=max(1, len(shells))) as pool:
            futures = [pool.submit(HostLock, shell, holder) for shell in shells]
        locks = [future.result() for future in futures if future.exception() is None]
        for future in futures:
            future.result()
        heartbeat = Heartbeat(locks)
        try:
            yield heartbeat
        finally:
            heartbeat.stop()
    finally:
        for lock in locks:
            lock.release()
