"""What Prefect calls in a fresh process when a run was cancelled or has crashed: clean up, and report what stands.

A clients' block or a half-restored database is left as it is on purpose; the report says that it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from blocks.remote.command import script
from blocks.remote.errors import Busy, RunbookError
from blocks.remote.secrets import install_mask
from blocks.remote.shell import Shell
from blocks.site import Site
from tasks.engine.cleanup import clean_up
from tasks.engine.heartbeat import Heartbeat
from tasks.engine.host_lock import HostLock
from tasks.engine.journal import Journal, now
from tasks.engine.journals import keeper
from tasks.engine.locks import lock_host
from tasks.engine.report import UNKNOWN, publish
from tasks.engine.site import hosts_of, load_site

# Longer than a lock outlives its holder.
_OWN_LOCK_S = 100


class Hooks:
    """The hooks of one runbook.

    Args:
        hosts: The groups of the inventory that it works on, by the site and the run's parameters (a default may be missing
            among them); None for the cloud's API alone.
    """

    def __init__(self, hosts: Callable[[Site, Mapping[str, Any]], Sequence[str]] | None) -> None:
        self._hosts = hosts

    def cancelled(self, flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
        """Prefect's `on_cancellation`: end what the run left running on the hosts, clean up, report."""
        self._close(flow, flow_run, state, "cancelled")

    def crashed(self, flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
        """Prefect's `on_crashed`: clean up and report; long commands go on, the next run attaches to them."""
        self._close(flow, flow_run, state, "crashed")

    def _close(self, flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any], outcome: str) -> None:
        install_mask()
        parameters = flow_run.parameters or {}
        name, site, run_id = flow.name, str(parameters.get("site", "")), str(flow_run.id)
        where = load_site(site)
        without = parameters.get("without") or ()
        hosts = hosts_of(where, self._hosts(where, parameters), without) if self._hosts else []
        shells = {host.name: where.shell(host) for host in hosts}
        closing = _Closing(name, site, run_id, shells, [state.message or outcome])
        try:
            journal = closing.close(end_units=outcome == "cancelled")
        finally:
            for shell in shells.values():
                shell.close()
        publish(
            journal, outcome, "\n".join(closing.errors), [f"{what}: {place}" for what, place in journal.kept.items()]
        )


class _Closing:
    """Winds up one run; what goes wrong meanwhile is told, and hinders nothing else.

    Args:
        runbook: The runbook's name.
        site: The site's name.
        run_id: Prefect's id of the run.
        shells: Host → shell; the first keeps the journal.
        errors: What is told.
    """

    def __init__(self, runbook: str, site: str, run_id: str, shells: dict[str, Shell], errors: list[str]) -> None:
        self._runbook, self._shells, self.errors = runbook, shells, errors
        self._nothing = Journal(runbook=runbook, site=site, run_id=run_id, started=now())
        self._journals = keeper(runbook, site, next(iter(shells.values()), None))

    def close(self, end_units: bool) -> Journal:
        """Clean up under the hosts' locks, so that no new run is disturbed.

        Args:
            end_units: Whether the long commands are ended.

        Returns:
            The run's journal; one that says so where there is none to be had.
        """
        with ExitStack() as locks:
            if not self._lock(locks):
                return self._read() or self._nothing
            journal = self._read()
            if journal is None:
                return self._nothing
            if end_units:
                self._end_units()
            cleanups = list(journal.cleanups)

            def on_record(due: list[Any]) -> None:
                journal.cleanups = due
                self._journals.write(journal)

            self.errors += clean_up(cleanups, self._shells, on_record)
            return journal

    def _lock(self, locks: ExitStack) -> bool:
        """Lock every host that can be reached; whether no other run is at work."""
        free = True
        holder = f"the end of {self._runbook}, flow run {self._nothing.run_id}"
        with ThreadPoolExecutor(max_workers=max(1, len(self._shells))) as pool:
            futures = [pool.submit(self._lock_host, shell, holder) for shell in self._shells.values()]
        for future in futures:
            error = future.exception()
            if error is None:
                locks.callback(future.result().release)
                locks.callback(Heartbeat([future.result()]).stop)
            elif isinstance(error, RunbookError):
                free = free and not isinstance(error, Busy)
                self.errors.append(error.message)
            else:
                raise error
        if not free:
            self.errors.append("nothing was cleaned up here: that run finds what is due in the journal")
        return free

    def _lock_host(self, shell: Shell, holder: str) -> HostLock:
        """Lock a host; the lock of the very run that has ended ends by itself, within 90 s of its last sign of life."""
        patiently = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, Busy) and self._nothing.run_id in error.message),
            stop=stop_after_delay(_OWN_LOCK_S),
            wait=wait_fixed(2),
            reraise=True,
        )
        return patiently(lock_host, shell, holder)

    def _read(self) -> Journal | None:
        """The run's journal, if it has one; where it can't be read, the report says so."""
        try:
            journal, _ = self._journals.read()
        except RunbookError as error:
            self.errors.append(str(error))
            first = next(iter(self._shells), "this machine")
            said = f"unknown: the journal on {first} could not be read; what the runbook had put in force may stand"
            self._nothing.in_force = {UNKNOWN: said}
            return None
        return journal if journal is not None and journal.run_id == self._nothing.run_id else None

    def _end_units(self) -> None:
        """Stop the transient units of this runbook on every host."""
        for shell in self._shells.values():
            try:
                shell.run(script(f"systemctl stop 'openstack-runbooks-{self._runbook}-*.service'", quiet=True))
            except RunbookError as error:
                self.errors.append(error.message)
