"""The proof of a backup: where it is restored once it is sealed, and what the run ends with if it is not what it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from uuid import UUID

from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE, DRILL_HOST, UNDERCLOUD, Site
from tasks.backup.backup_set import SetName
from tasks.backup.manifest import Manifest
from tasks.backup.store import Store
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.engine.steps import Steps
from tasks.runbooks.database_backup.request import Source
from tasks.runbooks.verify_backup.drill import Drill, Outcome, Restore, StoredSql
from tasks.runbooks.verify_backup.drill_host import Needs, lacks, serves_clients
from tasks.runbooks.verify_backup.drill_host import look as look_at_host
from tasks.runbooks.verify_backup.verification import verify

# The numbers of a drill's steps come after it: V1, V2, …
PREFIX = "V"
_HOST = "host of the drill"
# The server's own tables and logs.
_EMPTY_SERVER_BYTES = 512 * 1024**2


def hosts_of_backup(role: str, site: Site) -> list[str]:
    """The groups of a backup's run: the database's, the store's, and those on which the drill may take place.

    Args:
        role: The database's group of the inventory, or `UNDERCLOUD`.
        site: The site.
    """
    if site.store is not None and site.store.drill_host is not None:
        return [role, BACKUP_NODE, DRILL_HOST]
    return [role, BACKUP_NODE, *([UNDERCLOUD] if site.undercloud else [])]


def find_drill(
    run: Run,
    store: Store,
    name: SetName,
    source: Source,
    data_bytes: int,
    files: tuple[StoredSql, StoredSql],
    manifest: Callable[[], Manifest | None],
) -> Drill | None:
    """Find the host on which the set will be restored; where none will do, why not is a check for each.

    Args:
        run: The run.
        store: The store.
        name: The set that will be made.
        source: The server that it will be of.
        data_bytes: Size of its data.
        files: Dump and grants.
        manifest: Reads the manifest, once there is one.
    """
    settings = store.settings
    needs = Needs(
        images=(source.image,),
        programs=("podman", *sorted({file.compression for file in files} - {"none"})),
        data_bytes=_EMPTY_SERVER_BYTES + data_bytes,
        files_bytes=data_bytes,
        manifest="",
        manifest_sha256="",
    )
    candidates = _candidates(run, store, source)
    seen = run.everywhere(_HOST, partial(look_at_host, needs=needs, directory=settings.drill_directory), candidates)
    refused: list[Check] = []
    for shell in [each for each in candidates if each.name in seen]:
        reasons = [*lacks(needs, seen[shell.name], settings.drill_directory), *_in_the_way(run, shell)]
        if not reasons:
            run.checks.append(Check(_HOST, shell.name, "can restore it"))
            return Drill(
                store=store,
                name=name,
                run_id=UUID(run.journal.run_id),
                shell=shell,
                directory=f"{settings.drill_directory}/openstack-runbooks-drill-{store.site}",
                restores=(Restore(source.database, source.image, *files),),
                manifest=manifest,
                in_place=shell.name == store.shell.name,
                prefix=PREFIX,
            )
        refused += [Check(_HOST, shell.name, "", reason) for reason in reasons]
    run.checks += refused
    return None


def prove(steps: Steps, drill: Drill | None, why_not: str) -> list[Outcome]:
    """Restore the set, and compare it with its manifest.

    Args:
        steps: Who walks through them: the plan, or the run.
        drill: What is restored where.
        why_not: Why there is no drill.
    """
    if drill is None:
        steps.skip(f"{PREFIX}1", "Restore the backup, and compare it with its manifest", why_not)
        return []
    return verify(steps, drill)


def conclude(name: SetName, outcomes: Iterable[Outcome]) -> None:
    """End the run with what the drill has found.

    Raises:
        RunbookError: The set is there, and is not what its manifest says.
    """
    differences = [f"{each.database}: {said}" for each in outcomes for said in each.differences]
    if differences:
        more = f", and {len(differences) - 1} more differences" if len(differences) > 1 else ""
        raise RunbookError(
            f"the backup {name} is not what its manifest says: {differences[0]}{more}",
            "do not restore from it; the report lists all differences; see the store's disk, and back up again",
        )


def _candidates(run: Run, store: Store, source: Source) -> Sequence[Shell]:
    """The host that the site names; else the store's, then others, that of the source last and in a cluster never."""
    named = store.settings.drill_host
    if named is not None:
        return [run.shells[named]]
    others = [shell for shell in run.hosts if shell.name not in (store.shell.name, source.host.name)]
    of_the_cluster = run.site.roles.get(run.site.database.role, [])
    others.sort(key=lambda shell: shell.name in of_the_cluster)
    return [store.shell, *others, *([] if source.galera else [source.host])]


def _in_the_way(run: Run, shell: Shell) -> list[str]:
    """Why a host of the cluster is none for a drill, where the site has not named it."""
    store = run.site.store
    of_the_cluster = run.site.roles.get(run.site.database.role, [])
    if shell.name not in of_the_cluster or (store is not None and store.drill_host is not None):
        return []
    why = serves_clients(shell, run.site)
    return [why] if why else []
