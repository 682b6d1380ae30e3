"""A dump and its grants are loaded into a server to throw away, and all that is then in it is compared with the manifest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from tasks.database.contents_comparison import compare
from tasks.database.sql_loading import Loaded, SqlFile
from tasks.database.throwaway_server import ThrowawayServer
from tasks.engine.change import Change
from tasks.engine.results import Results
from tasks.engine.steps import Steps
from tasks.runbooks.verify_backup.changes import fetch
from tasks.runbooks.verify_backup.drill import Drill, DumpRestore, Outcome, StoredFile, contents_of
from tasks.runbooks.verify_backup.restoring import (
    START_S,
    Compared,
    Number,
    changed,
    conclude,
    manifest_of,
    outcome_of,
)


@dataclass(frozen=True)
class _Restoring:
    """One restore under way.

    Attributes:
        drill: The drill.
        restore: What of it.
        loaded: What is loaded → what that came to.
    """

    drill: Drill
    restore: DumpRestore
    loaded: dict[str, Results[Loaded]] = field(default_factory=dict)

    @property
    def server(self) -> ThrowawayServer:
        return self.drill.server(self.restore)

    @property
    def files(self) -> Iterator[tuple[StoredFile, SqlFile]]:
        """What is loaded, in this order: as the set has it, and as the host has it."""
        for what, file in zip(("dump", "grants"), self.restore.files, strict=False):
            yield file, SqlFile(self.drill.source(file), self.drill.unpack(file), what)

    @property
    def tables(self) -> int:
        """How many tables there should be; 0 in a plan of a set that is not written yet."""
        manifest = self.drill.manifest()
        schemas = contents_of(manifest, self.restore.database).schemas.values() if manifest else ()
        return sum(len(schema.tables) for schema in schemas)

    def outcome(self, compared: Compared | None) -> Outcome | None:
        """What it came to; None in a plan."""
        if compared is None:
            return None
        problems: list[str] = []
        seconds = 0.0
        for file, sql in self.files:
            seen = self.loaded[sql.what].known(self.drill.shell.name)
            if seen is None:
                raise RunbookError(f"what loading {file.name} came to is not known")
            problems += [*changed(self.drill, file, seen.sha256), *seen.problems]
            seconds += seen.seconds
        return outcome_of(self.restore, seconds, problems, compared)


def restore_dump(steps: Steps, number: Number, drill: Drill, restore: DumpRestore) -> Outcome | None:
    """Take the steps of one dump: always all of them, since what an earlier attempt has loaded was thrown away.

    Args:
        steps: Who walks through them: the plan, or the run.
        number: Gives the number of the next step.
        drill: The drill.
        restore: What is restored.

    Returns:
        What it came to; None in a plan.
    """
    restoring = _Restoring(drill, restore)
    server, database, on = restoring.server, restore.database, [drill.shell]
    steps.step(number(), f"Start a server for {database}", on, server.start(START_S), always=True)
    if not drill.in_place:
        fetching = Change(tuple(fetch(drill, file) for file in restore.files))
        steps.step(number(), f"Fetch the backup of {database}", on, fetching, always=True)
    for _, sql in restoring.files:
        results = Results(f"what loading the {sql.what} came to", Loaded, partial(_read_loaded, server, sql))
        restoring.loaded[sql.what] = results
        load = Change((server.load(sql, drill.within_s),))
        steps.step(number(), f"Load the {sql.what} of {database}", on, load, always=True, results=results)
    compared = Results("what differs", Compared, partial(_compare, restoring))
    read = server.read(drill.within_s, restoring.tables)
    steps.step(number(), f"Compare {database} with the manifest", on, read, always=True, results=compared)
    outcome = restoring.outcome(compared.known(drill.shell.name))
    conclude(steps, number(), drill, restore, outcome)
    return outcome


def _read_loaded(server: ThrowawayServer, sql: SqlFile, shell: Shell) -> Loaded:
    return server.read_loaded(shell, sql)


def _compare(restoring: _Restoring, shell: Shell) -> Compared:
    expected = contents_of(manifest_of(restoring.drill), restoring.restore.database)
    return Compared.of(compare(expected, restoring.server.contents(shell)))
