"""The proof of a backup: where it is restored once it is sealed, and what the run ends with if it is not what it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from blocks.remote.errors import RunbookError
from blocks.site import BACKUP_NODE, DRILL_HOST, UNDERCLOUD, Site
from tasks.backup.backup_set import SetName
from tasks.backup.manifest import Manifest
from tasks.backup.store import Store
from tasks.engine.run import Run
from tasks.engine.steps import Steps
from tasks.runbooks.database_backup.request import Source
from tasks.runbooks.verify_backup.drill import Drill, Outcome, Restore
from tasks.runbooks.verify_backup.drill_host import EMPTY_SERVER_BYTES, Needs, programs_of, recipients_of
from tasks.runbooks.verify_backup.host_choice import drill_directory, find_host
from tasks.runbooks.verify_backup.verification import verify

# The numbers of a drill's steps come after it: V1, V2, …
PREFIX = "V"


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
    restores: tuple[Restore, ...],
    manifest: Callable[[], Manifest | None],
) -> Drill | None:
    """Find the host on which the set will be restored; where none will do, why not is a check for each.

    Args:
        run: The run.
        store: The store.
        name: The set that will be made.
        source: The server that it will be of.
        data_bytes: Size of its data.
        restores: What will be restored of it.
        manifest: Reads the manifest, once there is one.
    """
    needs = Needs(
        images=(source.image,),
        programs=programs_of(restores),
        data_bytes=EMPTY_SERVER_BYTES + data_bytes,
        files_bytes=data_bytes,
        identity=store.settings.age_identity or "",
        recipients=recipients_of(restores),
    )
    host = find_host(run, store, needs, source.host)
    if host is None:
        return None
    return Drill(
        store=store,
        name=name,
        run_id=UUID(run.journal.run_id),
        shell=host.shell,
        directory=drill_directory(store),
        restores=restores,
        manifest=manifest,
        in_place=host.in_place,
        prefix=PREFIX,
    )


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
    differences = [f"{each.what}: {said}" for each in outcomes for said in each.differences]
    if differences:
        more = f", and {len(differences) - 1} more differences" if len(differences) > 1 else ""
        raise RunbookError(
            f"the backup {name} is not what its manifest says: {differences[0]}{more}",
            "do not restore from it; the report lists all differences; see the store's disk, and back up again",
        )
