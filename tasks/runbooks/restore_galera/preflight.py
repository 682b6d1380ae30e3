"""Everything that a restore of Galera needs to know and to be sure of before its first change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from blocks.database import GaleraDatabase
from blocks.remote import secrets
from blocks.remote.errors import Refused, RunbookError
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand, unit_state
from tasks.database import data_directory, dumps, importing, mariadb
from tasks.database.cluster_address import parse_cluster_address
from tasks.database.data_directory import DataDirectory
from tasks.database.directory_checks import check_mount, check_space, needs_of_dump
from tasks.database.dump_look import Loader
from tasks.database.dumps import File
from tasks.database.losses import Loss, find_losses
from tasks.database.mariadb import Server, Version
from tasks.engine.checks import Check
from tasks.engine.journal import Journal
from tasks.engine.order import Order
from tasks.engine.questions import Answer, Questions
from tasks.engine.run import Run
from tasks.node import hiera, podman, versions
from tasks.node.bundle import read_galera_pid
from tasks.node.pacemaker_cluster import Cluster, read_cluster
from tasks.runbooks.restore_galera.backup_source import look_at_backup, look_at_documented, made_on
from tasks.runbooks.restore_galera.control_plane import ControlPlane, look_at_control_plane
from tasks.runbooks.restore_galera.entrance import client_hosts
from tasks.runbooks.restore_galera.files import Files, as_source, look_at_files
from tasks.runbooks.restore_galera.job import NAME, Facts, Job, Request, unknown_job
from tasks.runbooks.restore_galera.membership import KnownAs, read_names
from tasks.runbooks.restore_galera.new_data import NUMBERS as NEW_DATA
from tasks.runbooks.restore_galera.resume import Observed, Resume, Situation, how_to_go_on, unknown_saves
from tasks.runbooks.restore_galera.source import Source
from tasks.runbooks.restore_galera.state import Contents, RestoreState

T = TypeVar("T")

# Names of checks.
_VIP, _VERSION, _ADDRESS = "virtual IP", "version of MariaDB", "wsrep_cluster_address"
_NO_ANSWER = "preflight found no answer and no reason; this is a defect of the runbook"


@dataclass(frozen=True)
class _HostFacts:
    names: KnownAs
    container: str
    check: str
    directory: DataDirectory
    running: bool
    server_process: bool
    checks: list[Check]
    untried: list[str]


@dataclass(frozen=True)
class _FirstFacts:
    """What the first host says; None where it gave no answer, which is a check of its own."""

    vip: str | None
    password: str | None = field(repr=False)
    version: Version | None
    cluster: Cluster | None
    pid_file: str | None
    address: str | None
    dump: File | None
    grants: File | None


def look(run: Run, request: Request, order_of: Callable[[Job], Sequence[str]]) -> Job:
    """Look at everything on all hosts, and refuse with the complete list.

    Args:
        run: The run; what it has against beginning already is told as well.
        request: What the operator asks for.
        order_of: Says in which order a job's steps are taken.

    Returns:
        What the steps are made from.

    Raises:
        Refused: With every reason.
    """
    database = run.site.database
    request = request.on(run.site)
    hosts = run.hosts_with(database.role)
    others = [host for host in client_hosts(run) if host not in hosts]  # nothing else is done there
    # A run from a backup and one from files may take up each other's work.
    order = Order((*NEW_DATA, *order_of(unknown_job(hosts, database, request))))
    by_host = run.everywhere("host", lambda shell: _look_at_host(database, shell), hosts)
    known = {name: host.names for name, host in by_host.items()} | run.everywhere("host", read_names, others)
    for host in by_host.values():
        run.checks += host.checks
        run.facts += [fact for fact in host.untried if fact not in run.facts]
    if run.first.name not in by_host:
        run.refuse_if_any()
    container = by_host[run.first.name].container
    asked = _ask_first(run, container, request)
    source = _look_at_source(run, request, by_host, asked)
    control_plane = _control_plane(run, hosts, known, asked)
    found = _import_found(run.first, _server(database, container), asked.version, source) if container else False
    situation = Situation(control_plane.fenced, control_plane.managed, found, loading=source.new_data is None)
    adopting = request.ending == "adopt"
    resume = _ask(run.checks, "journal", lambda: _resume(run, order, by_host, source.fingerprints, situation, adopting))
    again = resume is not None and bool(resume.rebuild or resume.settled)
    run.checks += source.check_space({name: host.directory for name, host in by_host.items()}, again)
    run.refuse_if_any()
    if resume is None:
        raise Refused(run.name, [_NO_ANSWER])
    return Job(hosts, database, request, _facts(run, by_host, asked, source, control_plane, resume), resume)


def _facts(
    run: Run,
    by_host: Mapping[str, _HostFacts],
    asked: _FirstFacts,
    source: Source,
    control_plane: ControlPlane,
    resume: Resume,
) -> Facts:
    """What was found, now that nothing is missing."""
    database = run.site.database
    vip, password, version, pid_file, address = asked.vip, asked.password, asked.version, asked.pid_file, asked.address
    if not (vip and password and version and pid_file and address and source.grants):
        raise Refused(run.name, [_NO_ANSWER])
    return Facts(
        vip=vip,
        password=password,
        version=version,
        bundle=database.resource,
        pid_file=pid_file,
        cluster_address=address,
        servers={name: _server(database, host.container) for name, host in by_host.items()},
        checks={name: host.check for name, host in by_host.items()},
        labelled=frozenset(name for name, host in by_host.items() if host.directory.labelled),
        grants=source.grants,
        parts=source.parts,
        contents=source.fingerprints.key,
        entrance=control_plane.entrance,
        by_hand={name: seen.by_hand for name, seen in control_plane.barriers.items() if seen.by_hand},
        losses=tuple(_losses(run, by_host, resume.kept, source)),
        new_data=made_on(run, source.new_data, resume.kept) if source.new_data else None,
        fetched=source.fetched,
    )


def _ask_first(run: Run, container: str, request: Request) -> _FirstFacts:
    """Ask the first host everything that depends on no other answer."""
    first, database = run.first, run.site.database
    with Questions(run.checks) as questions:
        vip = questions.ask(_VIP, lambda: hiera.lookup_address(first, database.hiera_config, database.vip_key))
        password = questions.ask("password of root", lambda: _password(first, database))
        version = questions.ask(_VERSION, lambda: mariadb.read_version(first, container) if container else None)
        cluster = questions.ask("Pacemaker", lambda: _pacemaker(first, database.resource))
        address = questions.ask(_ADDRESS, lambda: _cluster_address(first, container, database.galera_options))
        dump_file = questions.ask("dump", lambda: _read_file(first, request.dump))
        grants_file = questions.ask("grants", lambda: _read_file(first, request.grants))
    answers: dict[str, Answer[object]] = {_VIP: vip, _VERSION: version, _ADDRESS: address}
    run.checks += [Check(name, first.name, str(answer.known)) for name, answer in answers.items() if answer.known]
    in_cluster, pid_file = cluster.known or (None, None)
    return _FirstFacts(
        vip.known,
        password.known,
        version.known,
        in_cluster,
        pid_file,
        address.known,
        dump_file.known,
        grants_file.known,
    )


def _read_file(shell: Shell, path: str) -> File | None:
    """Both ends of a file; None where a backup is restored, and none is named."""
    return dumps.read_file(shell, path) if path else None


def _password(shell: Shell, database: GaleraDatabase) -> str:
    password = secrets.register(hiera.lookup(shell, database.hiera_config, database.password_key))
    secrets.register(password.encode().hex())  # as the SQL has it
    return password


def _ask(checks: list[Check], name: str, question: Callable[[], T]) -> T | None:
    """Ask for what has this name, and keep a refusal for the list."""
    try:
        return question()
    except RunbookError as error:
        checks += Check.of(error, name)
    return None


def _look_at_host(database: GaleraDatabase, shell: Shell) -> _HostFacts:
    """Look at one of the database's hosts; what is wrong with it becomes a check, and the rest is looked at all the same."""
    known_as = read_names(shell)
    directory = data_directory.read_data_directory(shell, database.data_directory)
    names = podman.names(shell)
    checks: list[Check] = []
    patterns = (database.container_pattern, database.clustercheck_pattern)
    container, clustercheck = (_find_container(shell, names, pattern, checks) for pattern in patterns)
    known = versions.check_versions(shell.name, versions.read_versions(shell, versions.CONTROLLER, container))
    checks += [*known, check_mount(shell.name, database.data_directory, directory)]
    running = bool(container) and podman.status(shell, container) == "running"
    process = running and _server(database, container).process(shell) == "running"
    return _HostFacts(known_as, container, clustercheck, directory, running, process, checks, versions.untried(known))


