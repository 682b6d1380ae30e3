"""restore-accounts: accounts and roles of the running cluster are what they are in a backup.

No document has this: section 4.4 of "Backing up and restoring the undercloud and control plane nodes" replaces everything.
`docs/decisions/0022-schemas-in-a-running-cluster.md` says what is done and why.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tasks.backup.choice import PATTERN as BACKUP
from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Steps
from tasks.runbooks.restore_accounts.changes import compare, conclude, keep, replace
from tasks.runbooks.restore_accounts.job import NAME, Job, Request
from tasks.runbooks.restore_accounts.preflight import look
from tasks.runbooks.stored_database.serving_cluster import hosts_of_cluster


@runbook(NAME, hosts=hosts_of_cluster, timeout_s=2 * 3600)
def restore_accounts(
    site: Annotated[str, Field(min_length=1)],
    accounts: list[Annotated[str, Field(min_length=1)]] | None = None,
    backup: Annotated[str, Field(pattern=BACKUP)] | None = None,
    unverified: bool = False,
    dry_run: bool = False,
    approved_by: str | None = None,
) -> Work[Job]:
    """Make accounts and roles of the running cluster what they are in a backup: passwords, limits, privileges, roles.

    Only what differs is replaced. What the cluster has besides stays, and so do the accounts that its own parts log in with.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`.
        accounts: Users, at whatever host, or roles: `["nova"]`. Empty: all that differ.
        backup: `latest-verified`, `before TIME` (UTC), or an id. Empty: the latest verified of the site's store.
        unverified: Take a backup that nobody has verified, where it is called by its id.
        dry_run: Say what differs; change nothing.
        approved_by: Who has approved. Empty: the run pauses and asks for the site's name.
    """
    request = Request(tuple(accounts or ()), backup or "", unverified)
    return Work(
        look=lambda run: look(run, request),
        procedure=procedure,
        summary=lambda job: job.summary,
        destroys=lambda job: job.summary if job.chosen else "",
        take_up=lambda job: job.take_up,
        conclude=conclude,
    )


_SENTENCES = {
    "1": "Write down all accounts as they are",
    "2": "Replace the accounts and roles that differ",
    "3": "Compare them on every node",
}


def procedure(steps: Steps, job: Job) -> None:
    """All steps, in the order in which they are taken.

    Args:
        steps: Who walks through them: the plan, or the run.
        job: What is restored.
    """
    for account, why in job.left.items():
        steps.report_finding(f"{account} is not as in the backup, and stays: {why}")
    if not job.chosen:
        for number, sentence in _SENTENCES.items():
            steps.skip(number, sentence, "every account is as in the backup")
        return
    steps.step("1", _SENTENCES["1"], [job.first], keep(job), always=True)
    steps.step("2", _SENTENCES["2"], [job.first], replace(job), always=True)
    steps.report_finding(f"the accounts as they were are in {job.kept} on {job.first.name}")
    steps.step("3", _SENTENCES["3"], job.hosts, compare(job), always=True)
