"""What Prefect calls in a fresh process when a run was cancelled or has crashed: undo, and report what stands.

A clients' block or a half-restored database is left as it is on purpose; the report says that it stands.
"""

from __future__ import annotations

from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State

from blocks.remote.command import script
from blocks.remote.errors import RunbookError
from blocks.remote.secrets import install_mask
from blocks.remote.shell import Shell
from tasks.journal import Journal, now, read_journals, write_journal
from tasks.report import UNKNOWN, publish
from tasks.runbook import load_site
from tasks.undo import perform_undo


def report_cancelled(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Prefect's `on_cancellation`: end what the run left running on the hosts, undo, report."""
    _close(flow, flow_run, state, "cancelled")


def report_crashed(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Prefect's `on_crashed`: undo and report; long commands go on, the next run attaches to them."""
    _close(flow, flow_run, state, "crashed")


def _close(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any], outcome: str) -> None:
    install_mask()
    name, site = flow.name, str((flow_run.parameters or {}).get("site", ""))
    where = load_site(site)
    shells = {host: where.shell(where.host(host)) for host in where.hosts}
    first = where.hosts_with(where.database.role)[0]
    journal: Journal | None = None
    unknown = ""
    errors = [state.message or outcome]
    try:
        journal, _ = read_journals(shells[first.name], name)
        if journal is not None and journal.run_id == str(flow_run.id):
            if outcome == "cancelled":
                for host in where.hosts_with(where.database.role):
                    _end_units(shells[host.name], name)
            _undo(shells, shells[first.name], journal)
    except RunbookError as error:
        errors.append(str(error))
        if journal is None:
            unknown = (
                f"unknown: the journal on {first.name} could not be read; clients may be blocked, Galera unmanaged"
            )
    finally:
        for shell in shells.values():
            shell.close()
    if journal is None or journal.run_id != str(flow_run.id):
        journal = Journal(runbook=name, site=site, run_id=str(flow_run.id), started=now())
        journal.in_force = {UNKNOWN: unknown} if unknown else {}
    publish(journal, outcome, "\n".join(errors), [f"{what}: {place}" for what, place in journal.kept.items()])


def _undo(shells: dict[str, Shell], first: Shell, journal: Journal) -> None:
    for undo in list(journal.undos):
        perform_undo(shells[undo.host], undo)
        journal.undos.remove(undo)
    write_journal(first, journal)


def _end_units(shell: Shell, runbook: str) -> None:
    """Stop the transient units of this runbook on a host."""
    shell.run(script(f"systemctl stop 'openstack-runbooks-{runbook}-*.service'", quiet=True))
