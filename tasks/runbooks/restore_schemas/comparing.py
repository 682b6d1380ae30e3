"""What is compared before a schema is put in place, and after it."""

from __future__ import annotations

from collections.abc import Sequence

from blocks.remote.connection import Performed, Watch
from blocks.remote.errors import HostError, RunbookError
from blocks.remote.shell import Shell
from tasks.database.contents import ServerContents
from tasks.database.contents_comparison import Difference, compare
from tasks.database.contents_reading import read_contents
from tasks.database.mariadb import Server
from tasks.database.schema_comparison import of_schemas, tables_of
from tasks.database.schema_state import read_missing_definers, read_sleeping_events
from tasks.engine.change import Call, Change
from tasks.runbooks.restore_schemas.job import Job
from tasks.runbooks.stored_database.serving_cluster import CAUGHT_UP

# All tables are hashed, however large.
_NO_LIMIT = 2**62
# More of them say nothing more.
_MOST = 20


def compare_backup(job: Job) -> Change:
    """See that the server which holds the backup has what the backup's manifest says of the schemas.

    Args:
        job: What is restored.
    """

    def do(shell: Shell, _: Watch) -> Performed:
        if job.backup.method == "physical" and (why := job.throwaway.why_not_started(shell)):
            raise HostError(shell.name, f"no server starts on the copy: {why}", "restore from another backup")
        names = [schema.name for schema in job.schemas]
        found = read_contents(shell, job.throwaway.server, _NO_LIMIT, job.request.within_s, names)
        job.seen.backup = found
        compared = job.compare(found)
        job.seen.not_compared = compared.not_compared
        _refuse(shell, "what was loaded differs from the backup's manifest", compared.differences)
        return "done"

    line = f"compare {_named(job)} with the manifest of {job.backup.name}"
    return Change((Call(line, do),), findings_after=lambda _: [*map(str, job.seen.not_compared)])


def compare_tables(job: Job) -> Change:
    """See that a node has the same tables under the new names, row for row.

    Args:
        job: What is restored.
    """

    def do(shell: Shell, _: Watch) -> Performed:
        expected = job.seen.backup
        if expected is None:
            raise RunbookError("what the backup holds was not read in this run", "start the runbook again")
        server = job.servers[shell.name]
        shell.run(server.statement(CAUGHT_UP, timeout_s=job.request.within_s))
        found = read_contents(shell, server, _NO_LIMIT, job.request.within_s, [each.new for each in job.pending])
        wanted = tables_of(expected, {each.name: each.name for each in job.pending})
        arrived = tables_of(found, {each.new: each.name for each in job.pending})
        _refuse(shell, "what was copied differs from the backup", compare(wanted, arrived).differences)
        return "done"

    new = ", ".join(schema.new for schema in job.pending)
    return Change((Call(f"compare the tables of {new} with the backup", do),))


def compare_in_place(job: Job) -> Change:
    """See that everything is defined as in the backup; rows are the clients' by now.

    What differs is told when the run ends: to begin anew would not make a view whose tables are in a schema that is gone.

    Args:
        job: What is restored.
    """

    def do(shell: Shell, _: Watch) -> Performed:
        found = _definitions(shell, job.node, job)
        differences = job.compare(found).differences
        job.seen.differences = tuple(each for each in differences if each.about == "definition")
        return "done"

    def tell(shell: Shell) -> list[str]:
        kept = [
            f"what was in {schema.name} is in {schema.kept}; its views, triggers, routines and events are in "
            f"{schema.old_definitions}: docs/restore-schemas.md says how to look at it, to take it back, and to remove it"
            for schema in job.schemas
        ]
        names = [schema.name for schema in job.schemas]
        return [*kept, *read_missing_definers(shell, job.node, names), *read_sleeping_events(shell, job.node, names)]

    line = f"compare how {_named(job)} is defined with the manifest of {job.backup.name}"
    return Change((Call(line, do),), findings_after=tell)


def _definitions(shell: Shell, server: Server, job: Job) -> ServerContents:
    names = [schema.name for schema in job.schemas]
    # A table of no size is the only one that is hashed.
    return of_schemas(read_contents(shell, server, 0, job.request.within_s, names), names)


def conclude(job: Job) -> None:
    """End the run with what is not as in the backup, though its tables are in place.

    Args:
        job: What was restored.

    Raises:
        RunbookError: Something is not.
    """
    if job.seen.differences:
        raise RunbookError(
            f"{_named(job)} is in place, and not defined as in {job.backup.name}: {_listed(job.seen.differences)}",
            "a view or a trigger may need a schema that is not there: restore that, then make it by the statements in "
            + ", ".join(schema.definitions for schema in job.schemas),
        )


def _refuse(shell: Shell, what: str, differences: Sequence[Difference]) -> None:
    if differences:
        raise HostError(shell.name, f"{what}: {_listed(differences)}", "nothing was put in place; take another backup")


def _listed(differences: Sequence[Difference]) -> str:
    more = f"; and {len(differences) - _MOST} more" if len(differences) > _MOST else ""
    return "; ".join(map(str, differences[:_MOST])) + more


def _named(job: Job) -> str:
    return ", ".join(schema.name for schema in job.schemas)
