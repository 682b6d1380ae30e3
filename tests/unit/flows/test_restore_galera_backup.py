"""Restoring from a backup on controllers in memory: whole, refused, interrupted at every change, and taken up again."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from blocks.remote.errors import Refused
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE
from flows.restore_galera import procedure, restore_galera
from tasks.backup.store import Store
from tasks.engine.journal import Journal
from tasks.engine.plan import Plan, plan_of
from tasks.engine.run import Run
from tasks.runbooks.restore_galera.job import Job, Request, hosts_of_restore
from tasks.runbooks.restore_galera.new_data import NUMBERS
from tasks.runbooks.restore_galera.preflight import look
from tests.unit.flows.backup_cluster import Beside, make_backup, make_cluster_with_new_data, without_connections
from tests.unit.flows.cluster import Cluster, Killed
from tests.unit.flows.golden import assert_golden
from tests.unit.flows.jobs import BOUNDS, DUMP, GRANTS, give_files
from tests.unit.tasks.backup.samples import RECIPIENT, make_store
from tests.unit.tasks.looking import order_of
from tests.unit.tasks.runbooks.verify_backup.samples import site_of, with_programs
from tests.unit.tasks.samples import KEPT, journal

pytestmark = pytest.mark.usefixtures("no_engine", "clock")
LATEST = Request("", "", "adopt", BOUNDS)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with a verified backup."""
    made = make_store(tmp_path_factory.mktemp("store"))
    made.shell.name = "backup-node"
    make_backup(made)
    return made


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    without_connections(monkeypatch)


def open_run(cluster: Cluster, store: Store) -> Run:
    """A run on the controllers and the store's host."""
    give_files(cluster.nodes[0])
    shells: dict[str, Shell] = {node.name: node for node in cluster.nodes} | {"backup-node": store.shell}
    return Run("restore-galera", site_of(store), shells, False, journal())


def restore(cluster: Cluster, store: Store, request: Request = LATEST) -> Run:
    """One run of the flow: preflight, then the procedure."""
    run = open_run(cluster, store)
    job = look(run, request, order_of)
    run.begin(job.resume.take_up, "22222222")
    procedure(run, job)
    run.finish()
    return run


def kill(cluster: Cluster, store: Store, at: int, request: Request = LATEST) -> bool:
    """Run until the flow's process dies after a change; whether it died."""
    cluster.changes, cluster.kill_at, cluster.after = 0, at, True
    with suppress(Killed):
        restore(cluster, store, request)
    died, cluster.dead, cluster.kill_at = cluster.dead, False, 0
    return died


def is_restored(cluster: Cluster, beside: list[Beside]) -> None:
    for node, there in zip(cluster.nodes, beside, strict=True):
        assert (node.data, node.server, node.running) == ("imported", "member", True), node.name
        assert node.kept == {KEPT: "original"}, node.name
        assert (node.rules, node.by_hand, node.files) == (0, 0, set()), node.name
        assert there.new == {}, node.name
        assert there.in_place, node.name
    assert cluster.managed
    assert set(cluster.nodes[0].journals) == {"closed.json"}


def test_the_backup_is_on_every_controller_and_the_old_data_is_kept(store: Store) -> None:
    cluster, beside = make_cluster_with_new_data()
    run = restore(cluster, store)
    is_restored(cluster, beside)
    closed = Journal.model_validate_json(cluster.nodes[0].journals["closed.json"])
    assert closed.finished
    assert closed.in_force == {}
    told = [record.number for record in run.journal.records]
    assert {str(number) for number in range(1, 26)} <= set(told)
    assert [number for number in dict.fromkeys(told) if number in NUMBERS] == list(NUMBERS)


