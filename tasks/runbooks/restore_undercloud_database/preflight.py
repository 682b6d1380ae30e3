"""Everything that a restore of the undercloud's database needs to know and to be sure of before its first change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from blocks.database import UndercloudDatabase
from blocks.remote import secrets
from blocks.remote.errors import HostError, Refused
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand, unit_state
from tasks.backup.manifest import Kind
from tasks.backup.manifest import Method as BackupMethod
from tasks.database import data_directory, dumps, mariadb
from tasks.database.data_directory import DataDirectory
from tasks.database.directory_checks import Needs, check_room, needs_of_dump
from tasks.database.dump_contents import Contents
from tasks.database.dump_look import Loader, look_at_dump
from tasks.database.dumps import File
from tasks.database.grants import Grants
from tasks.database.importing_server import ImportingServer, read_image
from tasks.database.losses import NO_GRANTS, find_losses
from tasks.database.mariadb import Version
from tasks.engine.checks import Check
from tasks.engine.journal import Journal
from tasks.engine.order import Order
from tasks.engine.questions import Questions
from tasks.engine.run import Run
from tasks.node import hiera, podman, versions
from tasks.node.tripleo_services import Services, read_services
from tasks.runbooks.restore_undercloud_database.job import NAME, Facts, Job, Request, service_server, unknown_job
from tasks.runbooks.restore_undercloud_database.loading import load
from tasks.runbooks.restore_undercloud_database.resume import Resume, Seen, how_to_go_on
from tasks.runbooks.restore_undercloud_database.state import RestoreState
from tasks.runbooks.stored_database.database import StoredDatabase
from tasks.runbooks.stored_database.preflight import check_programs, find_database, programs_of

# What is in the set, by its maker and its name there; the first comes back soonest.
_METHODS: tuple[BackupMethod, ...] = ("physical", "logical")
_KINDS = [Kind("backup-undercloud", "undercloud", method) for method in _METHODS]


@dataclass(frozen=True)
class _HostFacts:
    """What the undercloud says; None where it gave no answer, which is a check of its own."""

    container: _Container | None
    password: str | None = field(repr=False)
    directory: DataDirectory | None
    services: Services | None
    dump: File | None


@dataclass(frozen=True)
class _Source:
    """What is restored.

    Attributes:
        fingerprint: What tells it from anything else.
        key: The same in a word.
        needs: How much room it takes.
        dump: The dump on the undercloud; None for a backup.
        backup: The backup; None for a dump.
    """

    fingerprint: str
    key: str
    needs: Needs
    dump: File | None = None
    backup: StoredDatabase | None = None


@dataclass(frozen=True)
class _Container:
    image: str
    version: Version
    runs: bool


def look(run: Run, request: Request, order_of: Callable[[Job], Sequence[str]]) -> Job:
    """Look at everything, and refuse with the complete list.

    Args:
        run: The run; what it has against beginning already is told as well.
        request: What the operator asks for.
        order_of: Says in which order a job's steps are taken.

    Returns:
        What the steps are made from.

    Raises:
        Refused: With every reason.
    """
    host, database = run.first, run.site.undercloud_database
    request = request.on(run.site)
    order = Order(order_of(unknown_job(host, database, request)))
    asked = _ask(run, database, request)
    source = _source(run, request, asked)
    resume = _ask_resume(run, order, asked, source)
    aside = resume is not None and asked.directory is not None and resume.kept in asked.directory.saves
    held = _look_at_source(run, database, asked, source, aside)
    run.refuse_if_any()
    container, password, directory = asked.container, asked.password, asked.directory
    if not (container and password and directory and source and resume and held):
        raise Refused(run.name, ["preflight found no answer and no reason; this is a defect of the runbook"])
    there = [(host, service_server(database))] if container.runs else []
    facts = Facts(
        password=password,
        version=container.version,
        image=container.image,
        labelled=directory.labelled,
        mount_point=directory.mount_point,
        dump_key=source.key,
        # A database is asked only while it still has the data that is replaced.
        losses=tuple(find_losses(there, held.contents, not aside, held.grants)),
        backup=source.backup,
    )
    return Job(host, database, request, facts, resume)


def _ask(run: Run, database: UndercloudDatabase, request: Request) -> _HostFacts:
    """Ask everything that depends on no other answer."""
    host = run.first
    with Questions(run.checks) as questions:
        container = questions.ask("container", partial(_container, host, database))
        password = questions.ask("password of root", partial(_password, host, database))
        directory = questions.ask(
            "data directory", partial(data_directory.read_data_directory, host, database.data_directory)
        )
        services = questions.ask("services", partial(read_services, host))
        dump = questions.ask("dump", partial(_read_file, host, request.dump))
    known = container.known
    if known:
        run.checks.append(Check("container", host.name, f"{database.container}, of image {known.image[:12]}"))
    if services.known:
        run.checks.append(Check("services", host.name, str(services.known)))
    said = versions.read_versions(host, versions.UNDERCLOUD, database.container if known else "")
    judged = versions.check_versions(host.name, said, versions.UNDERCLOUD)
    run.checks += judged
    run.facts += [fact for fact in versions.untried(judged) if fact not in run.facts]
    return _HostFacts(known, password.known, directory.known, services.known, dump.known)


def _read_file(host: Shell, path: str) -> File | None:
    """Both ends of the dump; None where a backup is restored, and none is named."""
    return dumps.read_file(host, path) if path else None


def _source(run: Run, request: Request, asked: _HostFacts) -> _Source | None:
    """What is restored; None where that can't be said, which is a check already."""
    if not request.backup:
        dump = asked.dump
        return _Source(dump.fingerprint, dump.key, needs_of_dump(dump), dump=dump) if dump else None
    version = asked.container.version if asked.container else None
    backup = find_database(
        run, _KINDS if request.method == "quickest" else _KINDS[1:], request.backup, request.unverified, version
    )
    if backup is None:
        return None
    run.checks += check_programs(run.first.name, programs_of(run.first, ("zstd", "gzip")), backup.files)
    return _Source(backup.fingerprint, backup.key, backup.needs, backup=backup)


