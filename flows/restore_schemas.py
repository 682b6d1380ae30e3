"""restore-schemas: some schemas of a backup, put back into the cluster while it serves.

No document has this: section 4.4 of "Backing up and restoring the undercloud and control plane nodes" replaces everything.
`docs/decisions/0022-schemas-in-a-running-cluster.md` says what is done and why.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tasks.backup.choice import PATTERN as BACKUP
from tasks.database.schema_moving import NAME_PATTERN
from tasks.engine.change import Change
from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Fence, Steps
from tasks.runbooks.restore_schemas.comparing import compare_backup, compare_in_place, compare_tables, conclude
from tasks.runbooks.restore_schemas.job import NAME, Job, Request
from tasks.runbooks.restore_schemas.preflight import look
from tasks.runbooks.stored_database.serving_cluster import hosts_of_cluster

# A switch is a statement of a second; the views and routines after it are text.
_SWITCH_S = 900
_IN_PLACE = "each schema is in place already"


@runbook(NAME, hosts=hosts_of_cluster, timeout_s=24 * 3600)
def restore_schemas(
    site: Annotated[str, Field(min_length=1)],
    schemas: list[Annotated[str, Field(pattern=NAME_PATTERN)]],
    backup: Annotated[str, Field(pattern=BACKUP)] | None = None,
    unverified: bool = False,
    dry_run: bool = False,
    approved_by: str | None = None,
    start_timeout_s: Annotated[int, Field(ge=10, le=3600)] = 300,
    load_timeout_s: Annotated[int, Field(ge=60, le=43200)] = 14400,
) -> Work[Job]:
    """Put some schemas of a backup back into the running cluster; what is there is kept under another name.

    Nothing is stopped: clients miss the moment in which the tables change places. Accounts and their privileges stay as they are.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`.
        schemas: Names of the schemas: `["nova", "nova_cell0"]`.
        backup: `latest-verified`, `before TIME` (UTC), or an id. Empty: the latest verified of the site's store.
        unverified: Take a backup that nobody has verified, where it is called by its id.
        dry_run: Check everything and show the plan; change nothing.
        approved_by: Who has approved. Empty: the run pauses and asks for the site's name.
        start_timeout_s: Seconds for the server that holds the backup to start.
        load_timeout_s: Seconds for each of fetching, loading, copying and comparing.
    """
    request = Request(tuple(schemas), backup or "", unverified, start_timeout_s, load_timeout_s)
    return Work(
        look=lambda run: look(run, request),
        procedure=procedure,
        summary=lambda job: job.summary,
        destroys=lambda job: job.summary,
        take_up=lambda job: job.resume.take_up,
        conclude=conclude,
    )


def procedure(steps: Steps, job: Job) -> None:
    """All steps, in the order in which they are taken.

    Args:
        steps: Who walks through them: the plan, or the run.
        job: What is restored.
    """
    # The last that is announced is the first that is cleaned up: what copies ends before what it has copied is dropped.
    with steps.cleanup(job.drop_unfinished), steps.cleanup(job.remove_throwaway):
        if job.pending:
            _hold_backup(steps, job)
            _copy(steps, job)
        else:
            for number, sentence in _BEFORE.items():
                steps.skip(number, sentence, _IN_PLACE)
        _put_in_place(steps, job)


_BEFORE = {
    "1": "Make room for a server that holds the backup",
    "2": "Fetch the backup from the store",
    "3": "Load the backup into the server that holds it",
    "4": "Compare what it holds with the backup's manifest",
    "5": "Copy the tables into the cluster, under other names",
    "6": "Compare the tables on every node",
    "7": "Write down views, triggers, routines and events: of the backup, and of what is there",
}


def _hold_backup(steps: Steps, job: Job) -> None:
    """Steps 1 to 4: a server without a network holds the backup. Always all of them: an earlier attempt's was thrown away."""
    server, backup, request, on = job.throwaway, job.backup, job.request, [job.first]
    folder = server.directory
    copied = backup.method == "physical"
    begin = server.make_room() if copied else server.start(request.start_s)
    steps.step("1", _BEFORE["1"], on, begin, always=True)
    steps.step("2", _BEFORE["2"], on, Change(backup.fetch(folder, request.within_s)), always=True)
    if copied:
        prepared = backup.prepare(job.image, server.preparation.directory, folder, NAME, request.within_s)
        start = server.start_on_copy(request.start_s)
        load = Change((*prepared, *start.commands), until=start.until)
    else:
        load = Change(backup.load(server.server, folder, request.within_s))
    steps.step("3", _BEFORE["3"], on, load, always=True)
    steps.step("4", _BEFORE["4"], on, compare_backup(job), always=True)


def _copy(steps: Steps, job: Job) -> None:
    """Steps 5 to 7: the cluster has the tables under other names, and what a RENAME does not carry is in files."""
    source, node, on, within_s = job.throwaway.server, job.node, [job.first], job.request.within_s
    copy = Change(tuple(schema.copy(source, node, within_s) for schema in job.pending))
    steps.step("5", _BEFORE["5"], on, copy, always=True)
    steps.step("6", _BEFORE["6"], job.hosts, compare_tables(job), always=True)
    definitions = [schema.write_definitions(source, within_s) for schema in job.pending]
    old_definitions = [schema.write_old_definitions(node, within_s) for schema in job.pending]
    steps.step("7", _BEFORE["7"], on, Change((*definitions, *old_definitions)), always=True)


def _put_in_place(steps: Steps, job: Job) -> None:
    """Steps 8 and 9: tables change places, and all else is made of its definitions."""
    fence = Fence(
        "schemas", "views, triggers, routines and events may be missing: start the runbook again as it was started"
    )
    switch = Change(tuple(schema.switch(job.node, _SWITCH_S) for schema in job.schemas))
    sentence = "Let the tables change places, and make views, triggers, routines and events"
    steps.step("8", sentence, [job.first], switch, always=True, raises=fence)
    steps.step(
        "9", "Compare what is in place with the backup", [job.first], compare_in_place(job), always=True, lifts=fence
    )
