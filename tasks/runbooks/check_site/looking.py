"""What is looked at: every host that runbooks reach, the overcloud's and the undercloud's database, the store and its backups."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from blocks.remote.command import question
from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE, DRILL_HOST, UNDERCLOUD, Site
from tasks.backup.freshness import too_old
from tasks.backup.store import Store
from tasks.backup.writing import catalogue_missing
from tasks.engine.checks import Check
from tasks.engine.journal import now
from tasks.engine.journals import keeper
from tasks.engine.run import Run
from tasks.runbooks.check_site.control_plane import look_at_database
from tasks.runbooks.check_site.undercloud import look_at_undercloud

_HOST, _CATALOGUE, _BACKUPS, _UNFINISHED = "host", "catalogue of the backups", "backups", "unfinished run"
# Runbooks that a run may have left in the middle, and whose host has the journal.
_ON_DATABASE = ("restore-galera", "restore-schemas", "restore-accounts")
_ON_UNDERCLOUD = ("restore-undercloud-database",)


def hosts_of_check(site: Site, _: Mapping[str, Any]) -> list[str]:
    """Whatever hosts runbooks reach by themselves, the database's first.

    Args:
        site: The site.
    """
    drill_host = site.store.drill_host if site.store else None
    named = ((UNDERCLOUD, site.undercloud), (BACKUP_NODE, site.backup_node), (DRILL_HOST, drill_host))
    return [*site.database_roles(), *(name for name, host in named if host)]


def look(run: Run) -> None:
    """Look at everything; whatever is found becomes a check.

    Args:
        run: The run.
    """
    answering = run.everywhere(_HOST, _answers)
    run.checks += [Check(_HOST, name, "answers") for name in answering]
    databases = [shell for shell in run.hosts_with(run.site.database.role) if shell.name in answering]
    if databases:
        _each(run, "database", partial(look_at_database, run, databases))
        if databases[0] is run.first:
            _look_at_journals(run, run.first, _ON_DATABASE)
    undercloud = run.shells.get(run.site.undercloud or "")
    if undercloud is not None and undercloud.name in answering:
        _each(run, "undercloud", partial(look_at_undercloud, run, undercloud))
        _look_at_journals(run, undercloud, _ON_UNDERCLOUD)
    if run.site.store is None:
        run.facts.append("the site has no store, so that nothing can be said of backups")
        return
    node = run.shells[run.site.named(BACKUP_NODE).name]
    if node.name in answering:
        _each(run, _CATALOGUE, partial(_look_at_backups, run, node))


def _each(run: Run, name: str, look_at: Any) -> None:
    """Look at one thing; that it can't be looked at hinders nothing else."""
    try:
        look_at()
    except RunbookError as error:
        run.checks += Check.of(error, name)


def _answers(shell: Shell) -> bool:
    shell.run(question("id", "-un"))
    return True


def _look_at_journals(run: Run, first: Shell, runbooks: tuple[str, ...]) -> None:
    for runbook in runbooks:
        earlier, _ = keeper(runbook, run.site.site, first).read()
        if earlier is None:
            run.checks.append(Check(_UNFINISHED, first.name, f"none of {runbook}"))
            continue
        stands = "; ".join(earlier.in_force.values())
        reason = f"the {runbook} of {earlier.started:%Y-%m-%d %H:%M} UTC has not come to its end" + (
            f": {stands}" if stands else ""
        )
        hint = "start it again with the same parameters, unless it is at work just now"
        run.checks.append(Check(_UNFINISHED, first.name, f"{runbook}, at step {earlier.begun}", reason, hint))


def _look_at_backups(run: Run, node: Shell) -> None:
    settings = run.site.store
    assert settings is not None
    store = Store(node, settings, run.site.site)
    catalogue = store.catalogue()
    if catalogue.missing:
        run.checks += Check.of(catalogue_missing(store), _CATALOGUE)
    seen = f"{len(catalogue.entries)} entries, {len(catalogue.sets)} backups"
    hint = f"see what became of {store.base}/catalogue"
    run.checks += (
        Check.each(_CATALOGUE, node.name, catalogue.problems, seen)
        if not catalogue.problems
        else [Check(_CATALOGUE, node.name, "", problem, hint) for problem in catalogue.problems]
    )
    run.checks += [
        Check(_BACKUPS, node.name, "", f"{stored.name}: {stored.problem}", "restore from another one")
        for stored in catalogue.sets
        if stored.problem
    ]
    reasons = too_old(catalogue.sets, now(), timedelta(hours=settings.max_age_h))
    verified = [stored for stored in catalogue.sets if stored.verified and not stored.problem]
    newest = f"the newest verified one is {verified[-1].name}" if verified else ""
    hint = "see the latest runs of backup-control-plane and backup-undercloud, and whether a worker runs"
    run.checks += [Check(_BACKUPS, node.name, "", reason, hint) for reason in reasons] or [
        Check(_BACKUPS, node.name, newest)
    ]