def test_a_physical_copy_is_prepared_and_labelled_before_another_container_sees_it(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    make_backup(store, copied=True)
    cluster, beside = make_cluster_with_new_data()
    run = restore(cluster, store)
    is_restored(cluster, beside)
    told = list(dict.fromkeys(record.number for record in run.journal.records))
    assert [number for number in told if number in NUMBERS] == ["N1", "N2", "N3", "N8", "N9", "N10"]
    lines = [line for line in cluster.nodes[0].lines() if ".part/data" in line]
    label = next(at for at, line in enumerate(lines) if "chcon -R system_u:object_r:container_file_t:s0 " in line)
    prepare, password = (
        next(at for at, line in enumerate(lines) if word in line) for word in ("mbstream", "--bootstrap")
    )
    assert prepare < label < password


def test_events_that_run_on_no_node_afterwards_are_told(store: Store) -> None:
    cluster, _ = make_cluster_with_new_data()
    for node in cluster.nodes:
        node.sleeping = ("heat.purge",)
    run = restore(cluster, store)
    (told,) = (finding for finding in run.journal.findings if "heat.purge" in finding)
    assert told.startswith("controller-0: event heat.purge runs nowhere")
    assert "ALTER EVENT heat.purge ENABLE on one node lets it run there" in told


def test_clients_are_kept_off_only_once_all_controllers_have_the_new_data(store: Store) -> None:
    cluster, beside = make_cluster_with_new_data()
    seen: list[list[dict[str, str]]] = []
    for node in cluster.nodes:
        node.order("iptables -w -I", do=lambda _: seen.append([dict(there.new) for there in beside]))
    restore(cluster, store)
    assert len(seen) == 3
    assert all(len(new) == 1 for news in seen for new in news)


def test_the_plan_is_the_golden_one(store: Store) -> None:
    assert_golden("restore-galera-backup", plan(store))


def plan(store: Store) -> Plan:
    cluster, _ = make_cluster_with_new_data()
    job = look(open_run(cluster, store), LATEST, order_of)
    assert job.facts.new_data is not None
    elsewhere = Store(store.shell, store.settings.model_copy(update={"path": "/backups"}), "lab")
    new_data = replace(job.facts.new_data, backup=replace(job.facts.new_data.backup, store=elsewhere))
    made = Plan()
    procedure(made, replace(job, facts=replace(job.facts, new_data=new_data)))
    return made


def test_every_step_has_its_place_in_the_order_in_which_a_run_is_taken_up(store: Store) -> None:
    cluster, _ = make_cluster_with_new_data()
    job: Job = look(open_run(cluster, store), LATEST, order_of)
    assert plan_of(procedure, job).numbers[: len(NUMBERS)] == NUMBERS


def changes(store: Store) -> int:
    cluster, _ = make_cluster_with_new_data()
    restore(cluster, store)
    return cluster.changes


def test_a_run_that_is_killed_at_any_change_is_taken_up_to_the_same_end(store: Store) -> None:
    there_are = changes(store)
    assert there_are > 60, "the test would kill next to nothing"
    for at in range(1, there_are):
        cluster, beside = make_cluster_with_new_data()
        assert kill(cluster, store, at), at
        if "closed.json" not in cluster.nodes[0].journals:
            restore(cluster, store)
        try:
            is_restored(cluster, beside)
        except AssertionError as error:
            raise AssertionError(f"killed at change {at}") from error


def test_a_restore_from_files_that_was_killed_is_ended_with_a_backup_and_the_other_way_round(store: Store) -> None:
    files = Request(DUMP, GRANTS, "adopt", BOUNDS)
    for first, second in ((files, LATEST), (LATEST, files)):
        at = -3
        while True:
            at += 4
            cluster, beside = make_cluster_with_new_data()
            if not kill(cluster, store, at, first):
                break
            if "closed.json" in cluster.nodes[0].journals:
                continue
            restore(cluster, store, second)
            for node in cluster.nodes:
                assert (node.data, node.server) == ("imported", "member"), (at, node.name)
                assert "original" in node.kept.values(), (at, node.name)
                assert node.rules == 0
            assert all(there.new == {} for there in beside) or second is files
        assert at > 30


REFUSALS = {
    "none is there": (Request("", "", "adopt", BOUNDS, "2030-01-01"), "no such set"),
    "a time before all of them": (Request("", "", "adopt", BOUNDS, "before 2020-01-01"), "has no verified backup"),
    "no time": (Request("", "", "adopt", BOUNDS, "before yesterday"), "names no time"),
    "files as well": (Request(DUMP, "", "adopt", BOUNDS, "latest-verified"), "give a backup, or `dump` and `grants`"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_backup_that_can_not_be_found_is_refused(store: Store, name: str) -> None:
    request, reason = REFUSALS[name]
    refusal(store, request, reason)


def refusal(store: Store, request: Request, reason: str) -> None:
    cluster, _ = make_cluster_with_new_data()
    with pytest.raises(Exception, match=reason) as refused:
        look(open_run(cluster, store), request, order_of)
    assert refused.type.__name__ in {"Refused", "RunbookError"}
    assert cluster.changes == 0


def test_a_backup_that_nobody_has_verified_needs_a_word_of_the_operators(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    name = make_backup(store, verified=False)
    refusal(store, LATEST, "has no verified backup")
    named = Request("", "", "adopt", BOUNDS, str(name))
    refusal(store, named, "is not verified")
    cluster, beside = make_cluster_with_new_data()
    run = restore(cluster, store, Request("", "", "adopt", BOUNDS, str(name), unverified=True))
    is_restored(cluster, beside)
    assert run.journal.finished


def test_a_backup_of_a_newer_server_is_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    make_backup(store, server_version="10.11.6-MariaDB")
    refusal(store, LATEST, "is of MariaDB 10.11, and what it is restored into is 10.3")


def test_a_file_of_the_backup_that_was_changed_is_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    name = make_backup(store)
    (Path(store.base) / str(name) / "overcloud.sql").write_text("-- another\n")
    refusal(store, LATEST, "overcloud.sql has 11 bytes instead of")


@pytest.mark.parametrize("request_", [LATEST, replace(LATEST, method="documented")], ids=["beside", "documented"])
def test_a_backup_that_is_encrypted_is_refused_and_what_to_do_is_said(request_: Request, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    programs = with_programs(tmp_path / "bin", age="cat")
    store = make_store(tmp_path / "store", path=programs, age_recipient=RECIPIENT)
    make_backup(store)
    refusal(store, request_, f"is encrypted to {RECIPIENT}, and no restore decrypts it: decrypt its dump where")


def test_nodes_without_room_for_the_new_data_are_refused(store: Store) -> None:
    cluster, _ = make_cluster_with_new_data()
    cluster.nodes[1].on("mountpoint -q", say="used 1\nfree 1000\nmount no\nlabel yes\n")
    with pytest.raises(Refused, match="controller-1: 0 MiB free beside the data directory"):
        look(open_run(cluster, store), LATEST, order_of)


def test_nodes_without_tar_are_refused(store: Store) -> None:
    cluster, _ = make_cluster_with_new_data()
    cluster.nodes[2].on("command -v", say="zstd\n")
    with pytest.raises(Refused, match="controller-2: has no program tar"):
        look(open_run(cluster, store), LATEST, order_of)


def test_the_store_takes_part_only_where_a_backup_is_wanted(store: Store) -> None:
    site = site_of(store)
    assert BACKUP_NODE in hosts_of_restore(site, {})
    assert BACKUP_NODE in hosts_of_restore(site, {"backup": "latest-verified"})
    assert BACKUP_NODE not in hosts_of_restore(site, {"dump": DUMP})
    assert BACKUP_NODE not in hosts_of_restore(site.model_copy(update={"store": None}), {})


def test_without_a_store_the_documented_files_are_restored(store: Store) -> None:
    site = site_of(store).model_copy(update={"store": None})
    assert LATEST.on(site).dump == "/home/heat-admin/openstack_database.sql"
    assert LATEST.on(site_of(store)).backup == "latest-verified"


def test_what_names_no_backup_is_no_parameter() -> None:
    with pytest.raises(Exception, match="backup"):
        restore_galera.validate_parameters({"site": "lab", "backup": "the best one!"})
