"""A backup is restored into a server to throw away, and all that is then in it is compared with the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import count

from tasks.engine.steps import Steps
from tasks.runbooks.verify_backup.changes import record
from tasks.runbooks.verify_backup.copy_drill import restore_copy
from tasks.runbooks.verify_backup.drill import Drill, DumpRestore, Outcome
from tasks.runbooks.verify_backup.dump_drill import restore_dump
from tasks.runbooks.verify_backup.restoring import findings


def verify(steps: Steps, drill: Drill) -> list[Outcome]:
    """Restore each database of a set in each way, compare it with the manifest, and put on record what came of it.

    Whatever is wrong with the backup is no error of a step: it is on record, a finding, and in the answer.

    Args:
        steps: Who walks through them: the plan, or the run.
        drill: What is restored where.

    Returns:
        What it came to, for each restore; nothing in a plan.

    Raises:
        StepFailed: Nothing can be said of the backup: the host, its podman or its disk has failed.
    """
    numbers = (f"{drill.prefix}{number}" for number in count(1))
    number = partial(next, numbers)
    outcomes: list[Outcome | None] = []
    with steps.cleanup(drill.cleanup):
        for restore in drill.restores:
            if isinstance(restore, DumpRestore):
                outcomes.append(restore_dump(steps, number, drill, restore))
            else:
                outcomes.append(restore_copy(steps, number, drill, restore))
    return [outcome for outcome in outcomes if outcome is not None]


def record_damage(steps: Steps, drill: Drill, damage: Sequence[str]) -> list[Outcome]:
    """Put on record that files of a set are not what they were, without restoring it.

    Args:
        steps: Who walks through them.
        drill: What would have been restored.
        damage: What is wrong with the files.

    Returns:
        What verify returns.
    """
    outcomes = [Outcome(each.database, each.method, 0.0, tuple(damage), ()) for each in drill.restores]
    for number, outcome in enumerate(outcomes, 1):
        for finding in findings(outcome):
            steps.report_finding(finding)
        sentence = f"Put on record what {outcome.what} came to"
        recording = record(drill, drill.store.shell.name, outcome)
        steps.step(f"{drill.prefix}{number}", sentence, [drill.store.shell], recording, always=True)
    return outcomes
