"""The lock of a site on the Prefect server: shown in the UI, and held by one run at a time.

It is a slot of a concurrency limit, held by a lease. **A server that is away, or that hangs, stops no run**: what protects
the control plane from two runbooks are the hosts' own locks. When the server is back the lease is renewed, or taken again
where it has run out. A run that finds the slot free, but sees by the variable that an unfinished run never gave it back,
gives that one `GRACE_S` to do so: the server may have been away from both.

A dead holder's lease ends by itself after about a minute; one whose flow run has ended is taken over at once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import VariableCreate, VariableUpdate
from prefect.client.schemas.objects import ConcurrencyLeaseHolder
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from blocks.remote.clock import since_boot
from blocks.remote.errors import Busy, RunbookError
from tasks.engine.heartbeat import warn

LEASE_S = 60.0  # the server's least
GRACE_S = 30.0
EVERY_S = 20.0
AGAIN_S = 5.0
ANSWER_S = 10.0
_BORNE_S = 15 * 60.0
_AWAY = (httpx.TransportError, PrefectHTTPStatusError)


def limit_of(site: str) -> str:
    """The name of a site's concurrency limit on the Prefect server."""
    return f"runbook-{site}"


def variable_of(site: str) -> str:
    """The name of the variable that says who holds it: JSON of `lease` and `run`."""
    return f"runbook_lease_{site.replace('-', '_')}"


@contextmanager
def _server(retries: int) -> Iterator[SyncPrefectClient]:
    """A client with time limits of its own: Prefect's would wait up to minutes for each answer, and ask again for more."""
    with (
        temporary_settings({PREFECT_CLIENT_MAX_RETRIES: retries}),
        get_client(httpx_settings={"timeout": httpx.Timeout(ANSWER_S)}, sync_client=True) as client,
    ):
        yield client


