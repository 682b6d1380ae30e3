"""restore-undercloud-database: "Restoring the undercloud node database manually", step by step.

Source: Red Hat OpenStack Platform 16.1, "Backing up and restoring the undercloud and control plane nodes", section 4.5.
Where a step departs from it, `restore_undercloud_database.departures.toml` says so and why.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from blocks.remote.command import question
from tasks.backup.choice import PATTERN as BACKUP
from tasks.database import data_directory, mariadb
from tasks.engine.cleanup import Cleanup
from tasks.engine.plan import plan_of
from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Steps
from tasks.node import tripleo_services
from tasks.runbooks.restore_undercloud_database.job import NAME, Job, Method, Request, hosts_of_restore
from tasks.runbooks.restore_undercloud_database.loading import bring, load, put_in_place, remove_words
from tasks.runbooks.restore_undercloud_database.preflight import look
from tasks.runbooks.restore_undercloud_database.serving import start_database
from tasks.runbooks.stored_database.database import StoredDatabase

# What each step is called that may be left out.
_INITIALIZE = "Initialize the data directory with the container"
_START, _STOP = "Start the database to import the data", "Stop the container"


@runbook(NAME, hosts=hosts_of_restore, timeout_s=12 * 3600)
def restore_undercloud_database(
    site: Annotated[str, Field(min_length=1)],
    backup: Annotated[str, Field(pattern=BACKUP)] | None = None,
    unverified: bool = False,
    method: Method = "quickest",
    dump: Annotated[str, Field(pattern="^/")] | None = None,
    dry_run: bool = False,
    approved_by: str | None = None,
    services_timeout_s: Annotated[int, Field(ge=60, le=7200)] = 900,
    start_timeout_s: Annotated[int, Field(ge=10, le=3600)] = 300,
    copy_timeout_s: Annotated[int, Field(ge=60, le=43200)] = 14400,
    load_timeout_s: Annotated[int, Field(ge=60, le=43200)] = 14400,
) -> Work[Job]:
    """Restore the undercloud's database from a backup, or from a dump of the whole server; the old data is kept.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`.
        backup: `latest-verified`, `before TIME` (UTC), or an id. Empty, with no dump: the latest verified of the site's store.
            Nothing is restored to a point in time between two backups: no binary logs are kept.
        unverified: Take a backup that nobody has verified, where it is called by its id.
        method: Of a backup. `quickest`: its physical copy where it has a verified one of the same series of MariaDB, else its dump.
            `documented`: its dump, by all documented steps.
        dump: Path of the SQL dump on the undercloud, as section 1.5 makes it (`mysqldump --all-databases`). Empty, without a store:
            /root/undercloud-all-databases.sql.
        dry_run: Check everything and show the plan; change nothing.
        approved_by: Who has approved. Empty: the run pauses and asks for the site's name.
        services_timeout_s: Seconds for the undercloud's services to stop, and for them to start again.
        start_timeout_s: Seconds for a database to start or to shut down.
        copy_timeout_s: Seconds to copy the old data, where its directory is a mount point and can't be moved.
        load_timeout_s: Seconds for the import; of a backup, for each of fetching and loading it.
    """
    waits = (services_timeout_s, start_timeout_s, copy_timeout_s, load_timeout_s)
    request = Request(dump or "", *waits, backup=backup or "", unverified=unverified, method=method)
    return Work(
        look=lambda run: look(run, request, lambda job: plan_of(procedure, job).numbers),
        procedure=procedure,
        summary=lambda job: job.summary,
        destroys=lambda job: job.summary,
        take_up=lambda job: job.resume.take_up,
    )


def procedure(steps: Steps, job: Job) -> None:
    """All steps, in the order in which they are taken.

    Args:
        steps: Who walks through them: the plan, or the run.
        job: What is restored.
    """
    for loss in job.facts.losses:
        steps.report_finding(f"not restored: {loss.full}")
    _stop_services(steps, job)
    _put_aside(steps, job)
    _import(steps, job)
    _start_services(steps, job)


def _stop_services(steps: Steps, job: Job) -> None:
    """Steps 1 to 3: nothing runs on the undercloud that uses the database."""
    host, stop_s = job.host, job.request.stop_s
    steps.record_answer("1", "Log in to the undercloud as root", host, question("id", "-un"), "root")
    # Looked at again until the services are started on purpose: an undercloud that was restarted starts them by itself.
    stop_units = tripleo_services.stop_units(stop_s)
    steps.step("2", "Stop all tripleo services", [host], stop_units, always=not job.resume.serving, raises=job.stopped)
    stop_rest = tripleo_services.stop_containers(stop_s)
    steps.step("3", "Stop the containers that still run", [host], stop_rest, always=not job.resume.serving)


def _put_aside(steps: Steps, job: Job) -> None:
    """Steps 4 and 5: the old data aside, an empty directory in its place."""
    host, directory, old_data, facts = job.host, job.database.data_directory, job.old_data, job.facts
    keep = data_directory.move_aside(directory, old_data)
    if facts.mount_point:
        keep = data_directory.copy_aside(directory, old_data, NAME, job.request.copy_s)
    steps.step("4", f"Keep the current {directory}", [host], keep)
    # Also where an earlier attempt has built a part of the database: what is discarded holds nothing but the dump.
    steps.step("4a", "Remove what an earlier attempt has left running", [host], job.importing.discard())
    create = data_directory.create_new_directory(
        directory, old_data, job.database.owner, facts.labelled, rebuild=True, runbook=NAME
    )
    steps.step("5", "Recreate the database directory and set its SELinux attributes", [host], create)


def _import(steps: Steps, job: Job) -> None:
    """Steps 6 to 10: the data, made by the service's own image, without a network."""
    host, database, facts = job.host, job.database, job.facts
    inspect = question("podman", "inspect", "--type=container", "--format", "{{.Image}}", database.container)
    steps.record_answer("6", "Find the image of the database", host, inspect, facts.image)
    if facts.backup and facts.backup.method == "physical":
        _prepare(steps, job, facts.backup)
    else:
        _load(steps, job)
    sql = mariadb.root_password_sql(facts.version, facts.password)
    steps.step("10.2a", "Set root's password to the site's", [host], job.importing.set_root_password(sql))
    steps.step("10.3", "Check that no containers are running", [host], tripleo_services.check_no_container())