def _find_container(shell: Shell, names: Sequence[str], pattern: str, checks: list[Check]) -> str:
    """The container's name; empty where none, or more than one, may be meant."""
    found = _ask(checks, "container", lambda: podman.find_container(shell, names, pattern)) or ""
    if found:
        checks.append(Check("container", shell.name, found))
    return found


def _server(database: GaleraDatabase, container: str) -> Server:
    return Server(container, database.data_directory, database.client_options, NAME)


def _cluster_address(shell: Shell, container: str, options: str) -> str | None:
    if not container:
        return None
    return parse_cluster_address(shell.name, podman.read_file(shell, container, options))


def _pacemaker(shell: Shell, resource: str) -> tuple[Cluster, str]:
    return read_cluster(shell, resource), read_galera_pid(shell)


def _control_plane(run: Run, hosts: Sequence[Shell], known: Mapping[str, KnownAs], asked: _FirstFacts) -> ControlPlane:
    """Compare the site with the cluster, and find where clients come in."""
    cluster = asked.cluster
    found: ControlPlane | None = None
    if cluster is not None:
        look_at = partial(look_at_control_plane, run, known, cluster, asked.vip, asked.address)
        found = _ask(run.checks, "Pacemaker", look_at)
    found = found or ControlPlane([], tuple(hosts), {}, managed=False)
    run.checks += found.checks
    return found