def _password(host: Shell, database: UndercloudDatabase) -> str:
    password = secrets.register(hiera.lookup(host, database.hiera_config, database.password_key))
    secrets.register(password.encode().hex())  # as the SQL has it
    return password


def _container(host: Shell, database: UndercloudDatabase) -> _Container:
    """Look at the service's container, by its whole name: `mysql` is part of others."""
    name = database.container
    if name not in podman.names(host):
        raise HostError(
            host.name,
            f"there is no container {name}, and so nobody can say which image the database has",
            "make the undercloud's containers first, or correct undercloud_database.container in the site file",
        )
    image, version = read_image(host, name), mariadb.read_version(host, name)
    return _Container(image, version, podman.status(host, name) == "running")


def _ask_resume(run: Run, order: Order, asked: _HostFacts, source: _Source | None) -> Resume | None:
    """Decide where the work is taken up; None where that can't be said, which is a check of its own."""
    if not (asked.container and asked.services and source):
        return None
    with Questions(run.checks) as questions:
        answer = questions.ask("journal", partial(_resume, run, order, asked.container, asked.services, source))
    return answer.known


def _resume(run: Run, order: Order, container: _Container, services: Services, source: _Source) -> Resume:
    new = Journal.model_copy(run.journal, deep=True)
    earlier, _ = run.journals.read()
    if earlier is not None:
        # What an earlier attempt left stands, whether this one begins or not: every report says so.
        run.journal.in_force, run.journal.kept = dict(earlier.in_force), dict(earlier.kept)
    new.record_state(RestoreState(dump=source.fingerprint, services=services))
    directory = run.site.undercloud_database.data_directory
    kept = earlier.kept.get("old data", "") if earlier else ""
    importing_server = ImportingServer(container.image, directory, NAME)
    seen = Seen(
        kept=bool(kept) and data_directory.exists(run.first, kept),
        serves=container.runs,
        importing=importing_server.runs(run.first),
        import_found=_import_found(run.first, importing_server, source),
    )
    return how_to_go_on(order, new, earlier, seen, data_directory.old_data_path(directory, new.stamp))


def _import_found(host: Shell, server: ImportingServer, source: _Source) -> bool:
    """Whether the import of just this source is running, or has ended and nobody knows yet."""
    if source.backup and source.backup.method == "physical":
        return False  # nothing has been loaded into a server that could be shut down
    commands = load(server, source.backup, source.key, 1).commands
    return any(unit_state(host, command).loaded for command in commands if isinstance(command, LongCommand))


@dataclass(frozen=True)
class _Held:
    """What is in the source."""

    contents: Contents
    grants: Grants


def _look_at_source(
    run: Run, database: UndercloudDatabase, asked: _HostFacts, source: _Source | None, aside: bool
) -> _Held | None:
    """Look whether there is room for it, and at the dump itself; None where it was not read."""
    if asked.directory is None or source is None:
        return None
    host, directory, container = run.first, asked.directory, asked.container
    room = check_room(host.name, database.data_directory, directory, source.needs, aside)
    run.checks += room
    if source.backup:
        return _Held(source.backup.holds, source.backup.grants)
    assert source.dump is not None
    loader = Loader(
        database.container if container else "",
        container.version if container else None,
        database.data_directory,
        directory.saves,
    )
    readable = all(check.ok for check in room)
    look_at = partial(look_at_dump, host, source.dump, loader, readable, has_grants=False)
    with Questions(run.checks) as questions:
        looked = questions.ask("dump", look_at)
    checks, contents = looked.known or ([], None)
    run.checks += checks
    return _Held(contents, NO_GRANTS) if contents else None
