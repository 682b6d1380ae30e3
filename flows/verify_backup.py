"""verify-backup: a drill. A backup is restored into a server to throw away, and compared with its manifest.

No document has this. What is compared and why, says `docs/decisions/0018-backup-sets.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from blocks.site import BACKUP_NODE, DRILL_HOST, UNDERCLOUD, Site
from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Steps
from tasks.runbooks.verify_backup.preflight import LATEST, Verification, look
from tasks.runbooks.verify_backup.verification import record_damage, verify

NAME = "verify-backup"


def hosts(site: Site, _: Mapping[str, Any]) -> list[str]:
    """The store's host, and those on which the drill may take place: the one that the site names, or all that may do."""
    if site.store is not None and site.store.drill_host is not None:
        return [BACKUP_NODE, DRILL_HOST]
    return [BACKUP_NODE, *([UNDERCLOUD] if site.undercloud else []), site.database.role]


@runbook(NAME, hosts=hosts, timeout_s=48 * 3600)
def verify_backup(
    site: Annotated[str, Field(min_length=1)],
    backup: Annotated[str, Field(min_length=1)] = LATEST,
    dry_run: bool = False,
) -> Work[Verification]:
    """Restore a backup into a MariaDB to throw away, of the image that made it and without a network, and compare all of it.

    What differs from the backup's manifest fails the run; what came of it, and how long the restore took, is on record beside the
    backup. Nothing of the site's own databases is touched.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`.
        backup: A backup's id, or the beginning of its time; `latest`; or `latest-unverified`, which does nothing where all are.
        dry_run: See whether it could be restored, and where; change nothing.
    """
    return Work(
        look=partial(look, backup=backup),
        procedure=procedure,
        summary=lambda job: job.summary,
        conclude=lambda job: job.conclude(),
    )


def procedure(steps: Steps, job: Verification) -> None:
    """The drill; where files of the backup are missing or cut, that is put on record at once.

    Args:
        steps: Who walks through them: the plan, or the run.
        job: What is verified.
    """
    for finding in job.findings:
        steps.report_finding(finding)
    if job.drill is None:
        steps.skip("1", "Restore a backup", "every one is verified")
    elif job.damage:
        job.outcomes[:] = record_damage(steps, job.drill, job.damage)
    else:
        job.outcomes[:] = verify(steps, job.drill)
