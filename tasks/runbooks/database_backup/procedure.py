"""The backup of one database, step by step, with what protects the server and the store around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tasks.database.desync import desync, resync
from tasks.engine.steps import Steps
from tasks.runbooks.database_backup import changes
from tasks.runbooks.database_backup.backup import Backup
from tasks.runbooks.database_backup.proof import prove

_ENCRYPTED = "it is encrypted, and the site does not say where a host has the private key (`age_identity` of [store])"


def back_up(steps: Steps, backup: Backup) -> None:
    """Take a backup, which is complete or absent, and prove it.

    Args:
        steps: Who walks through them: the plan, or the run.
        backup: What is backed up, and where to.
    """
    take(steps, backup)
    prove_set(steps, backup)


def prove_set(steps: Steps, backup: Backup) -> None:
    """Restore the set, and compare it with its manifest.

    Args:
        steps: Who walks through them: the plan, or the run.
        backup: What was backed up.
    """
    backup.taken.outcomes[:] = prove(steps, backup.drill, _ENCRYPTED)


def take(steps: Steps, backup: Backup) -> None:
    """Take a backup, which is complete or absent.

    Step 3 is the document's (BR 1.5 step 3; BR 2.5 and 3.5 step 3, of which this is the role's `db_backup`). Those with a letter
    are not in it, nor are V1 and those after it.

    Args:
        steps: Who walks through them: the plan, or the run.
        backup: What is backed up, and where to.
    """
    host, store = [backup.source.host], [backup.store.shell]
    for finding in backup.findings:
        steps.report_finding(finding)
    with steps.cleanup(backup.half_written):
        steps.step("3a", "Make room for the backup set", store, changes.begin(backup))
        with _desynced(steps, backup), steps.cleanup(backup.at_work):
            steps.step("3", "Create a database backup", host, changes.send_dump(backup))
            steps.step("3c", "Back up the accounts and what they may do", host, changes.send_grants(backup))
            if "physical" in backup.methods:
                steps.step("3d", "Make a physical copy", host, changes.send_copy(backup))
            if backup.request.documented_file:
                files = changes.write_documented_files(backup)
                steps.step("3e", "Write the documented files on the host", host, files)
        steps.step("3g", "Seal the backup set", store, changes.seal(backup))


@contextmanager
def _desynced(steps: Steps, backup: Backup) -> Iterator[None]:
    """Let the cluster go on without waiting for the node; the run sets it back, or its hooks, or the node by itself."""
    host, server, drain_s = [backup.source.host], backup.source.server, backup.request.bounds.drain_s
    if not backup.source.galera:
        yield
        return
    with steps.cleanup(backup.desynced):
        steps.step("3b", "Take the node out of flow control", host, desync(server))
        yield
        steps.step("3f", "Set it back once its receive queue has drained", host, resync(server, drain_s))
