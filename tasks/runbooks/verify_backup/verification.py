"""A backup is restored into a server to throw away, and all that is then in it is compared with the manifest."""

from __future__ import annotations

from tasks.engine.steps import Steps
from tasks.runbooks.verify_backup.drill import Drill, Outcome


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
    raise NotImplementedError
