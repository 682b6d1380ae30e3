"""Restoring a backup in the documented order on controllers in memory: whole, refused, interrupted, and taken up another way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from blocks.remote.errors import Refused
from flows.restore_galera import procedure
from tasks.backup.store import Store
from tasks.engine.plan import Plan
from tasks.runbooks.restore_galera.job import Request
from tasks.runbooks.restore_galera.new_data import NUMBERS
from tasks.runbooks.restore_galera.preflight import look
from tests.unit.flows.backup_cluster import Beside, make_backup, make_cluster_with_new_data, without_connections
from tests.unit.flows.cluster import Cluster
from tests.unit.flows.golden import assert_golden
from tests.unit.flows.jobs import BOUNDS, DUMP, GRANTS
from tests.unit.flows.test_restore_galera_backup import LATEST, kill, open_run, restore
from tests.unit.tasks.backup.samples import make_store
from tests.unit.tasks.control_plane import GRANTS_TEXT, directory
from tests.unit.tasks.looking import order_of
from tests.unit.tasks.samples import KEPT

pytestmark = pytest.mark.usefixtures("no_engine", "clock")
DOCUMENTED = replace(LATEST, method="documented")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with a verified backup."""
    made = make_store(tmp_path_factory.mktemp("store"))
    made.shell.name = "backup-node"
    make_backup(made, grants_text=GRANTS_TEXT)
    return made


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    without_connections(monkeypatch)


def is_restored(cluster: Cluster, beside: list[Beside]) -> None:
    for node, there in zip(cluster.nodes, beside, strict=True):
        assert (node.data, node.server, node.running) == ("imported", "member", True), node.name
        assert node.kept == {KEPT: "original"}, node.name
        assert (node.rules, node.files, there.documented) == (0, set(), None), node.name
    assert cluster.managed
    assert set(cluster.nodes[0].journals) == {"closed.json"}


def test_the_backups_dump_is_loaded_in_the_documented_order(store: Store) -> None:
    cluster, beside = make_cluster_with_new_data()
    run = restore(cluster, store, DOCUMENTED)
    is_restored(cluster, beside)
    told = [record.number for record in run.journal.records]
    assert [number for number in dict.fromkeys(told) if number in NUMBERS] == ["N1", "N2"]
    documented = [number for number in dict.fromkeys(told) if number.isdigit() and int(number) <= 20]
    assert documented == [str(number) for number in range(1, 21)]
    assert all(there.in_place == "" for there in beside), "the new data was made beside the old"


def test_the_backup_is_there_before_anything_is_stopped(store: Store) -> None:
    cluster, beside = make_cluster_with_new_data()
    seen: list[str | None] = []
    cluster.nodes[0].order("iptables -w -I", do=lambda _: seen.append(beside[0].documented))
    restore(cluster, store, DOCUMENTED)
    assert seen == ["fetched"]


def test_the_plan_is_the_golden_one(store: Store) -> None:
    cluster, _ = make_cluster_with_new_data()
    job = look(open_run(cluster, store), DOCUMENTED, order_of)
    assert job.facts.fetched is not None
    elsewhere = Store(store.shell, store.settings.model_copy(update={"path": "/backups"}), "lab")
    fetched = replace(job.facts.fetched, backup=replace(job.facts.fetched.backup, store=elsewhere))
    made = Plan()
    procedure(made, replace(job, facts=replace(job.facts, fetched=fetched)))
    assert_golden("restore-galera-documented", made)


def test_the_summary_says_that_nothing_serves_meanwhile(store: Store) -> None:
    cluster, _ = make_cluster_with_new_data()
    job = look(open_run(cluster, store), DOCUMENTED, order_of)
    assert "loaded in the documented order while nothing serves" in job.summary


def test_a_run_that_is_killed_is_taken_up_to_the_same_end(store: Store) -> None:
    """At each change until clients are kept off; of those after it, which a restore of files has as well, at every fourth."""
    cluster, _ = make_cluster_with_new_data()
    restore(cluster, store, DOCUMENTED)
    there_are = cluster.changes
    assert there_are > 60, "the test would kill next to nothing"
    for at in (*range(1, 20), *range(20, there_are, 4)):
        cluster, beside = make_cluster_with_new_data()
        assert kill(cluster, store, at, DOCUMENTED), at
        if "closed.json" not in cluster.nodes[0].journals:
            restore(cluster, store, DOCUMENTED)
        try:
            is_restored(cluster, beside)
        except AssertionError as error:
            raise AssertionError(f"killed at change {at}") from error


OTHERS = {"beside": LATEST, "files": Request(DUMP, GRANTS, "adopt", BOUNDS)}


@pytest.mark.parametrize("other", OTHERS)
def test_what_was_begun_one_way_is_ended_another_way(store: Store, other: str) -> None:
    for first, second in ((DOCUMENTED, OTHERS[other]), (OTHERS[other], DOCUMENTED)):
        for at in range(1, 200, 9):
            cluster, _ = make_cluster_with_new_data()
            if not kill(cluster, store, at, first):
                break
            if "closed.json" in cluster.nodes[0].journals:
                continue
            restore(cluster, store, second)
            for node in cluster.nodes:
                assert (node.data, node.server, node.rules) == ("imported", "member", 0), (at, node.name)
                assert "original" in node.kept.values(), (at, node.name)
        assert at > 30


def test_a_backup_whose_grants_are_cut_short_is_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    make_backup(store, grants_text=GRANTS_TEXT.rstrip(";\n"))
    cluster, _ = make_cluster_with_new_data()
    with pytest.raises(Refused, match=r"overcloud-grants.sql are cut short"):
        look(open_run(cluster, store), DOCUMENTED, order_of)
    assert cluster.changes == 0


def test_nodes_without_room_for_a_second_database_are_refused(store: Store) -> None:
    cluster, _ = make_cluster_with_new_data()
    cluster.nodes[1].on("mountpoint -q", say=directory(free=1000))
    with pytest.raises(Refused, match="controller-1: 0 MiB free beside the data directory"):
        look(open_run(cluster, store), DOCUMENTED, order_of)
