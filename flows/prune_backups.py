"""prune-backups: what a site's retention policy does not count is removed from its backup store.

No document has this. Which sets stay, and why nobody is asked, says `docs/decisions/0018-backup-sets.md`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from blocks.site import BACKUP_NODE
from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Steps
from tasks.runbooks.prune_backups.pruning import Pruning, look

NAME = "prune-backups"


@runbook(NAME, hosts=lambda _site, _parameters: [BACKUP_NODE], timeout_s=6 * 3600)
def prune_backups(site: Annotated[str, Field(min_length=1)], dry_run: bool = False) -> Work[Pruning]:
    """Remove the backups that the site's retention policy does not count, as `[store.retention]` of its site file says.

    Only backups that were restored and compared count. The last verified one of a kind stays, and so does what is pinned, what
    another one depends on, and all of a kind while a later one is not verified.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`.
        dry_run: Say for each backup whether it would go, and why; change nothing.
    """
    return Work(look=look, procedure=procedure, summary=lambda job: job.summary)


def procedure(steps: Steps, job: Pruning) -> None:
    """What goes is first out of sight, then deleted, then on record.

    Args:
        steps: Who walks through them: the plan, or the run.
        job: What becomes of each set.
    """
    for finding in job.findings:
        steps.report_finding(finding)
    for decision in job.decisions:
        verb = "Keep" if decision.kept else "Remove"
        steps.record_answer(
            "1", f"{verb} {decision.id}", job.shell, "the retention policy", "; ".join(decision.reasons)
        )
    if job.unlisted:
        steps.step("2", "Put into the catalogue what a killed run has sealed", [job.shell], job.listing())
    if not job.removed:
        steps.skip("3", "Remove backups", "the policy counts all of them, or a later one is not verified yet")
        return
    if job.going:
        steps.step("3", "Put aside what goes", [job.shell], job.putting_aside())
    if job.images:
        steps.step("3a", "Delete the images that belong to it", [job.shell], job.deleting_images())
    steps.step("4", "Delete it", [job.shell], job.deleting())
    steps.step("5", "Put on record that it is gone", [job.shell], job.recording())
