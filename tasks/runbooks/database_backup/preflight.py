"""Everything that a backup of a database needs to know and to be sure of before its first change."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from blocks.remote import secrets
from blocks.remote.command import question
from blocks.remote.errors import Refused, RunbookError
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE, Site
from tasks.backup.catalogue import Catalogue
from tasks.backup.manifest import Method
from tasks.backup.room import expected_bytes
from tasks.backup.store import Store
from tasks.backup.writing import catalogue_missing
from tasks.database import data_directory, dumping, physical_copy
from tasks.database.documented_dump import UNDERCLOUD_FILE
from tasks.database.dumping import COMPRESSORS, Compressor
from tasks.database.login import accepts_options, accepts_password
from tasks.database.mariadb import Server
from tasks.engine.checks import Check
from tasks.engine.questions import Questions
from tasks.engine.run import Run
from tasks.node import hiera
from tasks.runbooks.database_backup.backup import Backup
from tasks.runbooks.database_backup.proof import find_drill
from tasks.runbooks.database_backup.request import BY_DEFAULT, METHODS, HieraPassword, Request, Source

_STORE, _ROOM, _CATALOGUE = "store", "room on the store", "catalogue of the backups"
_PASSWORD, _DATABASE, _DATA = "password of root", "database", "size of the data"


@dataclass(frozen=True)
class _OnStore:
    """What the store's host says; None where it gave no answer, which is a check of its own."""

    catalogue: Catalogue | None = None
    free_bytes: int | None = None


@dataclass(frozen=True)
class _OnHost:
    """What the source's host says."""

    data_bytes: int | None = None
    compressor: Compressor = COMPRESSORS[-1]
    copy_program: str = ""
    why_no_copy: str = ""


def open_store(site: Site, run: Run) -> Store:
    """The site's store.

    Raises:
        RunbookError: The site has none.
    """
    if site.store is None:
        raise RunbookError(f"site {site.site} has no store", "write a section [store] into its site file, and apply it")
    return Store(run.shells[site.named(BACKUP_NODE).name], site.store, site.site)


def look(run: Run, request: Request, source: Source | None, findings: Collection[str] = ()) -> Backup:
    """Look at the store and at the server, and refuse with the complete list.

    Args:
        run: The run; what it has against beginning already is told as well.
        request: What the operator asks for.
        source: The server; None where there is none that could be backed up, which is a check of the run already.
        findings: What the operator should know.

    Raises:
        Refused: With every reason.
    """
    store = open_store(run.site, run)
    on_store = _look_at_store(run, store)
    on_host = _look_at_host(run, request, source) if source else _OnHost()
    methods = _methods(run, request, source, on_host)
    if source and on_store.catalogue and on_store.free_bytes is not None and on_host.data_bytes is not None:
        kinds = [source.kind(request.runbook, method) for method in methods]
        needed = expected_bytes(on_store.catalogue.sets, kinds, on_host.data_bytes)
        run.checks.append(check_room(store, on_store.free_bytes, needed))
    if source is None or on_store.catalogue is None or on_host.data_bytes is None:
        run.refuse_if_any()
        raise Refused(run.name, ["preflight found no answer and no reason; this is a defect of the runbook"])
    left_out = []
    if request.methods is None and "physical" not in methods:
        left_out = [f"the physical copy is left out: {on_host.why_no_copy}"]
    backup = Backup(
        request=request,
        source=source,
        store=store,
        run_id=UUID(run.journal.run_id),
        started=run.journal.started,
        data_bytes=on_host.data_bytes,
        methods=methods,
        compressor=on_host.compressor,
        copy_program=on_host.copy_program,
        findings=(*findings, *_told(on_store.catalogue), *left_out),
    )
    if store.settings.age_recipient is None or store.settings.age_identity:
        backup = _with_drill(run, backup, on_host.data_bytes)
    run.refuse_if_any()
    return backup


def _with_drill(run: Run, backup: Backup, data_bytes: int) -> Backup:
    """Find the host of the drill. Where none can unpack what the source's host compresses best, gzip is taken, which all have."""
    before = list(run.checks)
    drill = find_drill(run, backup.store, backup.name, backup.source, data_bytes, backup.restores, backup.read_manifest)
    if drill is None and backup.compressor != COMPRESSORS[-1]:
        run.checks[:] = before
        return _with_drill(run, replace(backup, compressor=COMPRESSORS[-1]), data_bytes)
    return replace(backup, drill=drill)


def check_room(store: Store, free_bytes: int, needed_bytes: int) -> Check:
    """Whether the store has room for a set, as far as anybody can say."""
    seen = f"{free_bytes / 2**30:.1f} GiB free, and a backup may take {needed_bytes / 2**30:.1f} GiB"
    if free_bytes >= needed_bytes:
        return Check(_ROOM, store.shell.name, seen)
    hint = "make room there; `prune-backups` with dry_run says what the policy does not count"
    return Check(_ROOM, store.shell.name, seen, f"{store.settings.path} has {seen}", hint)