class ServerLock:
    """The slot of a site on the Prefect server; a `tasks.engine.heartbeat.Kept`.

    Args:
        site: The site's name; `python -m deployments apply` makes its limit.
        flow_run_id: Who holds it.
    """

    def __init__(self, site: str, flow_run_id: UUID) -> None:
        self._site, self._name, self._flow_run_id = site, limit_of(site), flow_run_id
        self._lease: UUID | None = None
        self._lost: Busy | None = None
        self._away_since: float | None = None
        self._told_s = 0.0

    @property
    def name(self) -> str:
        """Which lock this is."""
        return f"the lock of site {self._site} on the Prefect server"

    def take(self) -> None:
        """Take the slot, also from a holder whose flow run has ended.

        Raises:
            Busy: A living run holds it.
            RunbookError: The server does not know the site's limit, or does not answer.
        """
        try:
            with _server(retries=3) as client:
                self._take(client)
        except httpx.TransportError as error:
            raise RunbookError(
                f"{self.name} can't be taken: the server does not answer ({type(error).__name__}: {error})",
                "see whether the Prefect server is up, then start this runbook again",
            ) from error

    def _take(self, client: SyncPrefectClient) -> None:
        taken = not self._is_awaited(client) and self._try(client)
        if not taken and not (self._release_dead(client) and self._try(client)):
            raise self._busy(client)

    def _busy(self, client: SyncPrefectClient) -> Busy:
        return Busy(
            f"another runbook holds the lock of site {self._site} on the Prefect server: {self._holder_text(client)}",
            "wait for its end or cancel it; the lease of a killed run ends by itself after about a minute",
        )

    def _is_awaited(self, client: SyncPrefectClient) -> bool:
        """Whether an unfinished run that lost the slot without giving it back takes it again within `GRACE_S`."""
        run = self._holder(client).get("run")
        if run in {None, str(self._flow_run_id)} or self._has_ended(client, UUID(run)):
            return False
        deadline = time.monotonic() + GRACE_S
        while not (taken := self._slots_taken(client)) and time.monotonic() < deadline:
            time.sleep(1)
        return taken

    def _slots_taken(self, client: SyncPrefectClient) -> bool:
        try:
            return client.read_global_concurrency_limit_by_name(self._name).active_slots > 0
        except ObjectNotFound:
            return False  # what there is to say of it, `_try` says

    def _try(self, client: SyncPrefectClient) -> bool:
        try:
            client.read_global_concurrency_limit_by_name(self._name)
            holder = ConcurrencyLeaseHolder(type="flow_run", id=self._flow_run_id)
            answer = client.increment_concurrency_slots_with_lease([self._name], 1, "concurrency", LEASE_S, holder)
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
        self._write_holder(client, self._me(self._lease))
        return True

    def _me(self, lease: UUID) -> dict[str, str]:
        return {"lease": str(lease), "run": str(self._flow_run_id)}

    def _write_holder(self, client: SyncPrefectClient, holder: dict[str, str]) -> None:
        name, value = variable_of(self._site), json.dumps(holder)
        if client.read_variable_by_name(name) is None:
            client.create_variable(VariableCreate(name=name, value=value))
        else:
            client.update_variable(VariableUpdate(name=name, value=value))

    def _holder(self, client: SyncPrefectClient) -> dict[str, str]:
        variable = client.read_variable_by_name(variable_of(self._site))
        return dict(json.loads(str(variable.value))) if variable is not None else {}

    def _has_ended(self, client: SyncPrefectClient, run: UUID) -> bool:
        try:
            state = client.read_flow_run(run).state
        except ObjectNotFound:
            return True
        return state is None or state.is_final()

    def _release_dead(self, client: SyncPrefectClient) -> bool:
        """Release the lease of a run that has ended without doing so itself (it was killed)."""
        holder = self._holder(client)
        if not holder or not self._has_ended(client, UUID(holder["run"])):
            return False
        client.release_concurrency_slots_with_lease(UUID(holder["lease"]))
        return True

    def _holder_text(self, client: SyncPrefectClient) -> str:
        run = self._holder(client).get("run")
        if run is None:
            return "unknown"
        try:
            flow_run = client.read_flow_run(UUID(run))
        except ObjectNotFound:
            return f"flow run {run}, which was deleted"
        return f"flow run {flow_run.name} ({run}), {flow_run.state_name}"

    def beat(self) -> float:
        """Prolong the lease by another minute, or take it again where it has run out (see `Kept`)."""
        if self._lease is None or self._lost is not None:
            return EVERY_S
        try:
            with _server(retries=0) as client:
                self._renew(client, self._lease)
        except (*_AWAY, RunbookError) as error:
            self._tell_away(error)
            return AGAIN_S
        if self._away_since is not None:
            warn(f"the Prefect server answers again after {since_boot() - self._away_since:.0f} s")
        self._away_since, self._told_s = None, 0.0
        return EVERY_S

    def _renew(self, client: SyncPrefectClient, lease: UUID) -> None:
        try:
            client.renew_concurrency_lease(lease, LEASE_S)
            # Prefect can sweep up a lease that has run out while it renews it: then there is a lease, and the slot is free.
            holder = self._holder(client)
            if self._slots_taken(client) and holder.get("run") == str(self._flow_run_id):
                if holder.get("lease") != str(lease):  # the server was away between the slot and the variable
                    self._write_holder(client, self._me(lease))
                return
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in {httpx.codes.GONE, httpx.codes.NOT_FOUND}:
                raise
        if self._lease is None:
            return  # given back meanwhile
        warn(f"{self.name} has run out while the server was away; it is taken again")
        if self._try(client) or (self._release_dead(client) and self._try(client)):
            return
        if self._holder(client).get("run") != str(self._flow_run_id):  # else it is our own slot, not yet swept up
            self._lost = self._busy(client)

    def _tell_away(self, error: Exception) -> None:
        now = since_boot()
        if self._away_since is None:
            self._away_since = now
            warn(
                f"the Prefect server does not answer ({type(error).__name__}: {error}); the run goes on under the hosts' own locks"
            )
        if now - self._away_since > _BORNE_S and not self._told_s:
            self._told_s = now
            warn(
                f"the Prefect server has not answered for {_BORNE_S / 60:.0f} minutes; the run goes on under the hosts' own "
                "locks, which hold off every other run"
            )

    def check(self) -> None:
        """Raise where another run holds the slot now; that the server is away is no reason to stop (see `Kept`).

        Raises:
            Busy: Another run holds it.
        """
        if self._lost is not None:
            raise Busy(
                f"the lock was lost while the run went on: {self._lost.message}",
                "wait until the other run has ended, then start this one again: it goes on where it stands",
            )

    def release(self) -> None:
        """Give the slot back; where the server is away its lease ends by itself."""
        lease, self._lease = self._lease, None
        if lease is None or self._lost is not None:
            return
        try:
            with _server(retries=1) as client:
                client.release_concurrency_slots_with_lease(lease)
                self._write_holder(client, {})
        except _AWAY as error:
            warn(f"{self.name} could not be given back ({type(error).__name__}); it ends by itself within a minute")