def _look_at_source(run: Run, request: Request, by_host: Mapping[str, _HostFacts], asked: _FirstFacts) -> Source:
    """Look at what is restored; what is wrong with it becomes a check."""
    if request.backup:
        container = by_host[run.first.name].container
        look_at = partial(look_at_backup, run, request.backup, request.unverified, container, asked.version)
        if request.method == "documented":
            look_at = partial(look_at_documented, run, request.backup, request.unverified, asked.version)
        return _ask(run.checks, "backup", look_at) or Source(Contents(dump="", grants=""))
    return as_source(asked.dump, asked.grants, _look_at_files(run, by_host, asked))


def _look_at_files(run: Run, by_host: Mapping[str, _HostFacts], asked: _FirstFacts) -> Files:
    """Look at the dump and the grants; the dump is read where nothing speaks against that, least of all its size."""
    if asked.dump is None or asked.grants is None:
        return Files()
    first, dump = by_host[run.first.name], asked.dump
    loader = Loader(first.container, asked.version, run.site.database.data_directory, first.directory.saves)
    directories = {name: host.directory for name, host in by_host.items()}
    readable = all(check.ok for check in check_space(directories, needs_of_dump(dump), again=True))
    look_at = partial(look_at_files, run.first, dump, asked.grants, loader, readable)
    found = _ask(run.checks, "dump", look_at) or Files()
    run.checks += found.checks
    return found


def _losses(run: Run, by_host: Mapping[str, _HostFacts], kept: str, source: Source) -> list[Loss]:
    """What will be missing; the databases are asked only while they still have the data that is replaced."""
    aside = any(kept in host.directory.saves for host in by_host.values())
    asked = [
        (run.shells[name], _server(run.site.database, host.container))
        for name, host in by_host.items()
        if host.server_process and not aside
    ]
    if source.holds is None or source.grants is None:
        return []
    return find_losses(asked, source.holds, not aside, source.grants)


def _resume(
    run: Run,
    order: Order,
    by_host: Mapping[str, _HostFacts],
    contents: Contents,
    situation: Situation,
    adopting: bool,
) -> Resume:
    new = Journal.model_copy(run.journal, deep=True)
    earlier, finished = run.journals.read()
    if earlier is not None:
        # What an earlier attempt left stands, whether this one begins or not: every report says so.
        run.journal.in_force, run.journal.kept = dict(earlier.in_force), dict(earlier.kept)
    new.record_state(RestoreState(contents=contents))
    directory = run.site.database.data_directory
    kept = earlier.kept.get("old data", "") if earlier else ""
    observed = {
        name: Observed(host.running, host.server_process, kept in host.directory.saves, host.directory.saves)
        for name, host in by_host.items()
    }
    known = [*(journal.kept.get("old data", "") for journal in finished), kept]
    run.checks += [Check("old data", "", "", reason) for reason in unknown_saves(observed, known)]
    old_data = data_directory.old_data_path(directory, new.stamp)
    return how_to_go_on(order, new, earlier, observed, situation, old_data, adopting)


def _import_found(first: Shell, server: Server, version: Version | None, source: Source) -> bool:
    """Whether the import of just these files is running, or has ended and nobody knows yet."""
    if source.new_data or version is None or source.grants is None:
        return False
    key = source.fingerprints.key
    changes = (
        importing.import_dump(server, source.parts, 1, key),
        importing.import_grants(server, version, source.grants.undefined_roles, 1, key),
    )
    commands = [command for change in changes for command in change.commands]
    return any(unit_state(first, command).loaded for command in commands if isinstance(command, LongCommand))
