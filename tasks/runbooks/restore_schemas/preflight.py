"""Everything that a restore of schemas needs to know and to be sure of before its first change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from blocks.remote.errors import Refused, RunbookError
from blocks.remote.shell import Shell
from blocks.remote.units import unit_state
from tasks.backup.manifest import Kind, Manifest, Method
from tasks.database.contents import ServerContents
from tasks.database.contents_sql import SYSTEM_SCHEMAS
from tasks.database.data_directory import read_data_directory
from tasks.database.directory_checks import Needs, check_space
from tasks.database.importing_server import read_image
from tasks.database.mariadb import Server, Version, parse_version, read_version
from tasks.database.schema_moving import LONGEST_NAME, MovedSchema
from tasks.database.schema_state import SchemaState, read_schema_state
from tasks.engine.checks import Check
from tasks.engine.journal import Journal
from tasks.engine.run import Run
from tasks.runbooks.restore_schemas.job import FOLDER, NAME, Job, Request
from tasks.runbooks.restore_schemas.resume import Resume, how_to_go_on
from tasks.runbooks.restore_schemas.state import RestoreState
from tasks.runbooks.stored_database.database import StoredDatabase
from tasks.runbooks.stored_database.preflight import check_programs, find_database, programs_of
from tasks.runbooks.stored_database.serving_cluster import look_at_cluster
from tasks.runbooks.verify_backup.drill import contents_of

_DATABASE = "overcloud"
_METHODS: tuple[Method, ...] = ("physical", "logical")
_KINDS = [Kind("backup-control-plane", _DATABASE, method) for method in _METHODS]
_SCHEMAS = "schemas"
_UNFINISHED = r"_new_\d{8}T\d{6}Z"


@dataclass(frozen=True)
class _Found:
    """The backup, and what is in it."""

    backup: StoredDatabase
    before: ServerContents
    after: ServerContents | None


def look(run: Run, request: Request) -> Job:
    """Look at everything on all nodes, and refuse with the complete list.

    Args:
        run: The run; what it has against beginning already is told as well.
        request: What the operator asks for.

    Returns:
        What the steps are made from.

    Raises:
        Refused: With every reason.
    """
    run.checks += [Check(_SCHEMAS, "", "", reason, hint) for reason, hint in _misnamed(request)]
    servers = look_at_cluster(run)
    hosts = [run.shells[name] for name in servers]
    states = run.everywhere(_SCHEMAS, lambda shell: read_schema_state(shell, servers[shell.name]), hosts)
    run.checks += _check_ddl(states)
    if run.first.name not in states:
        run.refuse_if_any()
    state, node = states[run.first.name], servers[run.first.name]
    found = _look_at_backup(run, request, read_version(run.first, node.container))
    if found is None:
        raise Refused(run.name, run.reasons)
    run.checks += _check_schemas(request, found, state)
    _check_room(run, hosts, found.backup)
    programs = programs_of(run.first, ("zstd", "gzip"))
    run.checks += check_programs(run.first.name, programs, found.backup.files)
    run.refuse_if_any()
    job = _job(run, request, servers, found, state)
    run.checks += _check_unfinished(run, job, state)
    return job


def _misnamed(request: Request) -> Iterator[tuple[str, str]]:
    """What is no schema that can be restored, whatever the backup holds."""
    if not request.schemas:
        yield "no schema is named", 'name them: schemas=["nova"]; restore-galera restores all of them'
    for name in sorted({name for name in request.schemas if request.schemas.count(name) > 1}):
        yield f"{name} is named more than once", "name each schema once"
    for name in request.schemas:
        if name.lower() in SYSTEM_SCHEMAS:
            yield f"{name} is one of MariaDB's own schemas", "restore-accounts restores accounts"
        elif len(f"{name}_kept_20260101T000000Z") > LONGEST_NAME:
            yield (
                f"{name} is too long: what is there is kept as {name}_kept_TIME, and a name has {LONGEST_NAME} characters at most",
                "restore all of the backup with restore-galera",
            )


def _check_ddl(states: Mapping[str, SchemaState]) -> list[Check]:
    """Nobody changes definitions: a migration that goes on would find half of its tables replaced."""
    hint = "wait for its end (a service's database migration, or an operator), or end it"
    return [
        Check("statements under way", host, "", f"{statement} changes definitions", hint)
        for host, state in states.items()
        for statement in state.ddl
    ]


def _look_at_backup(run: Run, request: Request, version: Version) -> _Found | None:
    """Find the backup, and what is in it; what is wrong with it becomes a check."""
    backup = find_database(run, _KINDS, request.wanted, request.unverified, version)
    if backup is None:
        return None
    try:
        manifest = backup.store.manifest(backup.store.catalogue().find(str(backup.name)))
        run.checks += _check_version(manifest, version)
        copied = backup.method == "physical"
        after = contents_of(manifest, _DATABASE, after_copy=True) if copied else None
        return _Found(backup, contents_of(manifest, _DATABASE), after)
    except RunbookError as error:
        run.checks += Check.of(error, "backup")
        return None


def _check_version(manifest: Manifest, version: Version) -> list[Check]:
    made_by = next(parse_version(each.server_version) for each in manifest.databases if each.name == _DATABASE)
    if made_by == version:
        return []
    reason = f"the backup is of MariaDB {made_by}, and the cluster is {version}: system schemas and definitions differ"
    return [Check("backup", "", "", reason, "restore all of it with restore-galera, which can go from an older one")]


def _check_schemas(request: Request, found: _Found, state: SchemaState) -> Iterator[Check]:
    for name in request.schemas:
        schema = found.before.schemas.get(name)
        if schema is None:
            there = ", ".join(sorted(found.before.schemas))
            yield Check(_SCHEMAS, "", "", f"{found.backup.name} holds no schema {name}", f"it holds {there}")
            continue
        for table, contents in sorted(schema.tables.items()):
            if contents.engine.lower() != "innodb":
                reason = (
                    f"table {name}.{table} is of {contents.engine}: Galera does not copy its rows to the other nodes"
                )
                yield Check(_SCHEMAS, "", "", reason, "restore all of the backup with restore-galera")
        for child in state.leads_into(name):
            reason = f"a foreign key of {child} leads into {name}, and would follow what is kept aside"
            yield Check(
                _SCHEMAS, "", "", reason, "drop that key (or that schema, if it keeps old data), or use restore-galera"
            )
        yield Check(_SCHEMAS, "", f"{name}: {len(schema.tables)} tables in {found.backup.name}")


def _check_room(run: Run, hosts: list[Shell], backup: StoredDatabase) -> None:
    """The schemas once more on each node, on the first one all of the backup besides: nobody knows how large a schema is in it."""
    needs = Needs(backup.needs.data_bytes, backup.needs.files_bytes + backup.needs.data_bytes)
    path = run.site.database.data_directory
    directories = run.everywhere("data directory", lambda shell: read_data_directory(shell, path), hosts)
    run.checks += check_space(directories, needs, again=False)


def _job(run: Run, request: Request, servers: Mapping[str, Server], found: _Found, state: SchemaState) -> Job:
    new = Journal.model_copy(run.journal, deep=True)
    earlier, _ = run.journals.read()
    if earlier is not None:
        # What an earlier attempt left stands, whether this one begins or not: every report says so.
        run.journal.in_force, run.journal.kept = dict(earlier.in_force), dict(earlier.kept)
    wanted = RestoreState(backup=found.backup.fingerprint, schemas=sorted(request.schemas))
    names_by_new = {each.name: each.kept for each in _moved(request, found, new.stamp)}
    try:
        resume = how_to_go_on(new, earlier, wanted, names_by_new, state.kept)
    except RunbookError as error:
        run.checks += Check.of(error, "journal")
        raise Refused(run.name, run.reasons) from error
    return Job(
        request=request,
        hosts=[run.shells[name] for name in servers],
        servers=servers,
        directory=f"{run.site.database.data_directory}-{NAME}",
        image=read_image(run.first, servers[run.first.name].container),
        backup=found.backup,
        before=found.before,
        after=found.after,
        schemas=_moved(request, found, resume.journal.stamp),
        leftovers=_leftovers(resume, state),
        resume=resume,
    )


def _moved(request: Request, found: _Found, stamp: str) -> tuple[MovedSchema, ...]:
    schemas = found.before.schemas
    return tuple(
        MovedSchema(
            name=name,
            stamp=stamp,
            defaults=f"CHARACTER SET {schemas[name].charset} COLLATE {schemas[name].collation}",
            views=tuple(sorted(schemas[name].programs.get("view", {}))),
            folder=FOLDER,
        )
        for name in request.schemas
    )


def _leftovers(resume: Resume, state: SchemaState) -> tuple[str, ...]:
    """Schemas that a run has left which counts as ended now."""
    if resume.supersedes is None:
        return ()
    was, stamp = resume.supersedes.state_as(RestoreState), resume.supersedes.stamp
    return tuple(name for name in (f"{schema}_new_{stamp}" for schema in was.schemas) if name in state.schemas)


def _check_unfinished(run: Run, job: Job, state: SchemaState) -> Iterator[Check]:
    ours = {*job.leftovers, *(schema.new for schema in job.schemas)}
    for schema in job.schemas:
        for name in sorted(state.schemas - ours):
            if re.fullmatch(re.escape(schema.name) + _UNFINISHED, name):
                reason = f"schema {name} is there, and no journal knows of it"
                yield Check(_SCHEMAS, run.first.name, "", reason, "see what is in it, and drop it")
        switch = schema.switch(job.node, job.request.within_s)
        if unit_state(run.first, switch).running:
            reason = f"{schema.name} is just being put in place by an earlier run ({switch.unit})"
            yield Check(_SCHEMAS, run.first.name, "", reason, "start again once that unit has ended")
