"""What Prefect calls in a fresh process when a run was cancelled or has crashed: undo, and report what stands.

A clients' block or a half-restored database is left as it is on purpose; the report says that it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State

from blocks.remote.command import script
from blocks.remote.errors import RunbookError
from blocks.remote.secrets import install_mask
from blocks.remote.shell import Shell
from blocks.site import Site
from tasks.engine.cleanup import perform_undo
from tasks.engine.journal import Journal, keeper, now
from tasks.engine.opening import load_site
from tasks.engine.report import UNKNOWN, publish


class Closing:
    """The hooks of one runbook.

    Args:
        role: Which inventory group it works on, by the site and the run's parameters (a default may be missing among them);
            None for the cloud's API alone.
    """

    def __init__(self, role: Callable[[Site, Mapping[str, Any]], str] | None) -> None:
        self._role = role

    def cancelled(self, flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
        """Prefect's `on_cancellation`: end what the run left running on the hosts, undo, report."""
        self._close(flow, flow_run, state, "cancelled")

    def crashed(self, flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
        """Prefect's `on_crashed`: undo and report; long commands go on, the next run attaches to them."""
        self._close(flow, flow_run, state, "crashed")

    def _close(self, flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any], outcome: str) -> None:
        install_mask()
        parameters = flow_run.parameters or {}
        name, site, run_id = flow.name, str(parameters.get("site", "")), str(flow_run.id)
        where = load_site(site)
        shells = {host: where.shell(where.host(host)) for host in where.hosts}
        hosts = [shells[host.name] for host in where.hosts_with(self._role(where, parameters))] if self._role else []
        errors = [state.message or outcome]
        try:
            journal = _wind_up(name, site, run_id, hosts, shells, outcome == "cancelled", errors)
        finally:
            for shell in shells.values():
                shell.close()
        publish(journal, outcome, "\n".join(errors), [f"{what}: {place}" for what, place in journal.kept.items()])


def _wind_up(
    name: str, site: str, run_id: str, hosts: list[Shell], shells: dict[str, Shell], end: bool, errors: list[str]
) -> Journal:
    """Undo what the run must not leave, and return its journal; one that says so where there is none to be had."""
    nothing = Journal(runbook=name, site=site, run_id=run_id, started=now())
    journals = keeper(name, site, hosts[0] if hosts else None)
    journal: Journal | None = None
    try:
        journal, _ = journals.read()
        if journal is None or journal.run_id != run_id:
            return nothing
        for host in hosts if end else []:
            _end_units(host, name)
        for undo in list(journal.undos):
            perform_undo(shells[undo.host], undo)
            journal.undos.remove(undo)
        journals.write(journal)
    except RunbookError as error:
        errors.append(str(error))
    if journal is None:
        first = hosts[0].name if hosts else "this machine"
        said = f"unknown: the journal on {first} could not be read; what the runbook had put in force may stand"
        nothing.in_force = {UNKNOWN: said}
    return journal or nothing


def _end_units(shell: Shell, runbook: str) -> None:
    """Stop the transient units of this runbook on a host."""
    shell.run(script(f"systemctl stop 'openstack-runbooks-{runbook}-*.service'", quiet=True))
