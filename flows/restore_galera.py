"""restore-galera: "Restoring the Galera cluster manually", step by step.

Source: Red Hat OpenStack Platform 16.1, "Backing up and restoring the undercloud and control plane nodes", section 4.4.
Where a step departs from it, `restore_galera.departures.toml` says so and why.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from blocks.remote.shell import Shell
from tasks.backup.choice import PATTERN as BACKUP
from tasks.database import accounts, data_directory, dumps, galera, importing, mariadb
from tasks.database.cluster_address import BOOTSTRAP_ADDRESS
from tasks.database.node_status import cluster_uuids
from tasks.database.schema_state import read_sleeping_events
from tasks.engine.change import Change
from tasks.engine.cleanup import Cleanup
from tasks.engine.plan import plan_of
from tasks.engine.results import Results
from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Steps
from tasks.node import firewall, hiera, pacemaker, podman
from tasks.runbooks.restore_galera.hand_over import hand_over, settle
from tasks.runbooks.restore_galera.job import NAME, Bounds, Ending, Job, Method, Request, hosts_of_restore
from tasks.runbooks.restore_galera.new_data import make_new_data, skip_import
from tasks.runbooks.restore_galera.preflight import look

# A database that does not shut down within this is ended with its container: it is broken, and its data is kept aside.
_TERMINATE_S = 60


# Clients are blocked where the virtual IP may be: those hosts are locked, and known to the hooks, as the database's are.
@runbook(NAME, hosts=hosts_of_restore, timeout_s=12 * 3600)
def restore_galera(
    site: Annotated[str, Field(min_length=1)],
    backup: Annotated[str, Field(pattern=BACKUP)] | None = None,
    unverified: bool = False,
    method: Method = "beside",
    dump: Annotated[str, Field(pattern="^/")] | None = None,
    grants: Annotated[str, Field(pattern="^/")] | None = None,
    dry_run: bool = False,
    approved_by: str | None = None,
    ending: Ending = "adopt",
    start_timeout_s: Annotated[int, Field(ge=10, le=3600)] = 300,
    load_timeout_s: Annotated[int, Field(ge=60, le=43200)] = 14400,
    join_timeout_s: Annotated[int, Field(ge=30, le=43200)] = 1800,
    adopt_timeout_s: Annotated[int, Field(ge=10, le=600)] = 60,
    promote_timeout_s: Annotated[int, Field(ge=30, le=3600)] = 600,
) -> Work[Job]:
    """Restore a site's Galera cluster from a backup, or from a dump and its grants; the old data is kept.

    From a backup the new data is made beside the old, so that clients miss the switch alone; with `method=documented` its dump is
    loaded while nothing serves.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`.
        backup: `latest-verified`, `before TIME` (UTC), or an id. Empty, with no files: the latest verified of the site's store.
            Nothing is restored to a point in time between two backups: no binary logs are kept.
        unverified: Take a backup that nobody has verified, where it is called by its id.
        method: `beside`: the new data of a backup is made beside the old. `documented`: its dump and grants are loaded in the
            documented order, as files always are.
        dump: Path of the SQL dump on the first controller. Empty, without a store: /home/heat-admin/openstack_database.sql.
        grants: Path of the grants file on the first controller. Empty, without a store: /home/heat-admin/grants.sql.
        dry_run: Check everything and show the plan; change nothing.
        approved_by: Who has approved. Empty: the run pauses and asks for the site's name.
        ending: `adopt`: Pacemaker takes over the running cluster. `restart`: it is stopped and started again, as documented.
        start_timeout_s: Seconds for a database to start or to shut down.
        load_timeout_s: Seconds for the import; of a backup, for fetching, for loading and for copying it.
        join_timeout_s: Seconds for a controller to join the cluster.
        adopt_timeout_s: Seconds for Pacemaker to adopt the cluster, before `restart` is taken instead.
        promote_timeout_s: Seconds for Pacemaker to promote all controllers after a restart.
    """
    bounds = Bounds(start_timeout_s, load_timeout_s, join_timeout_s, adopt_timeout_s, promote_timeout_s)
    request = Request(dump or "", grants or "", ending, bounds, backup or "", unverified, method)
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
    formed = cluster_uuids(job.facts.servers)
    for loss in job.facts.losses:
        steps.report_finding(f"not restored: {loss.full}")
    making = job.making
    if making:
        make_new_data(steps, making)  # N1 to N10
    with _fetched(steps, job):  # N1 and N2 of a backup in the documented order
        _fence_off(steps, job)
        _put_aside(steps, job)
        if making:
            skip_import(steps)
        else:
            _create_databases(steps, job)
            _import(steps, job)
    _form_cluster(steps, job, formed)
    hand_over(steps, job)  # steps 21 and 23 to 25
    _let_clients_in(steps, job, formed)


def _fetched(steps: Steps, job: Job) -> AbstractContextManager[None]:
    """What of a backup must be on the first controller before anything is stopped, and is removed once it was loaded."""
    fetched = job.facts.fetched
    if fetched is None:
        return nullcontext()
    return fetched.fetched(steps, job.hosts[0], job.bounds.load_s, always=not job.loaded)


def _fence_off(steps: Steps, job: Job) -> None:
    """Steps 1 to 4a: clients out, Pacemaker off."""
    facts, database, first = job.facts, job.database, job.first
    vip = hiera.ask(database.hiera_config, database.vip_key)
    password = hiera.ask(database.hiera_config, database.password_key)

    steps.record_answer("1", "Retrieve the Galera cluster virtual IP", first[0], vip, facts.vip)
    for finding in job.firewall_findings:
        steps.report_finding(finding)
    block = firewall.block(facts.vip, database.port)
    steps.step(
        "2",
        "Disable the database connections through the virtual IP",
        job.entrance,
        block,
        always=job.fenced,
        raises=job.blocked,
    )
    steps.record_answer(
        "3", "Retrieve the MySQL root password", first[0], password, "a password that stays in this run's memory"
    )
    steps.step(
        "4",
        "Set the Galera resource to unmanaged mode",
        first,
        pacemaker.unmanage(facts.bundle),
        always=job.fenced,
        raises=job.unmanaged,
    )
    settle(steps, job, "4a", always=job.fenced)


def _put_aside(steps: Steps, job: Job) -> None:
    """Steps 5 to 8: the old data aside, the containers on an empty directory, or on the new data."""
    facts, database, first, controllers = job.facts, job.database, job.first, job.hosts
    directory, old_data = database.data_directory, job.old_data

    def stop(host: Shell) -> Change:
        server = job.server(host)
        return podman.stop(server.container, before=(server.terminate(_TERMINATE_S),))

    def create(host: Shell) -> Change:
        labelled = host.name in facts.labelled
        return data_directory.create_new_directory(
            directory, old_data, database.owner, labelled, job.resume.rebuild, NAME
        )

    # The first controller last, so that the data that is kept says which node is safe to bootstrap; and quicker than all at
    # once, where each waits five seconds for the others to be declared dead.
    steps.step("5", "Stop the MySQL containers", [*job.rest, *first], stop, one_at_a_time=True)
    steps.step("6", "Move the current directory", controllers, data_directory.move_aside(directory, old_data))
    if facts.new_data:
        put = facts.new_data.directory.put_in_place(old_data, NAME)
        steps.step("7", f"Let the new data become {directory}", controllers, put)
    else:
        steps.step("7", f"Create the new directory {directory}", controllers, create)
    steps.step(
        "8",
        "Start the MySQL containers",
        controllers,
        lambda host: podman.start(job.server(host).container),
        always=job.fenced,
    )


def _create_databases(steps: Steps, job: Job) -> None:
    """Steps 9 to 13: a new database on each controller, with the site's root password."""
    facts, bounds, controllers = job.facts, job.bounds, job.hosts
    sql = mariadb.root_password_sql(facts.version, facts.password)
    steps.step("9", "Create the MySQL database", controllers, lambda host: job.server(host).create())
    steps.step("10", "Start the database", controllers, lambda host: job.server(host).start_standalone(bounds.start_s))
    steps.step(
        "11",
        "Move the .my.cnf Galera configuration file",
        controllers,
        lambda host: job.server(host).move_option_file_away(),
    )
    steps.step(
        "12", "Reset the Galera root password", controllers, lambda host: job.server(host).set_root_password(sql)
    )
    steps.step(
        "13",
        "Restore the .my.cnf Galera configuration file",
        controllers,
        lambda host: job.server(host).restore_option_file(),
    )


def _import(steps: Steps, job: Job) -> None:
    """Steps 14 to 16: the dump and the grants in the database of the first controller."""
    facts, bounds, first, controllers = job.facts, job.bounds, job.first, job.hosts
    directory, server = job.database.data_directory, job.server(job.hosts[0])
    sql = mariadb.root_password_sql(facts.version, facts.password)
    for finding in job.grants_findings:
        steps.report_finding(finding)
    import_dump = importing.import_dump(server, facts.parts, bounds.load_s, facts.contents)
    import_grants = importing.import_grants(
        server, facts.version, facts.grants.undefined_roles, bounds.load_s, facts.contents
    )
    remove = Cleanup(
        key="dump copies",
        sentence="Remove the copies of the dump and of the grants from the data directory",
        words={first[0].name: dumps.remove_words(directory)},
    )
    copy = dumps.copy_in(directory, job.request.dump, job.request.grants, facts.grants.edit)
    if facts.fetched:
        copy = facts.fetched.copy_in(directory, bounds.load_s)
    with steps.cleanup(remove):
        steps.step("14", f"Copy the backup database files to {directory}", first, copy, always=not job.loaded)
        steps.step("15", "Restore the MySQL database", first, import_dump)
        reset = "Reset the root password again, should the dump have replaced the accounts"
        steps.step("15a", reset, first, server.reset_root_password(sql))
        steps.step("15b", "Restore the grants", first, import_grants)
    reset = "Reset the root password again, should the grants have given root another one"
    steps.step("15d", reset, first, server.reset_root_password(sql))
    steps.step(
        "15c", "Check that the accounts are as in the grants", first, accounts.check_accounts(server, facts.grants)
    )
    steps.step("16", "Shut down the databases", controllers, lambda host: job.server(host).shut_down(bounds.start_s))


def _form_cluster(steps: Steps, job: Job, formed: Results[str]) -> None:
    """Steps 17 to 20: the first controller alone, then one controller after the other."""
    facts, bounds, first = job.facts, job.bounds, job.first
    options = podman.cat(job.server(first[0]).container, job.database.galera_options)

    def join(host: Shell) -> Change:
        return galera.start_node(job.server(host), facts.cluster_address, facts.pid_file, bounds.join_s)

    bootstrap = galera.start_node(job.server(first[0]), BOOTSTRAP_ADDRESS, facts.pid_file, bounds.start_s)
    steps.step("17", "Start the bootstrap node", first, bootstrap)
    steps.step("18", "Check the status of the cluster", first, galera.run_clustercheck(job.server(first[0])))
    steps.record_answer(
        "19", "Retrieve the cluster address from the configuration", first[0], options, facts.cluster_address
    )
    steps.step("20", "Start the database on each of the remaining controllers", job.rest, join, one_at_a_time=True)
    steps.step(
        "20.2",
        "Check the status of the MySQL cluster",
        job.rest,
        lambda host: galera.run_clustercheck(job.server(host)),
    )
    steps.step(
        "20a",
        "Check that all controllers are in one cluster",
        job.hosts,
        lambda host: galera.check_node(job.server(host), len(job.hosts)),
        results=formed,
    )


def _let_clients_in(steps: Steps, job: Job, formed: Results[str]) -> None:
    """Step 22 and the verification: clients come back to a cluster that has been seen to be whole."""
    facts, port = job.facts, job.database.port

    def check(host: Shell) -> Change:
        whole = galera.check_node(job.server(host), len(job.hosts), formed)
        if host is not job.hosts[0]:
            return whole
        # Every node has what the first one has.
        return replace(whole, findings_after=lambda shell: read_sleeping_events(shell, job.server(shell)))

    steps.step("25d", "Check that every controller is Synced in one cluster", job.hosts, check, always=True)
    promoted = pacemaker.check_health(facts.bundle, job.bounds.promote_s)
    steps.step("V1", "Check the status of Pacemaker", job.first, promoted, always=True)
    steps.step(
        "22",
        "Allow database connections through the virtual IP",
        job.entrance,
        lambda host: firewall.unblock(facts.vip, port, facts.by_hand.get(host.name, ())),
        always=True,
        lifts=job.blocked,
    )
    steps.step(
        "V3",
        "Check the cluster with clustercheck",
        job.hosts,
        lambda host: galera.run_clustercheck_container(facts.checks[host.name]),
        always=True,
    )
    steps.step(
        "V4", "Check that the virtual IP answers", job.first, galera.check_virtual_ip(facts.vip, port), always=True
    )
