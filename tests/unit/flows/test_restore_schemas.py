"""Restoring schemas into a cluster in memory: whole, refused, interrupted at every change, and taken up again."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

import tasks.runbooks.restore_schemas.comparing
from blocks.remote.errors import Refused, RunbookError
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE
from flows.restore_schemas import procedure, restore_schemas
from tasks.backup.manifest import Method
from tasks.backup.store import Store
from tasks.database.contents import ServerContents, TableContents
from tasks.engine.journal import Journal
from tasks.engine.plan import Plan
from tasks.engine.run import Run
from tasks.runbooks.restore_schemas.comparing import conclude
from tasks.runbooks.restore_schemas.job import Job, Request
from tasks.runbooks.restore_schemas.preflight import look
from tasks.runbooks.stored_database.serving_cluster import hosts_of_cluster
from tests.unit.flows.backup_cluster import make_backup, without_connections
from tests.unit.flows.cluster import Killed
from tests.unit.flows.golden import assert_golden
from tests.unit.flows.schema_cluster import BACKUP, RESTORED, TODAY, ServingCluster, make_serving_cluster, read
from tests.unit.tasks.backup.samples import make_store
from tests.unit.tasks.runbooks.verify_backup.samples import site_of
from tests.unit.tasks.samples import HOSTS, journal

pytestmark = pytest.mark.usefixtures("no_engine", "clock")
REQUEST = Request(RESTORED, "", False, 300, 14400)
STAMP = "20261121T123456Z"


def make_sample_store(folder: Path, contents: ServerContents = BACKUP, **backup: object) -> Store:
    made = make_store(folder)
    made.shell.name = "backup-node"
    make_backup(made, contents=contents.model_dump(mode="json"), **backup)  # type: ignore[arg-type]
    return made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with a verified backup."""
    return make_sample_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    without_connections(monkeypatch)
    monkeypatch.setattr(tasks.runbooks.restore_schemas.comparing, "read_contents", read)


def open_run(cluster: ServingCluster, store: Store, **journal_of: object) -> Run:
    """A run on the nodes and the store's host."""
    shells: dict[str, Shell] = {node.name: node for node in cluster.nodes} | {"backup-node": store.shell}
    return Run("restore-schemas", site_of(store), shells, False, journal(runbook="restore-schemas", **journal_of))


def looked(run: Run, request: Request) -> Job:
    """Preflight, as the engine takes it."""
    job = look(run, request)
    run.refuse_if_any()
    return job


def restore(cluster: ServingCluster, store: Store, request: Request = REQUEST, **journal_of: object) -> tuple[Run, Job]:
    """One run of the flow: preflight, then the procedure."""
    run = open_run(cluster, store, **journal_of)
    job = looked(run, request)
    run.begin(job.resume.take_up, "22222222")
    procedure(run, job)
    run.finish()
    conclude(job)
    return run, job


def kill(cluster: ServingCluster, store: Store, at: int, after: bool = True) -> bool:
    """Run until the flow's process dies at a change; whether it died."""
    cluster.changes, cluster.kill_at, cluster.after = 0, at, after
    with suppress(Killed):
        restore(cluster, store)
    died, cluster.dead, cluster.kill_at = cluster.dead, False, 0
    return died


def is_restored(cluster: ServingCluster, stamp: str = STAMP) -> None:
    for name in RESTORED:
        assert cluster.schemas[name] == BACKUP.schemas[name], name
        assert cluster.schemas[f"{name}_kept_{stamp}"].tables == TODAY[name].tables, name
    assert cluster.schemas["glance"] == TODAY["glance"]
    assert set(cluster.schemas) == {*TODAY, *(f"{name}_kept_{stamp}" for name in RESTORED)}
    assert (cluster.throwaway, set(cluster.journals)) == (None, {"closed.json"})


