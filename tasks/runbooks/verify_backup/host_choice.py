"""Which of a site's hosts a backup is restored on: the one that the site names, or the first that will do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from blocks.remote.shell import Shell
from blocks.site import Site
from tasks.backup.store import Store
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.runbooks.verify_backup.drill_host import Needs, lacks, look, serves_clients

_HOST = "host of the drill"


@dataclass(frozen=True)
class DrillHost:
    """Where a set is restored.

    Attributes:
        shell: The host.
        in_place: Whether it sees the store's files under the same paths.
    """

    shell: Shell
    in_place: bool


def find_host(run: Run, store: Store, needs: Needs, source: Shell | None = None) -> DrillHost | None:
    """Find the first host that will do; where none does, why not is a check for each.

    Args:
        run: The run; all hosts that may be chosen are the run's.
        store: The store.
        needs: What is needed.
        source: The host whose database is backed up by this very run, where it is one.
    """
    directory = store.settings.drill_directory
    candidates = _candidates(run, store, source)
    seen = run.everywhere(_HOST, partial(look, needs=needs, directory=directory), candidates)
    refused: list[Check] = []
    for shell in [each for each in candidates if each.name in seen]:
        has = seen[shell.name]
        has = replace(has, in_place=has.in_place or shell.name == store.shell.name)
        reasons = lacks(needs, has, directory) or _in_the_way(run.site, shell)
        if not reasons:
            run.checks.append(Check(_HOST, shell.name, "can restore it"))
            return DrillHost(shell, has.in_place)
        refused += [Check(_HOST, shell.name, "", reason) for reason in reasons]
    run.checks += refused
    return None


def _candidates(run: Run, store: Store, source: Shell | None) -> list[Shell]:
    """The host that the site names; else the store's, then others, the cluster's last.

    That of the source comes after all of them, and is none in a cluster: it has not caught up yet.
    """
    named = store.settings.drill_host
    if named is not None:
        return [run.shells[named]]
    first = {store.shell.name, *([source.name] if source else [])}
    cluster = _cluster(run.site)
    others = sorted((each for each in run.hosts if each.name not in first), key=lambda each: each.name in cluster)
    last = [source] if source and source.name not in cluster and source.name != store.shell.name else []
    return [store.shell, *others, *last]


def _cluster(site: Site) -> list[str]:
    return list(site.roles.get(site.database.role, []))


def _in_the_way(site: Site, shell: Shell) -> list[str]:
    """Why a host of the cluster is none for a drill, where the site has not named it."""
    if shell.name not in _cluster(site) or (site.store is not None and site.store.drill_host is not None):
        return []
    why = serves_clients(shell, site)
    return [why] if why else []


def drill_directory(store: Store) -> str:
    """The directory of a site's drills on a host: always the same, so that the next one finds what a killed one has left."""
    return f"{store.settings.drill_directory}/openstack-runbooks-drill-{store.site}"
