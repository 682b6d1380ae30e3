"""The backup of one database, step by step, with the server's own protection around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tasks.database.desync import desync, resync, resync_words
from tasks.engine.cleanup import Cleanup
from tasks.engine.steps import Steps
from tasks.runbooks.database_backup.backup import Backup


def back_up(steps: Steps, backup: Backup) -> None:
    """Take the backup: a set that is complete, or absent.

    Step 3 is the document's (BR 1.5 step 3, and what the role does in BR 2.5 and 3.5 step 3); those with a letter are not in it.

    Args:
        steps: Who walks through them: the plan, or the run.
        backup: What is backed up, and where to.
    """
    host, store = [backup.source.host], [backup.store.shell]
    for finding in backup.findings:
        steps.report_finding(finding)
    with steps.cleanup(backup.half_written):
        steps.step("3a", "Make room for the backup set", store, backup.begin())
        with _desynced(steps, backup), steps.cleanup(backup.at_work):
            steps.step("3", "Create a database backup", host, backup.dump())
            steps.step("3c", "Back up the accounts and what they may do", host, backup.grants())
            if "physical" in backup.methods:
                steps.step("3d", "Make a physical copy", host, backup.copy())
            if backup.request.documented_file:
                steps.step("3e", "Write the documented files on the host", host, backup.documented_files())
        steps.step("3g", "Seal the backup set", store, backup.seal())


@contextmanager
def _desynced(steps: Steps, backup: Backup) -> Iterator[None]:
    """Let the cluster go on without waiting for the node; it is set back by the run, by its hooks, or by itself."""
    source, drain_s = backup.source, backup.request.bounds.drain_s
    if not source.galera:
        yield
        return
    sync = Cleanup(
        key="desync",
        sentence="Set the node back, so that the cluster waits for it again",
        words={source.host.name: resync_words(source.server, drain_s)},
    )
    with steps.cleanup(sync):
        steps.step("3b", "Take the node out of flow control", [source.host], desync(source.server))
        yield
        steps.step(
            "3f", "Set it back once its receive queue has drained", [source.host], resync(source.server, drain_s)
        )
