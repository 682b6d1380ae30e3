"""A backup is restored into a server to throw away, and all that is then in it is compared with the manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from tasks.database.contents import ServerContents
from tasks.database.contents_comparison import compare
from tasks.database.sql_loading import Loaded, SqlFile
from tasks.database.throwaway_server import ThrowawayServer
from tasks.engine.change import Change
from tasks.engine.results import Results
from tasks.engine.steps import Steps
from tasks.runbooks.verify_backup.changes import fetch, record
from tasks.runbooks.verify_backup.drill import UNPACK, Drill, Outcome, Restore, StoredSql, contents_of

_START_S = 300.0
# More of them say nothing more: a dump that is cut in its middle lacks thousands of things.
_MOST = 100


@dataclass(frozen=True)
class Compared:
    """What a comparison came to, in sentences.

    Attributes:
        differences: What is not as the manifest says; the first of it.
        count: How many differences there are.
        not_compared: What nothing can be said of.
    """

    differences: tuple[str, ...]
    count: int
    not_compared: tuple[str, ...]


@dataclass(frozen=True)
class _Restoring:
    """One restore under way.

    Attributes:
        drill: The drill.
        restore: What of it.
        loaded: What is loaded → what that came to.
    """

    drill: Drill
    restore: Restore
    loaded: dict[str, Results[Loaded]] = field(default_factory=dict)

    @property
    def server(self) -> ThrowawayServer:
        return self.drill.server(self.restore)

    @property
    def files(self) -> Iterator[tuple[StoredSql, SqlFile]]:
        """What is loaded, in this order: as the set has it, and as the host has it."""
        restore = self.restore
        for what, file in (("dump", restore.dump), ("grants", restore.grants)):
            if file is not None:
                yield file, SqlFile(self.drill.source(file), UNPACK[file.compression], what)

    @property
    def tables(self) -> int:
        """How many tables there should be; 0 in a plan of a set that is not written yet."""
        manifest = self.drill.manifest()
        schemas = contents_of(manifest, self.restore.database).schemas.values() if manifest else ()
        return sum(len(schema.tables) for schema in schemas)

    def outcome(self, compared: Compared | None) -> Outcome | None:
        """What it came to; None in a plan."""
        host = self.drill.shell.name
        loaded = {what: results.known(host) for what, results in self.loaded.items()}
        if compared is None:
            return None
        differences: list[str] = []
        seconds = 0.0
        for file, sql in self.files:
            seen = loaded[sql.what]
            if seen is None:
                raise RunbookError(f"what loading {file.name} came to is not known")
            differences += [*_changed(self.drill, file, seen), *seen.problems]
            seconds += seen.seconds
        return Outcome(
            self.restore.database,
            round(seconds, 3),
            _at_most([*differences, *compared.differences], len(differences) + compared.count),
            compared.not_compared,
        )


def verify(steps: Steps, drill: Drill) -> list[Outcome]:
    """Restore each database of a set, compare it with the manifest, and put on record what came of it.

    Whatever is wrong with the backup is no error of a step: it is on record, a finding, and in the answer.

    Args:
        steps: Who walks through them: the plan, or the run.
        drill: What is restored where.

    Returns:
        What it came to, for each database; nothing in a plan.

    Raises:
        StepFailed: Nothing can be said of the backup: the host, its podman or its disk has failed.
    """
    numbers = (f"{drill.prefix}{number}" for number in count(1))
    with steps.cleanup(drill.cleanup):
        outcomes = [_restore(steps, partial(next, numbers), _Restoring(drill, restore)) for restore in drill.restores]
    return [outcome for outcome in outcomes if outcome is not None]


def _restore(steps: Steps, number: Callable[[], str], restoring: _Restoring) -> Outcome | None:
    """Take the steps of one database: always all of them, since what an earlier attempt has loaded was thrown away."""
    drill, server, database = restoring.drill, restoring.server, restoring.restore.database
    on = [drill.shell]
    steps.step(number(), f"Start a server for {database}", on, server.start(_START_S), always=True)
    if not drill.in_place:
        fetching = Change(tuple(fetch(drill, file) for file, _ in restoring.files))
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
    for finding in _findings(outcome):
        steps.report_finding(finding)
    steps.step(
        number(),
        f"Put on record what {database} came to",
        [drill.store.shell],
        record(drill, drill.shell.name, outcome or Outcome(database, 0, (), ())),
        always=True,
    )
    return outcome


def record_damage(steps: Steps, drill: Drill, damage: Sequence[str]) -> list[Outcome]:
    """Put on record that files of a set are not what they were, without restoring it.

    Args:
        steps: Who walks through them.
        drill: What would have been restored.
        damage: What is wrong with the files.

    Returns:
        What verify returns.
    """
    outcomes = [Outcome(restore.database, 0.0, tuple(damage), ()) for restore in drill.restores]
    for number, outcome in enumerate(outcomes, 1):
        for finding in _findings(outcome):
            steps.report_finding(finding)
        sentence = f"Put on record what {outcome.database} came to"
        recording = record(drill, drill.store.shell.name, outcome)
        steps.step(f"{drill.prefix}{number}", sentence, [drill.store.shell], recording, always=True)
    return outcomes


def _read_loaded(server: ThrowawayServer, sql: SqlFile, shell: Shell) -> Loaded:
    return server.read_loaded(shell, sql)


def _compare(restoring: _Restoring, shell: Shell) -> Compared:
    found = compare(_expected(restoring), restoring.server.contents(shell))
    differences, not_compared = ([*map(str, each)] for each in (found.differences, found.not_compared))
    return Compared(tuple(differences[:_MOST]), len(differences), _at_most(not_compared, len(not_compared)))


def _expected(restoring: _Restoring) -> ServerContents:
    manifest = restoring.drill.manifest()
    if manifest is None:
        raise RunbookError(f"{restoring.drill.name} has no manifest")
    return contents_of(manifest, restoring.restore.database)


def _changed(drill: Drill, file: StoredSql, seen: Loaded) -> list[str]:
    """Whether a file is not the one that was sealed."""
    sealed = drill.file(file.name)
    if sealed is None:
        return [f"{file.name} is none of the files that the manifest tells of"]
    return [f"{file.name} was changed: its checksum is another"] if sealed.sha256 != seen.sha256 else []


def _at_most(sentences: Sequence[str], there_are: int) -> tuple[str, ...]:
    more = there_are - _MOST
    return (*sentences[:_MOST], f"and {more} more") if more > 0 else tuple(sentences)


def _findings(outcome: Outcome | None) -> Iterator[str]:
    if outcome is None:
        return
    for said in outcome.not_compared:
        yield f"{outcome.database}: {said}"
    for said in outcome.differences:
        yield f"{outcome.database} differs from its backup's manifest: {said}"
