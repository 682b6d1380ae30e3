"""One runbook at a time on a control plane: a lock on the Prefect server, and one on every host it touches.

The server's lock shows in the UI and queues nothing; the hosts' locks hold off a second server, or an operator's laptop.
Both end with their holder: the host's lock is a process that lives on our SSH connection and on a sign of life at least
every 90 s, the server's is a lease, and one whose flow run has ended is taken over at once.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import ConcurrencyLeaseHolder
from prefect.exceptions import ObjectNotFound
from prefect.variables import Variable

from blocks.remote.command import script
from blocks.remote.errors import Busy, CommandFailed, ConnectionLost, RunbookError
from blocks.remote.held import Held
from blocks.remote.shell import Shell

_BEAT_S = 20.0
_SILENCE_S = 90
_LEASE_S = 60.0  # the server's least
_WEEK_S = 7 * 24 * 3600.0
_LOCK = "/run/lock/openstack-runbooks.lock"
_TAKEN = 75

# flock(1) holds the lock for the reader, the reader lives on our input. The holder's name is for whoever is refused.
# The loop's own shell holds the descriptor, so that nothing outlives it with the lock in hand.
_HOLD = f"""
exec 9>>"$1"
flock -n 9 || {{ cat "$1"; exit {_TAKEN}; }}
truncate -s 0 "$1"
printf '%s\\n' "$2" >&9
echo held
while read -r -t {_SILENCE_S} _; do :; done
truncate -s 0 "$1"
"""


def lock_host(shell: Shell, holder: str) -> Held:
    """Take the host's lock.

    Args:
        shell: The host.
        holder: Who takes it, for whoever is refused.

    Raises:
        Busy: Somebody holds it; the message says who.
    """
    command = script(_HOLD, _LOCK, holder, timeout_s=_WEEK_S, quiet=True)
    try:
        return Held(shell, command)
    except CommandFailed as error:
        if error.exit_code != _TAKEN:
            raise
        raise Busy(
            f"{shell.name}: another runbook is at work: {error.output.strip()}",
            "wait for its end or cancel it; the lock of a dead run ends by itself within 90 s",
        ) from error


def limit_of(site: str) -> str:
    """The name of a site's concurrency limit on the Prefect server."""
    return f"runbook-{site}"


def variable_of(site: str) -> str:
    """The name of the variable that says who holds it: JSON of `lease` and `run`."""
    return f"runbook_lease_{site.replace('-', '_')}"


