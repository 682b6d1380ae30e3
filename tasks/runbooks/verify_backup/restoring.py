"""What restoring a dump and restoring a physical copy have in common: their steps' end, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from blocks.remote.errors import RunbookError
from tasks.backup.manifest import Manifest
from tasks.database.contents_comparison import Comparison
from tasks.engine.steps import Steps
from tasks.runbooks.verify_backup.changes import record
from tasks.runbooks.verify_backup.drill import Drill, Outcome, Restore, StoredFile

START_S = 300.0
# More of them say nothing more: a dump that is cut in its middle lacks thousands of things.
_MOST = 100
# Gives the number of the next step.
Number = Callable[[], str]


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

    @classmethod
    def of(cls, comparison: Comparison) -> Compared:
        """Put it in sentences."""
        differences, not_compared = ([*map(str, each)] for each in (comparison.differences, comparison.not_compared))
        return cls(tuple(differences[:_MOST]), len(differences), at_most(not_compared, len(not_compared)))


def manifest_of(drill: Drill) -> Manifest:
    """The set's manifest, once it is written.

    Raises:
        RunbookError: It is not.
    """
    manifest = drill.manifest()
    if manifest is None:
        raise RunbookError(f"{drill.name} has no manifest")
    return manifest


def outcome_of(restore: Restore, seconds: float, problems: Sequence[str], compared: Compared | None) -> Outcome:
    """What a restore came to.

    Args:
        restore: Which restore.
        seconds: How long it took.
        problems: What was wrong before anything could be compared.
        compared: What the comparison came to; None where there was nothing to compare.
    """
    found = compared or Compared((), 0, ())
    differences = at_most([*problems, *found.differences], len(problems) + found.count)
    return Outcome(restore.database, restore.method, round(seconds, 3), differences, found.not_compared)


def changed(drill: Drill, file: StoredFile, sha256: str) -> list[str]:
    """Whether a file is not the one that was sealed.

    Args:
        drill: The drill.
        file: The file.
        sha256: Its SHA-256 as it was read.
    """
    sealed = drill.file(file.name)
    if sealed is None:
        return [f"{file.name} is none of the files that the manifest tells of"]
    return [f"{file.name} was changed: its checksum is another"] if sealed.sha256 != sha256 else []


def at_most(sentences: Sequence[str], there_are: int) -> tuple[str, ...]:
    """The first sentences, and how many more there are."""
    more = there_are - _MOST
    return (*sentences[:_MOST], f"and {more} more") if more > 0 else tuple(sentences)


def conclude(steps: Steps, number: str, drill: Drill, restore: Restore, outcome: Outcome | None) -> None:
    """Report what a restore came to, and put it on record.

    Args:
        steps: Who walks through them.
        number: Of the step.
        drill: The drill.
        restore: Which restore of it.
        outcome: What it came to; None in a plan.
    """
    known = outcome or Outcome(restore.database, restore.method, 0, (), ())
    for finding in findings(outcome):
        steps.report_finding(finding)
    recording = record(drill, drill.shell.name, known)
    steps.step(number, f"Put on record what {known.what} came to", [drill.store.shell], recording, always=True)


def findings(outcome: Outcome | None) -> Iterator[str]:
    """What the operator should know of it."""
    if outcome is None:
        return
    for said in outcome.not_compared:
        yield f"{outcome.what}: {said}"
    for said in outcome.differences:
        yield f"{outcome.what} differs from its backup's manifest: {said}"