def _load(steps: Steps, job: Job) -> None:
    """Steps 7 to 10.2: the dump in a new database."""
    host, server, facts, request = job.host, job.importing, job.facts, job.request
    steps.step("7", _INITIALIZE, [host], server.create())
    with steps.cleanup(_remove_copies(job)):
        _bring(steps, job)
        steps.step("9", _START, [host], server.start(request.start_s))
        load_it = load(server, facts.backup, facts.dump_key, request.load_s)
        steps.step("10.1", "Import the data", [host], load_it)
    steps.step("10.2", _STOP, [host], server.stop(request.start_s))


def _prepare(steps: Steps, job: Job, backup: StoredDatabase) -> None:
    """The same from a physical copy: no database has to be made, and nothing to be loaded into it."""
    why_not = "the data is a physical copy, into which nothing is loaded"
    steps.skip("7", _INITIALIZE, why_not)
    with steps.cleanup(_remove_copies(job)):
        _bring(steps, job)
        steps.skip("9", _START, why_not)
        words = (job.database.owner, job.facts.labelled, job.request.load_s)
        prepare = put_in_place(job.importing, backup, *words)
        steps.step("10.1", "Unpack the copy, and prepare it", [job.host], prepare)
    steps.skip("10.2", _STOP, why_not)


def _bring(steps: Steps, job: Job) -> None:
    """Step 8."""
    directory, request = job.database.data_directory, job.request
    copy = bring(directory, request.dump, job.facts.backup, request.load_s)
    steps.step("8", f"Copy the dump to {directory}", [job.host], copy, always=not job.loaded)


def _remove_copies(job: Job) -> Cleanup:
    return Cleanup(
        key="dump copies",
        sentence="Remove the copy of the dump from the data directory",
        words={job.host.name: remove_words(job.database.data_directory, job.facts.backup)},
    )


def _start_services(steps: Steps, job: Job) -> None:
    """Step 11: the database first, then all that ran before."""
    host, services, within_s = job.host, job.services, job.request.stop_s
    steps.step(
        "10a", "Start the database, and log in as root", [host], start_database(job.database, job.request.start_s)
    )
    steps.step("11", "Restart all tripleo services", [host], tripleo_services.start(services, within_s))
    check = tripleo_services.check_running(services, within_s)
    steps.step("11a", "Check that all runs again that ran before", [host], check, always=True, lifts=job.stopped)
