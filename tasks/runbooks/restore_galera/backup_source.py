"""A backup as what a restore of Galera is made from: what preflight looks at on the nodes for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tasks.backup.manifest import Kind, Method
from tasks.database import dumps
from tasks.database.data_directory import DataDirectory
from tasks.database.directory_checks import PER_DUMP_BYTE, Needs, check_space
from tasks.database.importing_server import read_image
from tasks.database.mariadb import Version
from tasks.database.new_directory import NewDirectory, Stream
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.runbooks.restore_galera.fetched_backup import FetchedBackup
from tasks.runbooks.restore_galera.files import look_at_grants
from tasks.runbooks.restore_galera.new_data import NewData
from tasks.runbooks.restore_galera.source import Source
from tasks.runbooks.restore_galera.state import Contents
from tasks.runbooks.stored_database.database import StoredDatabase
from tasks.runbooks.stored_database.preflight import check_programs, find_database, programs_of

_METHODS: tuple[Method, ...] = ("physical", "logical")
# What is in the set, by its maker and its name there. A copy is put in place as it is, which is quicker than loading a dump.
_KINDS = [Kind("backup-control-plane", "overcloud", method) for method in _METHODS]
# Of a data directory; what InnoDB has left empty goes.
_PACKS = 4


def look_at_backup(run: Run, wanted: str, unverified: bool, container: str, version: Version | None) -> Source:
    """Find the backup, and see whether the new data can be made of it on the site's nodes.

    Args:
        run: The run, which has the store's host; what is wrong becomes a check of it.
        wanted: Which backup, as `tasks.backup.choice.choose` takes it.
        unverified: Whether one may be taken that nobody has verified.
        container: The container of the first node's database; empty where it was not found.
        version: The version of MariaDB in it.

    Raises:
        RunbookError: The container's image can't be read.
    """
    backup = find_database(run, _KINDS, wanted, unverified, version)
    if backup is None:
        return Source(Contents(dump="", grants=""))
    source = Source(Contents(dump=backup.fingerprint, grants=""), backup.holds, backup.grants)
    if not container:
        return source
    directory = NewDirectory(run.site.database.data_directory, backup.key, run.site.database.owner)
    hosts = run.hosts_with(run.site.database.role)
    programs = run.everywhere("programs", lambda shell: programs_of(shell, ("tar", "zstd", "gzip")), hosts)
    for host, there in programs.items():
        # Tar brings the new data from the first node to the others.
        run.checks += check_programs(host, there, backup.files if host == run.first.name else (), "tar")
    new_data = NewData(backup, read_image(run.first, container), directory, _stream(programs, backup))
    new_data = made_on(run, new_data)
    return replace(source, new_data=new_data, check_space=lambda directories, _: _check_space(new_data, directories))


def look_at_documented(run: Run, wanted: str, unverified: bool, version: Version | None) -> Source:
    """Find the backup, and see whether its dump and grants can be loaded in the documented order.

    Args:
        run: The run, which has the store's host; what is wrong becomes a check of it.
        wanted: Which backup, as `tasks.backup.choice.choose` takes it.
        unverified: Whether one may be taken that nobody has verified.
        version: The version of MariaDB in the first node's container.

    Raises:
        RunbookError: The store's host does not let the grants be read.
    """
    nothing = Contents(dump="", grants="")
    backup = find_database(run, _KINDS[1:], wanted, unverified, version)
    if backup is None or backup.is_encrypted:  # which is a check already
        return Source(nothing)
    first, store, grants = run.first, backup.store, backup.files[-1]
    run.checks += check_programs(first.name, programs_of(first, ("zstd", "gzip")), backup.files)
    file = dumps.read_file(store.shell, f"{store.base}/{backup.name}/{grants.name}")
    granted, check = look_at_grants(store.shell, file)
    run.checks.append(check)
    directory = NewDirectory(run.site.database.data_directory, backup.key, run.site.database.owner)
    fetched = FetchedBackup(backup, f"{directory.path}.fetched")
    # Not what new data has that was made beside the old: which of the two lies in the data directory tells how to go on.
    fingerprints = Contents(dump=backup.fingerprint, grants=f"{grants.name} of {backup.name}")
    # The dump's text lies there packed and unpacked; it takes less than the data does.
    data = backup.needs.data_bytes
    needs = Needs(data, backup.needs.files_bytes + int(data / PER_DUMP_BYTE))
    return Source(
        fingerprints,
        backup.holds,
        granted,
        fetched=fetched,
        check_space=lambda directories, again: check_space(directories, needs, again),
    )


def made_on(run: Run, new_data: NewData, old_data: str = "") -> NewData:
    """Say on which nodes the new data is there already, beside the old or in its place.

    Args:
        run: The run.
        new_data: The new data.
        old_data: Where the data goes that it replaces.
    """
    hosts = run.hosts_with(run.site.database.role)
    made = run.everywhere("new data", lambda shell: new_data.directory.find(shell, old_data), hosts)
    return replace(new_data, made={host: path for host, path in made.items() if path})


def _stream(programs: Mapping[str, frozenset[str]], backup: StoredDatabase) -> Stream:
    """How the new data travels: zstd is quicker than a connection through this process; gzip is not."""
    data = backup.needs.data_bytes
    bytes_per_s = backup.store.settings.bandwidth_bytes_per_s
    if all("zstd" in there for there in programs.values()):
        return Stream(("zstd", "-q", "-1", "-T0", "-c"), ("zstd", "-dqc"), data // _PACKS, bytes_per_s)
    return Stream(("cat",), ("cat",), data, bytes_per_s)


def _check_space(new_data: NewData, directories: Mapping[str, DataDirectory]) -> list[Check]:
    """The new data fits beside the old, on every node that has not got it yet."""
    missing = {host: directory for host, directory in directories.items() if host not in new_data.made}
    return check_space(missing, new_data.backup.needs, again=False)
