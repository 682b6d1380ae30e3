"""The journal: what a run has done so far, kept on the first host that it works on.

A run that was killed leaves it behind, and so the next run, from whatever machine, knows what stands, what is in force
and where the old data is. It is written when a step begins (with all that came before it), so "begun" means: perhaps
done, perhaps half done, look.

A runbook that works on the cloud's API alone keeps it on the worker's machine: what stands, the cloud itself says.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from blocks.remote.command import question, script
from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from blocks.state import state_directory
from tasks.engine.cleanup import Cleanup

STATE_DIRECTORY = "/var/lib/openstack-runbooks"
Outcome = Literal["done", "already", "attached", "answered", "left out", "earlier"]


class Record(BaseModel):
    """One step on one host, as it ended."""

    model_config = ConfigDict(frozen=True)

    number: str
    sentence: str
    host: str
    outcome: Outcome
    seconds: float = 0.0
    note: str = ""
    findings: tuple[str, ...] = ()
    result: JsonValue = None


class Journal(BaseModel):
    """The state of one run of one runbook.

    Attributes:
        runbook: Its name.
        site: The site's name.
        run_id: Prefect's id of the latest attempt's flow run.
        started: When the first attempt began (UTC).
        stamp: The same as part of file names.
        subject: What it works on (paths and fingerprints of the dump); another subject is another job.
        kept: Names that must be the same in every attempt (the directory that keeps the old data).
        attempts: How many runs have worked on it.
        settled: Numbers of the steps that are done.
        begun: The step that was under way last, done or not.
        in_force: Key → sentence of what stands until a later step lifts it.
        cleanups: What must still be cleaned up, in the order in which it was announced.
        results: Step number → host → the value that the step returned to later ones.
        records: Every step of the latest attempt.
        findings: What the operator should know afterwards.
        finished: Whether the procedure reached its end.
    """

    runbook: str
    site: str
    run_id: str
    started: datetime
    subject: dict[str, str] = Field(default_factory=dict)
    kept: dict[str, str] = Field(default_factory=dict)
    attempts: int = 1
    settled: list[str] = Field(default_factory=list)
    begun: str = ""
    in_force: dict[str, str] = Field(default_factory=dict)
    cleanups: list[Cleanup] = Field(default_factory=list)
    results: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
    records: list[Record] = Field(default_factory=list)
    findings: list[str] = Field(default_factory=list)
    finished: bool = False

    @property
    def stamp(self) -> str:
        """The start as 20261121T123456Z."""
        return self.started.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


class JournalKeeper(Protocol):
    """Where the journals of one runbook are."""

    def read(self) -> tuple[Journal | None, list[Journal]]:
        """Read the unfinished journal, if there is one, and those of finished runs."""

    def write(self, journal: Journal) -> None:
        """Write the journal so that it is there whole or as it was before, whatever happens meanwhile."""

    def close(self, journal: Journal) -> None:
        """Write the finished journal under its date, so that what it kept is known to later runs."""


class HostJournals:
    """Journals on a host.

    Args:
        shell: The host: the first of those that the runbook works on.
        runbook: The runbook's name.
    """

    def __init__(self, shell: Shell, runbook: str) -> None:
        self._shell, self._folder = shell, f"{STATE_DIRECTORY}/{runbook}"

    def read(self) -> tuple[Journal | None, list[Journal]]:
        """Read the journals (see `JournalKeeper`).

        Raises:
            RunbookError: A journal can't be read as one.
        """
        listing = self._shell.run(
            script(
                'cd "$1" 2>/dev/null || exit 0; for f in *.json; do [ ! -e "$f" ] || { cat "$f"; echo; }; done',
                self._folder,
                quiet=True,
            )
        ).stdout
        return _sorted(_parse(line, self._shell.name, self._folder) for line in listing.splitlines() if line.strip())

    def write(self, journal: Journal) -> None:
        """Write the journal (see `JournalKeeper`)."""
        self._shell.run(
            script(
                'install -d -m 700 "$1"; cat > "$1/.new"; sync "$1/.new"; mv "$1/.new" "$1/current.json"',
                self._folder,
                stdin=journal.model_dump_json() + "\n",
                quiet=True,
            )
        )

    def close(self, journal: Journal) -> None:
        """Close the journal (see `JournalKeeper`)."""
        journal.finished = True
        self.write(journal)
        self._shell.run(question("mv", f"{self._folder}/current.json", f"{self._folder}/{journal.stamp}.json"))


class LocalJournals:
    """Journals on this machine, for a runbook that works on no host.

    Args:
        site: The site's name.
        runbook: The runbook's name.
    """

    def __init__(self, site: str, runbook: str) -> None:
        self._folder = state_directory() / "journals" / site / runbook

    def read(self) -> tuple[Journal | None, list[Journal]]:
        """Read the journals (see `JournalKeeper`).

        Raises:
            RunbookError: A journal can't be read as one.
        """
        files = sorted(self._folder.glob("*.json"))
        return _sorted(_parse(file.read_text(), "this machine", str(self._folder)) for file in files)

    def write(self, journal: Journal) -> None:
        """Write the journal (see `JournalKeeper`)."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self._folder / ".new"
        with new.open("w") as stream:
            stream.write(journal.model_dump_json() + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        new.rename(self._folder / "current.json")

    def close(self, journal: Journal) -> None:
        """Close the journal (see `JournalKeeper`)."""
        journal.finished = True
        self.write(journal)
        (self._folder / "current.json").rename(self._folder / f"{journal.stamp}.json")


def _sorted(journals: Iterable[Journal]) -> tuple[Journal | None, list[Journal]]:
    known = list(journals)
    current = [journal for journal in known if not journal.finished]
    return (current[0] if current else None), [journal for journal in known if journal.finished]


def _parse(text: str, host: str, folder: str) -> Journal:
    try:
        return Journal.model_validate_json(text)
    except ValidationError as error:
        raise RunbookError(
            f"{host}: a journal in {folder} can't be read ({error.error_count()} errors)",
            "it was written by another version of this project, or damaged: see what it says, then move it away",
        ) from error


def now() -> datetime:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def keeper(runbook: str, site: str, first: Shell | None) -> JournalKeeper:
    """Where a runbook's journals are: on the first of its hosts, or on this machine where it has none."""
    return HostJournals(first, runbook) if first is not None else LocalJournals(site, runbook)
