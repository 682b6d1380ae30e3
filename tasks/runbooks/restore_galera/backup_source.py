"""What preflight looks at in a backup: which one is meant, whether it can be restored here, and what it holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from blocks.remote.command import question
from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE
from tasks.backup.catalogue import StoredSet
from tasks.backup.choice import choose
from tasks.backup.manifest import BackupFile, DatabaseBackup, Kind, Manifest, Method
from tasks.backup.store import Store
from tasks.database.contents_losses import as_dump
from tasks.database.data_directory import DataDirectory
from tasks.database.importing_server import read_image
from tasks.database.mariadb import Version, parse_version
from tasks.database.new_directory import NewDirectory, Stream
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.runbooks.restore_galera.new_data import NewData
from tasks.runbooks.restore_galera.source import Source
from tasks.runbooks.restore_galera.state import Contents
from tasks.runbooks.verify_backup.drill import contents_of
from tasks.runbooks.verify_backup.drill_host import data_bytes

# What is in the set, by its maker and its name there.
_RUNBOOK, _DATABASE = "backup-control-plane", "overcloud"
_METHODS: tuple[Method, ...] = ("logical",)
_BACKUP, _SPACE = "backup", "space"
# The system tables, and logs of InnoDB.
_EMPTY_SERVER_BYTES = 512 * 1024**2
_PROGRAMS = 'for p in "$@"; do ! command -v "$p" >/dev/null || echo "$p"; done'
# Of a data directory; what InnoDB has left empty goes.
_PACKS = 4


def look_at_backup(run: Run, wanted: str, unverified: bool, container: str, version: Version | None) -> Source | None:
    """Find the backup, and see whether it can be restored on the site's nodes.

    Args:
        run: The run, which has the store's host; what is wrong becomes a check of it.
        wanted: Which backup, as `tasks.backup.choice.choose` takes it.
        unverified: Whether one may be taken that nobody has verified.
        container: The container of the first node's database; empty where it was not found.
        version: The version of MariaDB in it.

    Returns:
        What is restored; None where that can't be said, and why is a check.
    """
    try:
        return _look(run, wanted, unverified, container, version)
    except RunbookError as error:
        run.checks += Check.of(error, _BACKUP)
        return None


def _look(run: Run, wanted: str, unverified: bool, container: str, version: Version | None) -> Source:
    settings, site = run.site.store, run.site.site
    if settings is None:
        raise RunbookError(
            f"site {site} has no store",
            "write a section [store] into its site file, and apply it; or give `dump` and `grants`",
        )
    store = Store(run.shells[run.site.named(BACKUP_NODE).name], settings, site)
    kinds = [Kind(_RUNBOOK, _DATABASE, method) for method in _METHODS]
    stored = choose(store.catalogue(), wanted, kinds, unverified)
    manifest = store.manifest(stored)
    backup = next(each for each in manifest.databases if each.name == _DATABASE)
    files = _files(manifest)
    run.checks += _check_backup(run, store, stored, manifest, backup, files, version)
    contents = contents_of(manifest, _DATABASE)
    holds, grants = as_dump(contents)
    fingerprints = Contents(dump=f"{stored.name} logical", grants=stored.sealed.manifest_sha256)
    directory = NewDirectory(run.site.database.data_directory, fingerprints.key, run.site.database.owner)
    hosts = run.hosts_with(run.site.database.role)
    source = Source(fingerprints, holds, grants)
    if not container:
        return source
    programs = run.everywhere("programs", lambda shell: _programs(shell, ("tar", "zstd", "gzip")), hosts)
    run.checks += _check_programs(run.first.name, programs, files)
    made = run.everywhere("new data", directory.find, hosts)
    new_data = NewData(
        store=store,
        name=stored.name,
        method="logical",
        files=files,
        verified=bool(stored.verified & set(kinds)),
        image=read_image(run.first, container),
        directory=directory,
        stream=_stream(programs, files, settings.bandwidth_bytes_per_s),
        made={host: path for host, path in made.items() if path},
    )
    return replace(source, new_data=new_data, check_space=lambda directories, _: _check_space(new_data, directories))


def made_on(run: Run, new_data: NewData, old_data: str) -> NewData:
    """Say on which nodes the new data is there already, beside the old or in its place.

    Args:
        run: The run.
        new_data: The new data.
        old_data: Where the data goes that it replaces.
    """
    hosts = run.hosts_with(run.site.database.role)
    made = run.everywhere("new data", lambda shell: new_data.directory.find(shell, old_data), hosts)
    return replace(new_data, made={host: path for host, path in made.items() if path})


def _files(manifest: Manifest) -> tuple[BackupFile, ...]:
    """The dump, then the grants."""
    roles = ("logical dump", "grants")
    files = (file for role in roles for file in manifest.files if (file.role, file.database) == (role, _DATABASE))
    return tuple(files)


def _check_backup(
    run: Run,
    store: Store,
    stored: StoredSet,
    manifest: Manifest,
    backup: DatabaseBackup,
    files: Sequence[BackupFile],
    version: Version | None,
) -> list[Check]:
    reasons = [f"{stored.name}: {said}" for said in store.check_files(stored.name, manifest, sums=False)]
    if manifest.site != run.site.site:
        reasons.append(f"{stored.name} is a backup of site {manifest.site}")
    encrypted = next((file.recipient for file in files if file.encryption != "none"), "")
    if encrypted:
        reasons.append(
            f"{stored.name} is encrypted to {encrypted}, and no site has the private key: decrypt its dump and its grants where "
            "that is, bring them to the first controller, and give them as `dump` and `grants`"
        )
    made_by = parse_version(backup.server_version)
    if made_by and version and made_by > version:
        reasons.append(f"{stored.name} is of MariaDB {made_by}, and the controllers have {version}, which is older")
    return Check.each(_BACKUP, "", reasons, f"{stored.name}, MariaDB {backup.server_version}")


def _programs(shell: Shell, wanted: Collection[str]) -> frozenset[str]:
    return frozenset(shell.run(question("bash", "-c", _PROGRAMS, "bash", *wanted)).stdout.split())


def _check_programs(first: str, programs: Mapping[str, frozenset[str]], files: Sequence[BackupFile]) -> list[Check]:
    """Tar brings the new data from the first node to the others; what the backup is compressed with, the first one alone needs."""
    of_files = {file.compression for file in files} - {"none"}
    return [
        Check(_BACKUP, host, "", f"has no program {program}", "install it, or give `dump` and `grants`")
        for host, there in programs.items()
        for program in sorted({"tar", *(of_files if host == first else ())} - there)
    ]


def _stream(programs: Mapping[str, frozenset[str]], files: Sequence[BackupFile], bytes_per_s: int | None) -> Stream:
    """How the new data travels: zstd is quicker than a connection through this process; gzip is not."""
    data = sum(map(data_bytes, files))
    if all("zstd" in there for there in programs.values()):
        return Stream(("zstd", "-q", "-1", "-T0", "-c"), ("zstd", "-dqc"), data // _PACKS, bytes_per_s)
    return Stream(("cat",), ("cat",), data, bytes_per_s)


def _check_space(new_data: NewData, directories: Mapping[str, DataDirectory]) -> list[Check]:
    data = _EMPTY_SERVER_BYTES + sum(map(data_bytes, new_data.files))
    fetched = sum(file.size_bytes for file in new_data.files)
    checks = []
    for number, (host, directory) in enumerate(directories.items()):
        need = 0 if host in new_data.made else data + (0 if number else fetched)
        seen = f"{_mib(directory.free_bytes)} free beside the data directory, about {_mib(need)} needed"
        reason = "" if directory.free_bytes >= need else f"{seen} for the new data (the old data is kept)"
        checks.append(Check(_SPACE, host, seen, reason, "make room first" if reason else ""))
    return checks


def _mib(size: int) -> str:
    return f"{size / 1024**2:,.0f} MiB"
