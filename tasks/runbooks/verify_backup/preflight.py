"""Which backup is verified, whether it can be, and on which host."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from blocks.remote.errors import RunbookError
from blocks.site import Site
from tasks.backup.backup_set import SetName
from tasks.backup.catalogue import Catalogue, StoredSet
from tasks.backup.manifest import MANIFEST, BackupFile, DatabaseBackup, Manifest
from tasks.backup.store import Store
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.runbooks.verify_backup.drill import (
    CopyRestore,
    Drill,
    DumpRestore,
    Outcome,
    Restore,
    StoredFile,
    contents_of,
)
from tasks.runbooks.verify_backup.drill_host import needs_of
from tasks.runbooks.verify_backup.host_choice import DrillHost, drill_directory, find_host

LATEST, LATEST_UNVERIFIED = "latest", "latest-unverified"
_BACKUP = "backup"


@dataclass(frozen=True)
class Verification:
    """What is verified.

    Attributes:
        store: The store.
        drill: The drill; None where nothing is to be verified.
        damage: What is wrong with the set's files, seen before anything of it is restored; nothing is restored then.
        findings: What else the operator should know.
        outcomes: What it came to, once it has.
    """

    store: Store
    drill: Drill | None
    damage: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """What is done, in a sentence."""
        if self.drill is None:
            return "every backup is verified: there is nothing to do"
        databases = " and ".join(f"{each.database} ({each.method})" for each in self.drill.restores)
        if self.damage:
            return f"{self.drill.name} is damaged, and is not restored"
        return f"{self.drill.name} is restored on {self.drill.shell.name}, and compared: {databases}"

    def conclude(self) -> None:
        """End the run with what was found.

        Raises:
            RunbookError: Something differs.
        """
        differences = [f"{each.what}: {said}" for each in self.outcomes for said in each.differences]
        if differences and self.drill is not None:
            more = f", and {len(differences) - 1} more differences" if len(differences) > 1 else ""
            raise RunbookError(
                f"{self.drill.name} is not what its manifest says: {differences[0]}{more}",
                "do not restore from it; the report lists all differences; back up again, and see the store's disk",
            )


def look(run: Run, backup: str) -> Verification:
    """Find the backup and a host, and see whether the one can be restored on the other.

    Args:
        run: The run; its first host is the store's.
        backup: A set's id or the beginning of its stamp; `latest`; `latest-unverified`.

    Raises:
        RunbookError: There is no such backup; it can't be verified.
    """
    settings = run.site.store
    if settings is None:
        raise RunbookError(
            f"site {run.site.site} has no store", "write a section [store] into its site file, and apply it"
        )
    store = Store(run.first, settings, run.site.site)
    found = run.everywhere("catalogue of the backups", lambda _: store.catalogue(), [run.first])
    run.refuse_if_any()
    stored = choose(found[run.first.name], backup)
    if stored is None:
        return Verification(store, None)
    if stored.problem:
        raise RunbookError(f"{stored.name}: {stored.problem}", "it can't be relied on: verify another one")
    manifest = store.manifest(stored)
    restores, findings = _restores(run, manifest)
    run.refuse_if_any()
    damage = tuple(store.check_files(stored.name, manifest, sums=False))
    host: DrillHost | None = DrillHost(run.first, in_place=True)
    if not damage:
        known = (manifest, f"{store.base}/{stored.name}/{MANIFEST}", stored.sealed.manifest_sha256)
        host = find_host(run, store, needs_of(*known, restores, settings.age_identity))
    run.refuse_if_any()
    assert host is not None
    drill = Drill(
        store=store,
        name=stored.name,
        run_id=UUID(run.journal.run_id),
        shell=host.shell,
        directory=drill_directory(store),
        restores=tuple(restores),
        manifest=lambda: manifest,
        in_place=host.in_place,
    )
    return Verification(store, drill, damage, tuple(f"{stored.name}: {each}" for each in findings))


def choose(catalogue: Catalogue, backup: str) -> StoredSet | None:
    """Find the set that is meant; None where all are verified, and only one that is not was wanted.

    Raises:
        RunbookError: There is none.
    """
    if backup not in (LATEST, LATEST_UNVERIFIED):
        return catalogue.find(backup)
    sound = [stored for stored in catalogue.sets if not stored.problem]
    if not sound:
        raise RunbookError(
            f"site {catalogue.site} has no backup that could be verified",
            "`python -m deployments backups list` says what is on the store",
        )
    if backup == LATEST:
        return sound[-1]
    return next((stored for stored in reversed(sound) if stored.kinds - stored.verified), None)


def _restores(run: Run, manifest: Manifest) -> tuple[list[Restore], list[str]]:
    """What is restored, and what of the set can't be; why nothing can is a check."""
    restores: list[Restore] = []
    findings = []
    for database in manifest.databases:
        files = {file.role: file for file in manifest.files if file.database == database.name}
        dump, grants, copy = (files.get(role) for role in ("logical dump", "grants", "physical copy"))
        known = [file for file in (dump, grants, copy) if file]
        if not (dump or copy):
            continue
        run.checks += _check_readable(run.site, database, known)
        try:
            contents_of(manifest, database.name)
            if copy and not database.contents_after_copy:
                findings.append(
                    f"the physical copy of {database.name} can't be verified: the manifest does not say what was in it afterwards"
                )
            elif copy:
                contents_of(manifest, database.name, after_copy=True)
        except RunbookError as error:
            run.checks += Check.of(error, _BACKUP)
        if dump:
            restores.append(
                DumpRestore(database.name, database.image, _stored(dump), _stored(grants) if grants else None)
            )
        if copy and database.contents_after_copy:
            restores.append(CopyRestore(database.name, database.image, _stored(copy)))
    if not restores:
        kinds = ", ".join(sorted({file.role for file in manifest.files}))
        reason = f"{SetName.of_manifest(manifest)} holds nothing that can be verified ({kinds})"
        run.checks.append(Check(_BACKUP, "", "", reason, "verify a set that holds a dump"))
    if manifest.site != run.site.site:
        run.checks.append(Check(_BACKUP, "", "", f"it is a backup of site {manifest.site}", "see how it came there"))
    return restores, findings


def _stored(file: BackupFile) -> StoredFile:
    return StoredFile(file.name, file.compression, file.recipient)


def _check_readable(site: Site, database: DatabaseBackup, files: list[BackupFile]) -> list[Check]:
    recipient = next((file.recipient for file in files if file.encryption != "none"), "")
    name, reasons = database.name, []
    if recipient and not (site.store and site.store.age_identity):
        reasons.append(
            f"the backup of {name} is encrypted to {recipient}, and the site does not say where a host has the private key: set "
            "`age_identity` of [store]"
        )
    if not database.image:
        reasons.append(f"the manifest does not say of which image the server of {name} was")
    return Check.each(_BACKUP, "", reasons, f"{name}: {', '.join(file.name for file in files)}")