class ServerLock:
    """The slot of a site on the Prefect server.

    Args:
        site: The site's name; `python -m deployments apply` makes its limit.
        flow_run_id: Who holds it.
    """

    def __init__(self, site: str, flow_run_id: UUID) -> None:
        self._site, self._name, self._flow_run_id = site, limit_of(site), flow_run_id
        self._lease: UUID | None = None

    @property
    def _variable(self) -> str:
        return variable_of(self._site)

    def take(self) -> None:
        """Take the slot, also from a holder whose flow run has ended.

        Raises:
            Busy: A living run holds it.
            RunbookError: The server does not know the site's limit.
        """
        with get_client(sync_client=True) as client:
            if self._try(client):
                return
            if self._release_dead(client) and self._try(client):
                return
            raise Busy(
                f"another runbook holds the lock of site {self._site} on the Prefect server: {self._holder_text(client)}",
                "wait for its end or cancel it; the lease of a killed run ends by itself after about a minute",
            )

    def _try(self, client: SyncPrefectClient) -> bool:
        try:
            client.read_global_concurrency_limit_by_name(self._name)
            holder = ConcurrencyLeaseHolder(type="flow_run", id=self._flow_run_id)
            answer = client.increment_concurrency_slots_with_lease([self._name], 1, "concurrency", _LEASE_S, holder)
        except ObjectNotFound as error:
            raise RunbookError(
                f"the Prefect server has no lock for site {self._site} (concurrency limit {self._name})",
                "run `python -m deployments apply --site FILE`",
            ) from error
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.LOCKED:
                return False
            raise
        self._lease = UUID(answer.json()["lease_id"])
        Variable.set(
            self._variable, json.dumps({"lease": str(self._lease), "run": str(self._flow_run_id)}), overwrite=True
        )
        return True

    def _holder(self) -> dict[str, str]:
        text = Variable.get(self._variable, default="{}")
        return dict(json.loads(str(text)))

    def _release_dead(self, client: SyncPrefectClient) -> bool:
        """Release the lease of a run that has ended without doing so itself (it was killed)."""
        holder = self._holder()
        if not holder:
            return False
        try:
            state = client.read_flow_run(UUID(holder["run"])).state
        except ObjectNotFound:
            state = None
        if state is not None and not state.is_final():
            return False
        client.release_concurrency_slots_with_lease(UUID(holder["lease"]))
        return True

    def _holder_text(self, client: SyncPrefectClient) -> str:
        run = self._holder().get("run")
        if run is None:
            return "unknown"
        try:
            flow_run = client.read_flow_run(UUID(run))
        except ObjectNotFound:
            return f"flow run {run}, which was deleted"
        return f"flow run {flow_run.name} ({run}), {flow_run.state_name}"

    def renew(self) -> None:
        """Prolong the lease by another minute."""
        if self._lease is not None:
            with get_client(sync_client=True) as client:
                client.renew_concurrency_lease(self._lease, _LEASE_S)

    def release(self) -> None:
        """Give the slot back."""
        if self._lease is not None:
            with get_client(sync_client=True) as client:
                client.release_concurrency_slots_with_lease(self._lease)
            self._lease = None


class Heart:
    """Beats while the flow lives: keeps the locks, and whatever else must end when the flow ends.

    Args:
        beats: What is called every 20 s. The first failure is kept and raised at the next `check`.
    """

    def __init__(self, beats: Sequence[Callable[[], None]]) -> None:
        self._beats = list(beats)
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)
        self._thread.start()

    def add(self, beat: Callable[[], None]) -> None:
        """Add something to be kept alive."""
        self._beats.append(beat)

    def check(self) -> None:
        """Raise what went wrong with a lock since the last look.

        Raises:
            RunbookError: A lock is lost; somebody else may be at work.
        """
        if self._failure is not None:
            raise RunbookError(
                f"the lock was lost while the run went on: {self._failure}",
                "see that no other runbook is at work, then start this one again: it goes on where it stands",
            ) from self._failure

    def _run(self) -> None:
        # A beat that fails once may be a slow server; one that fails until the lease has run out is a lost lock.
        failing_since: float | None = None
        while not self._stop.wait(_BEAT_S if failing_since is None else 3.0):
            try:
                for beat in list(self._beats):
                    beat()
                failing_since = None
            except (RunbookError, httpx.HTTPError, OSError) as error:
                failing_since = failing_since or time.monotonic()
                if isinstance(error, ConnectionLost) or time.monotonic() - failing_since > _LEASE_S / 2:
                    self._failure = error
                    return

    def stop(self) -> None:
        """Stop beating."""
        self._stop.set()
        self._thread.join(5)


@contextmanager
def locked(site: str, flow_run_id: UUID, holder: str, shells: Sequence[Shell]) -> Iterator[Heart]:
    """Hold the server's and all hosts' locks.

    Raises:
        Busy: Somebody else holds one of them.
    """
    server = ServerLock(site, flow_run_id)
    server.take()
    held: list[Held] = []
    try:
        with ThreadPoolExecutor(max_workers=max(1, len(shells))) as pool:
            futures = [pool.submit(lock_host, shell, holder) for shell in shells]
        held = [future.result() for future in futures if future.exception() is None]
        for future in futures:
            future.result()
        heart = Heart([server.renew, *(lock.beat for lock in held)])
        try:
            yield heart
        finally:
            heart.stop()
    finally:
        for lock in held:
            lock.release()
        server.release()