def test_the_schemas_are_the_backups_and_what_was_there_is_kept(store: Store) -> None:
    cluster = make_serving_cluster()
    run, _ = restore(cluster, store)
    is_restored(cluster)
    closed = Journal.model_validate_json(cluster.journals["closed.json"])
    assert (closed.finished, closed.in_force, closed.cleanups) == (True, {}, [])
    assert closed.kept["old schema nova"] == f"nova_kept_{STAMP}"
    assert list(dict.fromkeys(record.number for record in run.journal.records)) == [str(n) for n in range(1, 10)]
    assert any(f"what was in nova is in nova_kept_{STAMP}" in finding for finding in run.journal.findings)


def test_nothing_is_put_in_place_before_all_nodes_have_all_of_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = make_serving_cluster()
    seen: list[tuple[str, int]] = []

    def note(shell: Shell, *words: object) -> ServerContents:
        seen.append((shell.name, len(cluster.kept)))
        return read(shell, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(tasks.runbooks.restore_schemas.comparing, "read_contents", note)
    restore(cluster, store)
    assert seen == [(HOSTS[0], 0), *((host, 0) for host in HOSTS), (HOSTS[0], 2)]


def test_a_schema_that_was_dropped_comes_back(store: Store) -> None:
    cluster = make_serving_cluster()
    del cluster.schemas["nova"]
    restore(cluster, store)
    assert cluster.schemas["nova"] == BACKUP.schemas["nova"]


def plan(store: Store, method: Method) -> Plan:
    """What is done with a backup of one of the two kinds."""
    job = look(open_run(make_serving_cluster(), store), REQUEST)
    elsewhere = Store(store.shell, store.settings.model_copy(update={"path": "/backups"}), "lab")
    backup = replace(job.backup, store=elsewhere)
    if method == "physical":
        copy = backup.files[0].model_copy(update={"name": "overcloud.mbstream", "role": "physical copy"})
        backup = replace(backup, method="physical", files=(copy,))
    made = Plan()
    procedure(made, replace(job, backup=backup, after=BACKUP if method == "physical" else None))
    return made


@pytest.mark.parametrize("method", ["logical", "physical"])
def test_the_plan_is_the_golden_one(store: Store, method: Method) -> None:
    assert_golden(f"restore-schemas-{method}", plan(store, method))


@pytest.mark.parametrize("after", [True, False])
def test_a_run_that_is_killed_at_any_change_is_taken_up_to_the_same_end(store: Store, after: bool) -> None:
    cluster = make_serving_cluster()
    restore(cluster, store)
    assert cluster.changes > 30, "the test would kill next to nothing"
    for at in range(1, cluster.changes):
        killed = make_serving_cluster()
        assert kill(killed, store, at, after), at
        if "closed.json" not in killed.journals:
            restore(killed, store, started="2026-11-21T13:00:00Z")
        begun_anew = not killed.schemas.keys() & {f"nova_kept_{STAMP}"}
        try:
            is_restored(killed, "20261121T130000Z" if begun_anew else STAMP)
        except AssertionError as error:
            raise AssertionError(f"killed at change {at}") from error


def interrupted(store: Store, in_place: int) -> ServingCluster:
    """A cluster in which a run was killed once so many schemas were in place."""
    for at in range(1, 200):
        cluster = make_serving_cluster()
        if not kill(cluster, store, at):
            break
        if len(cluster.kept) == in_place and "current.json" in cluster.journals:
            return cluster
    raise AssertionError(f"no kill left {in_place} in place")


def test_another_restore_waits_for_the_end_of_one_that_has_put_something_in_place(store: Store) -> None:
    cluster = interrupted(store, 1)
    with pytest.raises(
        Refused, match=r"has put nova in place and was ended before its end.*schemas=\[\"keystone\", \"nova\"\]"
    ):
        restore(cluster, store, replace(REQUEST, schemas=("glance",)))
    restore(cluster, store)
    is_restored(cluster)


def test_another_restore_clears_away_what_one_has_left_that_had_put_nothing_in_place(store: Store) -> None:
    for at in range(1, 200):
        cluster = make_serving_cluster()
        assert kill(cluster, store, at), "no kill left a schema"
        if f"nova_new_{STAMP}" in cluster.schemas and not cluster.kept:
            break
    restore(cluster, store, replace(REQUEST, schemas=("glance",)), started="2026-11-21T13:00:00Z")
    assert set(cluster.schemas) == {*TODAY, "glance_kept_20261121T130000Z"}
    assert cluster.schemas["nova"] == TODAY["nova"]


def refusal(cluster: ServingCluster, store: Store, request: Request, reason: str) -> None:
    run = open_run(cluster, store)
    with pytest.raises((Refused, RunbookError), match=reason):
        looked(run, request)
    assert cluster.changes == 0


MISNAMED = {
    "none": ((), "no schema is named"),
    "not in it": (("octavia",), "holds no schema octavia; it holds glance, keystone, nova"),
    "twice": (("nova", "nova"), "nova is named more than once"),
    "MariaDB's own": (("MySQL",), "MySQL is one of MariaDB's own schemas"),
    "too long": (("x" * 43,), "is too long: what is there is kept as"),
}


@pytest.mark.parametrize("name", MISNAMED)
def test_what_can_not_be_a_schema_of_the_backup_is_refused(store: Store, name: str) -> None:
    schemas, reason = MISNAMED[name]
    refusal(make_serving_cluster(), store, replace(REQUEST, schemas=schemas), reason)


def test_a_name_that_would_need_quoting_is_no_parameter() -> None:
    with pytest.raises(Exception, match="schemas"):
        restore_schemas.validate_parameters({"site": "lab", "schemas": ["nova`; DROP"]})


def test_a_node_that_is_not_synced_is_refused(store: Store) -> None:
    cluster = make_serving_cluster()
    cluster.nodes[2].status = "Donor/Desynced"
    refusal(cluster, store, REQUEST, "controller-2: Donor/Desynced")


def test_a_statement_that_changes_definitions_is_refused(store: Store) -> None:
    cluster = make_serving_cluster()
    cluster.ddl = "ddl\t7\tnova\tALTER\n"
    refusal(cluster, store, REQUEST, r"ALTER of nova \(connection 7\) changes definitions; wait for its end")


def test_a_foreign_key_from_another_schema_is_refused(store: Store) -> None:
    cluster = make_serving_cluster()
    cluster.keys = "key\theat\tstack\tkeystone\n"
    refusal(cluster, store, REQUEST, "a foreign key of heat.stack leads into keystone")
    restore(cluster, store, replace(REQUEST, schemas=("nova",)))


def test_nodes_without_room_are_refused(store: Store) -> None:
    cluster = make_serving_cluster()
    cluster.free = 1000
    refusal(cluster, store, REQUEST, "controller-1: 0 MiB free beside the data directory")


def test_a_new_schema_that_no_journal_knows_is_refused(store: Store) -> None:
    cluster = make_serving_cluster()
    cluster.schemas["nova_new_20200101T000000Z"] = BACKUP.schemas["nova"]
    refusal(cluster, store, REQUEST, "nova_new_20200101T000000Z is there, and no journal knows of it")


def test_a_switch_that_is_at_work_is_refused(store: Store) -> None:
    cluster = make_serving_cluster()
    running = "LoadState=loaded\nActiveState=active\nSubState=running\n"
    cluster.first.on("systemctl show", "restore-schemas-switch", say=running)
    refusal(cluster, store, REQUEST, "nova is just being put in place by an earlier run")


def test_a_backup_of_another_series_is_refused(tmp_path: Path) -> None:
    older = make_sample_store(tmp_path, server_version="10.2.30-MariaDB")
    refusal(make_serving_cluster(), older, REQUEST, "the backup is of MariaDB 10.2, and the cluster is 10.3")


def test_a_backup_that_nobody_has_verified_needs_a_word_of_the_operators(tmp_path: Path) -> None:
    made = make_store(tmp_path)
    name = make_backup(made, verified=False, contents=BACKUP.model_dump(mode="json"))
    refusal(make_serving_cluster(), made, REQUEST, "has no verified backup")
    refusal(make_serving_cluster(), made, replace(REQUEST, backup=str(name)), "is not verified")
    cluster = make_serving_cluster()
    restore(cluster, made, replace(REQUEST, backup=str(name), unverified=True))
    is_restored(cluster)


def test_tables_that_galera_does_not_copy_are_refused(tmp_path: Path) -> None:
    table = {"rates": TableContents(engine="MyISAM", rows=1)}
    nova = BACKUP.schemas["nova"].model_copy(update={"tables": table})
    made = make_sample_store(tmp_path, BACKUP.model_copy(update={"schemas": {"nova": nova}}))
    refusal(
        make_serving_cluster(),
        made,
        replace(REQUEST, schemas=("nova",)),
        "table nova.rates is of MyISAM: Galera does not",
    )


def test_a_copy_that_differs_on_any_node_is_not_put_in_place(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = make_serving_cluster()

    def fewer(shell: Shell, *words: object) -> ServerContents:
        found = read(shell, *words)  # type: ignore[arg-type]
        new = f"nova_new_{STAMP}"
        if shell.name == HOSTS[2] and new in found.schemas:
            table = TableContents(engine="InnoDB", rows=6, content="6")
            schemas = found.schemas | {new: found.schemas[new].model_copy(update={"tables": {"instances": table}})}
            return found.model_copy(update={"schemas": schemas})
        return found

    monkeypatch.setattr(tasks.runbooks.restore_schemas.comparing, "read_contents", fewer)
    with pytest.raises(
        RunbookError, match=r"step 6 .* failed on controller-2: .*table nova.instances: has one row fewer"
    ):
        restore(cluster, store)
    assert cluster.schemas == TODAY
    assert cluster.throwaway is None


def test_what_is_not_defined_as_in_the_backup_fails_the_run_and_stays_in_place(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = make_serving_cluster()

    def without_views(shell: Shell, *words: object) -> ServerContents:
        found = read(shell, *words)  # type: ignore[arg-type]
        if not cluster.kept:
            return found
        return found.model_copy(
            update={"schemas": {name: each.model_copy(update={"programs": {}}) for name, each in found.schemas.items()}}
        )

    monkeypatch.setattr(tasks.runbooks.restore_schemas.comparing, "read_contents", without_views)
    with pytest.raises(
        RunbookError, match=r"nova, keystone is in place, and not defined as in .*view nova.active: is missing"
    ):
        restore(cluster, store)
    is_restored(cluster)


def test_rows_that_clients_have_written_since_are_no_difference(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = make_serving_cluster()

    def written(shell: Shell, *words: object) -> ServerContents:
        found = read(shell, *words)  # type: ignore[arg-type]
        if not cluster.kept:
            return found
        nova = found.schemas["nova"]
        more = nova.tables | {"instances": TableContents(engine="InnoDB", rows=99, content="99")}
        return found.model_copy(update={"schemas": found.schemas | {"nova": nova.model_copy(update={"tables": more})}})

    monkeypatch.setattr(tasks.runbooks.restore_schemas.comparing, "read_contents", written)
    restore(cluster, store)
    is_restored(cluster)


def test_the_store_takes_part(store: Store) -> None:
    site = site_of(store)
    assert hosts_of_cluster(site, {}) == [site.database.role, BACKUP_NODE]
    without = site.model_copy(update={"store": None})
    assert hosts_of_cluster(without, {}) == [site.database.role]
    run = open_run(make_serving_cluster(), store)
    run.site = without
    with pytest.raises(Refused, match="has no store"):
        look(run, REQUEST)
