"""Which backup is verified, whether it can be, and on which host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from blocks.store import BackupStore
from tasks.backup.backup_set import SetName
from tasks.backup.catalogue import Catalogue, StoredSet
from tasks.backup.manifest import MANIFEST, BackupFile, Manifest
from tasks.backup.store import Store
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.runbooks.verify_backup.drill import Drill, Outcome, Restore, StoredSql, contents_of
from tasks.runbooks.verify_backup.drill_host import Needs, Seen, lacks, needs_of, serves_clients
from tasks.runbooks.verify_backup.drill_host import look as look_at_host

LATEST, LATEST_UNVERIFIED = "latest", "latest-unverified"
_BACKUP, _HOST = "backup", "host of the drill"


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
        databases = " and ".join(each.database for each in self.drill.restores)
        if self.damage:
            return f"{self.drill.name} is damaged, and is not restored"
        return f"{self.drill.name} is restored on {self.drill.shell.name}, and compared: {databases}"

    def conclude(self) -> None:
        """End the run with what was found.

        Raises:
            RunbookError: Something differs.
        """
        differences = [f"{each.database}: {said}" for each in self.outcomes for said in each.differences]
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
    restores = _restores(run, manifest)
    run.refuse_if_any()
    damage = tuple(store.check_files(stored.name, manifest, sums=False))
    where = _Found(run, store, settings, stored, manifest, tuple(restores))
    findings = tuple(
        f"{stored.name}: the physical copy of {name} is not verified: only dumps are, so far"
        for name in _databases_with(manifest, "physical copy")
    )
    drill = where.drill(run.first, in_place=True) if damage else where.find_host()
    run.refuse_if_any()
    assert drill is not None
    return Verification(store, drill, damage, findings)


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
    return next((stored for stored in reversed(sound) if _unverified_dump(stored)), None)


def _unverified_dump(stored: StoredSet) -> bool:
    return any(kind.method == "logical" for kind in stored.kinds - stored.verified)


def _databases_with(manifest: Manifest, role: str) -> list[str]:
    return list(dict.fromkeys(file.database for file in manifest.files if file.role == role))


def _restores(run: Run, manifest: Manifest) -> Iterable[Restore]:
    """The databases that are restored; why one can't be is a check."""
    restores = []
    for database in manifest.databases:
        files = [file for file in manifest.files if file.database == database.name]
        dump = next((file for file in files if file.role == "logical dump"), None)
        grants = next((file for file in files if file.role == "grants"), None)
        if dump is None:
            continue
        run.checks += _check_readable(database.name, [file for file in (dump, grants) if file], database.image)
        try:
            contents_of(manifest, database.name)
        except RunbookError as error:
            run.checks += Check.of(error, _BACKUP)
        restores.append(
            Restore(
                database.name,
                database.image,
                StoredSql(dump.name, dump.compression),
                StoredSql(grants.name, grants.compression) if grants else None,
            )
        )
    if not restores:
        kinds = ", ".join(sorted({file.role for file in manifest.files}))
        reason = f"{SetName.of_manifest(manifest)} holds no dump ({kinds}), and nothing else can be verified so far"
        run.checks.append(Check(_BACKUP, "", "", reason, "verify a set that holds a dump"))
    if manifest.site != run.site.site:
        run.checks.append(Check(_BACKUP, "", "", f"it is a backup of site {manifest.site}", "see how it came there"))
    return restores


def _check_readable(database: str, files: list[BackupFile], image: str) -> list[Check]:
    encrypted = next((file.recipient for file in files if file.encryption != "none"), "")
    reasons = []
    if encrypted:
        reasons.append(
            f"the backup of {database} is encrypted to {encrypted}; only who has its private key can restore it, and no site has"
        )
    if not image:
        reasons.append(f"the manifest does not say of which image the server of {database} was")
    return Check.each(_BACKUP, "", reasons, f"{database}: {', '.join(file.name for file in files)}")


@dataclass(frozen=True)
class _Found:
    """A backup for which a host is looked for."""

    run: Run
    store: Store
    settings: BackupStore
    stored: StoredSet
    manifest: Manifest
    restores: tuple[Restore, ...]

    def drill(self, shell: Shell, in_place: bool) -> Drill:
        return Drill(
            store=self.store,
            name=self.stored.name,
            run_id=UUID(self.run.journal.run_id),
            shell=shell,
            directory=f"{self.settings.drill_directory}/openstack-runbooks-drill-{self.store.site}",
            restores=self.restores,
            manifest=lambda: self.manifest,
            in_place=in_place,
        )

    def find_host(self) -> Drill | None:
        """The first host that will do; where none does, why not is a check for each."""
        needs = needs_of(
            self.manifest,
            f"{self.store.base}/{self.stored.name}/{MANIFEST}",
            self.stored.sealed.manifest_sha256,
            [each.database for each in self.restores],
        )
        directory = self.settings.drill_directory
        candidates = self._candidates()
        seen = self.run.everywhere(_HOST, partial(look_at_host, needs=needs, directory=directory), candidates)
        refused: list[Check] = []
        for shell in candidates:
            if shell.name not in seen:
                continue
            reasons = self._reasons(shell, needs, seen[shell.name])
            if not reasons:
                self.run.checks.append(Check(_HOST, shell.name, "can restore it"))
                return self.drill(shell, seen[shell.name].in_place)
            refused += [Check(_HOST, shell.name, "", reason) for reason in reasons]
        self.run.checks += refused
        return None

    def _candidates(self) -> list[Shell]:
        """The host that the site names; else the store's, then the undercloud, then those of the cluster."""
        run, named = self.run, self.settings.drill_host
        if named is not None:
            return [run.shells[named]]
        return run.hosts

    def _reasons(self, shell: Shell, needs: Needs, seen: Seen) -> list[str]:
        said = lacks(needs, seen, self.settings.drill_directory)
        of_the_cluster = {each.name for each in self.run.hosts_with(self.run.site.database.role)}
        if not said and shell.name in of_the_cluster and self.settings.drill_host is None:
            why = serves_clients(shell, self.run.site)
            return [why] if why else []
        return said
