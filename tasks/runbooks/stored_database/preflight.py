"""Which backup is restored, and whether it can be: what preflight looks at on the store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from blocks.remote.command import question
from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE
from tasks.backup.catalogue import StoredSet
from tasks.backup.choice import choose
from tasks.backup.manifest import BackupFile, Kind, Manifest, Method, Role
from tasks.backup.store import Store
from tasks.database.contents_losses import as_dump
from tasks.database.mariadb import Version, parse_version
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.runbooks.stored_database.database import StoredDatabase
from tasks.runbooks.verify_backup.drill import contents_of

BACKUP = "backup"
_ROLES: dict[Method, tuple[Role, ...]] = {"logical": ("logical dump", "grants"), "physical": ("physical copy",)}
_PROGRAMS = 'for p in "$@"; do ! command -v "$p" >/dev/null || echo "$p"; done'


def find_database(
    run: Run, kinds: Sequence[Kind], wanted: str, unverified: bool, version: Version | None
) -> StoredDatabase | None:
    """Find the backup that is meant, and see whether it can be restored.

    Args:
        run: The run, which has the store's host; what is wrong becomes a check of it.
        kinds: What can be restored, the best first: of which runbook, which database, and how.
        wanted: Which backup, as `tasks.backup.choice.choose` takes it.
        unverified: Whether one may be taken that nobody has verified.
        version: The version of MariaDB that it is restored into; None where that is not known.

    Returns:
        The database; None where that can't be said, and why is a check.
    """
    try:
        return _find(run, kinds, wanted, unverified, version)
    except RunbookError as error:
        run.checks += Check.of(error, BACKUP)
        return None


def _find(run: Run, kinds: Sequence[Kind], wanted: str, unverified: bool, version: Version | None) -> StoredDatabase:
    settings, site = run.site.store, run.site.site
    if settings is None:
        raise RunbookError(f"site {site} has no store", "write a section [store] into its site file, and apply it")
    store = Store(run.shells[run.site.named(BACKUP_NODE).name], settings, site)
    stored = choose(store.catalogue(), wanted, kinds, unverified)
    manifest = store.manifest(stored)
    database = next(each for each in manifest.databases if each.name == kinds[0].database)
    server_version = database.server_version
    kind = _best(stored, kinds, parse_version(server_version), version)
    files = _files(manifest, kind)
    reasons = [f"{stored.name}: {said}" for said in store.check_files(stored.name, manifest, sums=False)]
    reasons += _reasons(run, stored, manifest, files)
    made_by = parse_version(server_version)
    if made_by and version and made_by > version:
        reasons.append(
            f"{stored.name} is of MariaDB {made_by}, and what it is restored into is {version}, which is older"
        )
    run.checks += Check.each(BACKUP, "", reasons, f"{stored.name}, MariaDB {server_version}")
    holds, grants = as_dump(contents_of(manifest, kind.database))
    sha256 = stored.sealed.manifest_sha256
    verified = kind in stored.verified
    return StoredDatabase(store, stored.name, sha256, kind.method, files, verified, holds, grants, database.data_bytes)


def _best(stored: StoredSet, kinds: Sequence[Kind], made_by: Version | None, version: Version | None) -> Kind:
    """The best of what was verified, else of what is there. A physical copy is for servers of its own series alone."""
    fit = [kind for kind in kinds if kind.method == "logical" or (made_by is not None and made_by == version)]
    there = [kind for kind in fit if kind in stored.verified] or [kind for kind in fit if kind in stored.kinds]
    if not there:
        raise RunbookError(
            f"{stored.name} holds only a physical copy of MariaDB {made_by}, and what it is restored into is {version}",
            "restore a backup with a dump",
        )
    return there[0]


def _files(manifest: Manifest, kind: Kind) -> tuple[BackupFile, ...]:
    """The dump, then the grants; or the copy."""
    roles = _ROLES[kind.method]
    return tuple(
        file for role in roles for file in manifest.files if (file.role, file.database) == (role, kind.database)
    )


def _reasons(run: Run, stored: StoredSet, manifest: Manifest, files: Sequence[BackupFile]) -> Iterator[str]:
    if manifest.site != run.site.site:
        yield f"{stored.name} is a backup of site {manifest.site}"
    encrypted = next((file.recipient for file in files if file.encryption != "none"), "")
    if encrypted:
        yield (
            f"{stored.name} is encrypted to {encrypted}, and no restore decrypts it: decrypt its dump where the private key is, "
            "bring it to the host that is restored, and give it as `dump`"
        )


def programs_of(shell: Shell, wanted: Collection[str]) -> frozenset[str]:
    """Which of some programs a host has."""
    return frozenset(shell.run(question("bash", "-c", _PROGRAMS, "bash", *wanted)).stdout.split())


def check_programs(host: str, there: Collection[str], files: Sequence[BackupFile], *more: str) -> list[Check]:
    """A host has what the backup's files are unpacked with, and what else is needed of it.

    Args:
        host: The host.
        there: The programs that it has.
        files: The files that are unpacked there.
        more: Other programs.
    """
    needed = sorted({*more, *(file.compression for file in files)} - {"none", *there})
    return [
        Check(BACKUP, host, "", f"has no program {program}", "install it, or restore from the documented files")
        for program in needed
    ]