def _look_at_store(run: Run, store: Store) -> _OnStore:
    with Questions(run.checks) as questions:
        catalogue = questions.ask(_CATALOGUE, store.catalogue)
        writable = questions.ask(_STORE, lambda: _is_writable(store))
        free = questions.ask(_ROOM, store.free_bytes)
    if writable.known is False:
        where = store.shell.name
        hint = "see how it is mounted, and what the kernel says of its disk"
        run.checks.append(Check(_STORE, where, "", f"{store.settings.path} can't be written to", hint))
    found = catalogue.known
    if found is not None and found.missing:
        run.checks += Check.of(catalogue_missing(store), _CATALOGUE)
    elif found is not None:
        run.checks.append(Check(_CATALOGUE, store.shell.name, f"{len(found.sets)} backups"))
    return _OnStore(found, free.known)


def _is_writable(store: Store) -> bool:
    """Whether it is there and not mounted read-only; root may write to anything else."""
    return store.shell.run(question("test", "-w", store.settings.path, ok=(0, 1))).exit_code == 0


def _told(catalogue: Catalogue) -> list[str]:
    """What is wrong with the catalogue: to be put right before anything is pruned, and no reason to go without a backup."""
    return [f"{_CATALOGUE}: {problem}" for problem in catalogue.problems]


def _look_at_host(run: Run, request: Request, source: Source) -> _OnHost:
    host, server = source.host, source.server
    with Questions(run.checks) as questions:
        valid = questions.ask(_PASSWORD, partial(_password_is_valid, host, server, source.password))
        logs_in = questions.ask(_DATABASE, partial(accepts_options, host, server))
        data = questions.ask(_DATA, partial(data_directory.read_data_directory, host, server.directory))
        compressor = questions.ask("compressor", partial(dumping.find_compressor, host))
        program = questions.ask("mariadb-backup", partial(physical_copy.find_program, host, server, source.image))
        free = questions.ask("room on the host", partial(_free_bytes, host))
    run.checks += _check_login(source, logs_in.known, valid.known)
    used = data.known.used_bytes if data.known else None
    if request.documented_file and used is not None and free.known is not None:
        run.checks.append(_check_documented(host, free.known, used))
    path, why_not = program.known or ("", "")
    return _OnHost(used, compressor.known or COMPRESSORS[-1], path, why_not)


def _password_is_valid(shell: Shell, server: Server, password: HieraPassword) -> bool:
    known = secrets.register(hiera.lookup(shell, password.config, password.key))
    return accepts_password(shell, server, known)


def _check_login(source: Source, logs_in: bool | None, valid: bool | None) -> list[Check]:
    """Both are needed: the option file by this runbook, hiera's password by whoever restores the site."""
    name, checks = source.host.name, []
    if logs_in is False:
        reason = f"root can't log in to the database in {source.server.container} with {source.server.client_options}"
        checks.append(Check(_DATABASE, name, "", reason, "see whether it runs, and the option file in the container"))
    elif logs_in:
        checks.append(Check(_DATABASE, name, "lets root in"))
    if logs_in and valid is False:
        reason = f"hiera's {source.password.key} is not the password that the database has for root"
        checks.append(
            Check(_PASSWORD, name, "", reason, "correct whichever is wrong: a restore sets root's to hiera's")
        )
    elif valid:
        checks.append(Check(_PASSWORD, name, "hiera's"))
    return checks


def _free_bytes(shell: Shell) -> int:
    """What is free where the documented files lie: root's home."""
    folder = UNDERCLOUD_FILE.rpartition("/")[0]
    return int(shell.run(question("df", "-B", "1", "--output=avail", folder)).stdout.split()[-1])


def _check_documented(shell: Shell, free_bytes: int, data_bytes: int) -> Check:
    seen = f"{free_bytes / 2**30:.1f} GiB free in /root, and the documented file may take {data_bytes / 2**30:.1f} GiB"
    short = free_bytes < data_bytes
    hint = "make room there, or leave out documented_file"
    return Check("room on the host", shell.name, seen, seen if short else "", hint if short else "")


def _methods(run: Run, request: Request, source: Source | None, seen: _OnHost) -> tuple[Method, ...]:
    """How it is backed up; what was asked for and can't be is a check."""
    wanted = request.methods or BY_DEFAULT
    if "logical" not in wanted:
        reason = "without a dump nobody can say whether the backup is whole: what is in it is read with the dump"
        run.checks.append(Check("methods", "", "", reason, "add `logical` to `methods`"))
    if request.methods and "physical" in wanted and source and not seen.copy_program and seen.why_no_copy:
        hint = "leave out `methods`, and what can be made is made"
        run.checks.append(Check("mariadb-backup", source.host.name, "", seen.why_no_copy, hint))
    can = METHODS if seen.copy_program else METHODS[:1]
    return tuple(method for method in METHODS if method in wanted and method in can)
