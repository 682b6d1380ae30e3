"""The whole procedure on controllers in memory: whole, interrupted at every change, and taken up again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache

import pytest

from blocks.remote.shell import Shell
from flows.restore_galera import procedure
from tasks.engine.journal import Journal
from tasks.engine.run import Run
from tasks.engine.step import StepFailed
from tasks.runbooks.restore_galera.job import Ending, Request
from tasks.runbooks.restore_galera.preflight import look
from tests.unit.flows.cluster import DUMP_TEXT, Cluster, Killed, make_cluster
from tests.unit.flows.jobs import BOUNDS, DUMP, GRANTS, give_files
from tests.unit.tasks.looking import order_of
from tests.unit.tasks.samples import KEPT, SITE, journal

pytestmark = pytest.mark.usefixtures("no_engine", "clock")
LATER = datetime(2026, 11, 22, tzinfo=UTC)
EVERY_ENDING = pytest.mark.parametrize("ending", ["adopt", "restart"])


@pytest.fixture
def cluster() -> Cluster:
    return make_cluster()


def restore(cluster: Cluster, ending: Ending = "adopt", dump: str = DUMP_TEXT, started: datetime | None = None) -> Run:
    """One run of the flow: preflight, then the procedure."""
    give_files(cluster.nodes[0], dump)
    shells: dict[str, Shell] = {node.name: node for node in cluster.nodes}
    new = journal(started=started) if started else journal()
    run = Run("restore-galera", SITE, shells, False, new)
    job = look(run, Request(DUMP, GRANTS, ending, BOUNDS), order_of)
    run.begin(job.resume.take_up, "22222222")
    procedure(run, job)
    run.finish()
    return run


def kill(cluster: Cluster, at: int, *, after: bool, ending: Ending = "adopt", dump: str = DUMP_TEXT) -> bool:
    """Run until the flow's process dies at a change; whether it died."""
    cluster.changes, cluster.kill_at, cluster.after = 0, at, after
    with suppress(Killed):
        restore(cluster, ending, dump)
    died, cluster.dead, cluster.kill_at = cluster.dead, False, 0
    return died


def is_restored(cluster: Cluster) -> None:
    for node in cluster.nodes:
        assert (node.data, node.server, node.running) == ("imported", "member", True), node.name
        assert node.kept == {KEPT: "original"}, node.name
        assert (node.rules, node.by_hand, node.files) == (0, 0, set()), node.name
    assert cluster.managed
    assert set(cluster.nodes[0].journals) == {"closed.json"}


@EVERY_ENDING
def test_the_dump_is_on_every_controller_and_the_old_data_is_kept(cluster: Cluster, ending: Ending) -> None:
    run = restore(cluster, ending)
    is_restored(cluster)
    assert all(node.units == {} for node in cluster.nodes)
    closed = Journal.model_validate_json(cluster.nodes[0].journals["closed.json"])
    assert closed.finished
    assert closed.in_force == {}
    told = {record.number for record in run.journal.records}
    assert {str(number) for number in range(1, 26)} <= told


@cache
def changes_of(ending: Ending, adopts: bool = True) -> range:
    """The numbers of a run's changes; after the first ending only those of the second that are its own."""
    cluster = make_cluster()
    cluster.adopts = adopts
    restore(cluster, ending)
    shared = 1 if ending == "adopt" and adopts else changes_of("adopt").stop - 20
    assert cluster.changes - shared > 15, "the tests below would kill next to nothing"
    return range(shared, cluster.changes + 1)


@EVERY_ENDING
def test_a_run_that_is_killed_at_any_change_is_taken_up_to_the_same_end(ending: Ending) -> None:
    for at in changes_of(ending):
        cluster = make_cluster()
        kill(cluster, at, after=at > 1, ending=ending)  # right after one change is right before the next
        if "closed.json" not in cluster.nodes[0].journals:
            restore(cluster, ending)
        try:
            is_restored(cluster)
        except AssertionError as error:
            raise AssertionError(f"killed at change {at}") from error


def lose_the_containers(cluster: Cluster) -> None:
    """All containers stop; what ran in them as a unit has failed."""
    for node in cluster.nodes:
        node.stop()
        node.units = {unit: state if "create" in unit else "failed" for unit, state in node.units.items()}


def reboot(cluster: Cluster) -> None:
    """All controllers lose power: units and firewall rules with it."""
    for node in cluster.nodes:
        node.stop()
        node.units, node.rules = {}, 0


@EVERY_ENDING
def test_controllers_that_lose_power_as_the_run_dies_are_restored_all_the_same(ending: Ending) -> None:
    for at in changes_of(ending):
        cluster = make_cluster()
        kill(cluster, at, after=True, ending=ending)
        if cluster.managed:
            continue  # Pacemaker is in charge, before step 4 and after step 25: it starts what has stopped
        reboot(cluster)
        handing_over = begun(cluster) in {"25", "25a", "25b"}
        restore(cluster, ending, started=LATER if handing_over else None)
        for node in cluster.nodes if handing_over else ():
            # Pacemaker may have had the database since: what it served is kept as well.
            assert sorted(node.kept.values(), key=str) == ["imported", "original"], f"killed at change {at}"
            node.kept = {KEPT: "original"}
        try:
            is_restored(cluster)
        except AssertionError as error:
            raise AssertionError(f"killed at change {at}") from error


def begun(cluster: Cluster) -> str:
    """The step that is on record as the last one to begin."""
    found = cluster.nodes[0].journals.get("current.json")
    return Journal.model_validate_json(found).begun if found else ""


def given_back(cluster: Cluster) -> bool:
    """Pacemaker has the database again, and clients are kept off still."""
    return cluster.managed and cluster.all_imported and cluster.nodes[0].rules > 0


WRITTEN = "imported, and a day of clients' writes"


@pytest.mark.parametrize("rebooted", [(0, 1, 2), (0,), (1,), (2,)])
@pytest.mark.parametrize("first_is_down", [True, False])
@pytest.mark.parametrize("dump", [DUMP_TEXT, DUMP_TEXT.replace("int", "bigint")])
def test_what_clients_wrote_after_a_reboot_between_25_and_22_is_never_lost(
    cluster: Cluster, rebooted: tuple[int, ...], first_is_down: bool, dump: str
) -> None:
    until(cluster, given_back)
    for number in rebooted:
        cluster.nodes[number].units, cluster.nodes[number].rules = {}, 0
    for node in cluster.nodes:
        node.running, node.server, node.data = True, "member", WRITTEN
    if first_is_down:
        cluster.nodes[0].server = None
    cluster.started = True
    with suppress(StepFailed):
        restore(cluster, dump=dump, started=LATER)
    for node in cluster.nodes:
        assert WRITTEN in {node.data, *node.kept.values()}, node.name
        assert node.kept[KEPT] == "original"
    if dump == DUMP_TEXT and not first_is_down:
        assert [(node.data, node.rules) for node in cluster.nodes] == [(WRITTEN, 0)] * 3
        assert set(cluster.nodes[0].journals) == {"closed.json"}


def test_each_dump_is_known_by_its_contents_whatever_died_before(cluster: Cluster) -> None:
    """The first attempt loads A; the second, with B, dies at any change before the new directory; the third has B."""
    other = DUMP_TEXT.replace("int", "bigint")

    def name_what_is_loaded(dump: str) -> None:
        for node in cluster.nodes:
            node.loads = dump

    for at in range(1, 24):
        cluster = make_cluster()
        name_what_is_loaded(DUMP_TEXT)
        until(cluster, imported)
        name_what_is_loaded(other)
        kill(cluster, at, after=True, dump=other)
        restore(cluster, dump=other)
        assert cluster.nodes[0].loaded == [other], f"the second attempt was killed at change {at}"
        is_restored(cluster)


@pytest.mark.parametrize("at", [1, 3, 5, 8, 11])
def test_a_run_that_is_killed_twice_is_taken_up_to_the_same_end(at: int) -> None:
    for reached in (created, loaded, imported, given_back):
        cluster = make_cluster()
        until(cluster, reached)
        kill(cluster, at, after=True)
        if "closed.json" not in cluster.nodes[0].journals:
            restore(cluster)
        is_restored(cluster)
        assert cluster.nodes[0].loaded == [""], "the import was repeated on what was loaded already"


@pytest.mark.parametrize("rules", [1, 2, 5])
def test_rules_that_somebody_has_set_by_hand_are_told_and_deleted_with_ours(cluster: Cluster, rules: int) -> None:
    cluster.nodes[1].by_hand = rules
    book = restore(cluster)
    is_restored(cluster)
    (told,) = (finding for finding in book.journal.findings if "by hand" in finding)
    assert told.startswith(f"controller-1: {rules} firewall rule")


def until(cluster: Cluster, reached: Callable[[Cluster], bool], dump: str = DUMP_TEXT) -> None:
    """Kill a run right after the change by which a state is reached."""
    kill(cluster, change_by_which(reached), after=True, dump=dump)


@cache
def change_by_which(reached: Callable[[Cluster], bool]) -> int:
    """The number of the change by which a state is reached."""
    for at in range(1, 500):
        trial = make_cluster()
        kill(trial, at, after=True)
        if reached(trial):
            return at
    raise AssertionError("never reached")


def created(cluster: Cluster) -> bool:
    return all(node.data == "system" for node in cluster.nodes)


def loaded(cluster: Cluster) -> bool:
    return cluster.nodes[0].data == "dump"


def imported(cluster: Cluster) -> bool:
    return cluster.nodes[0].data == "imported"


@pytest.mark.parametrize("reached", [created, loaded, imported])
def test_a_database_that_is_built_again_is_created_and_imported_again(
    cluster: Cluster, reached: Callable[[Cluster], bool]
) -> None:
    until(cluster, reached)
    lose_the_containers(cluster)
    restore(cluster)
    is_restored(cluster)


def test_another_dump_under_the_same_name_is_imported(cluster: Cluster) -> None:
    until(cluster, loaded, dump=DUMP_TEXT.replace("int", "bigint"))
    restore(cluster)
    is_restored(cluster)


def test_a_cluster_that_clients_write_to_is_neither_fenced_off_nor_founded_again(cluster: Cluster) -> None:
    until(cluster, lambda now: now.managed and not any(node.rules for node in now.nodes) and now.all_imported)
    first = cluster.nodes[0]
    first.server = None  # while the others serve
    asked = len(first.ran)
    with pytest.raises(StepFailed, match="step 25d"):
        restore(cluster)
    assert cluster.managed
    assert not any(node.rules for node in cluster.nodes)
    assert not any("mysqld_safe" in one.shown or "iptables -w -I" in one.shown for one in first.ran[asked:])


def test_another_dump_after_clients_were_let_in_keeps_their_data_too(cluster: Cluster) -> None:
    until(cluster, lambda now: now.managed and not any(node.rules for node in now.nodes) and now.all_imported)
    for node in cluster.nodes:
        node.data = "written by clients"
    restore(cluster, dump=DUMP_TEXT.replace("int", "bigint"), started=LATER)
    for node in cluster.nodes:
        assert node.data == "imported"
        assert sorted(node.kept.values(), key=str) == ["original", "written by clients"]


@pytest.mark.parametrize("by_itself", [True, False])
def test_pacemaker_is_made_to_look_again_only_where_it_does_not_find_the_cluster_by_itself(
    cluster: Cluster, by_itself: bool
) -> None:
    cluster.by_itself = by_itself
    run = restore(cluster)
    is_restored(cluster)
    done = {record.number for record in run.journal.records if record.outcome == "done"}
    assert cluster.refreshed is ("25b" in done) is not by_itself
    assert "21" not in done


def test_pacemaker_that_looked_while_the_containers_were_stopped_does_not_start_them_anew(cluster: Cluster) -> None:
    cluster.looks = True
    run = restore(cluster)
    is_restored(cluster)
    assert cluster.second_outages == 0
    assert [record.outcome for record in run.journal.records if record.number == "24a"] == ["done"] * 3


def test_where_pacemaker_does_not_adopt_the_cluster_it_is_restarted_as_documented(cluster: Cluster) -> None:
    cluster.adopts = False
    run = restore(cluster)
    is_restored(cluster)
    assert any("did not adopt" in finding for finding in run.journal.findings)
    assert "left out" in {record.outcome for record in run.journal.records if record.number == "21"}
    assert "done" in {record.outcome for record in run.journal.records if record.number == "21"}


def test_a_restart_in_place_of_an_adoption_is_not_taken_for_the_first_steps(cluster: Cluster) -> None:
    begun: list[str] = []
    first = cluster.nodes[0]
    cluster.adopts = False

    def unmanage(_: object) -> None:
        if cluster.members:
            begun.append(Journal.model_validate_json(first.journals["current.json"]).begun)
        cluster.managed = False

    first.order("pcs resource unmanage", do=unmanage)
    restore(cluster)
    assert begun
    assert "4" not in begun


def test_running_twice_restores_twice_and_keeps_both(cluster: Cluster) -> None:
    restore(cluster)
    for node in cluster.nodes:
        node.data = "written by clients"
    restore(cluster, started=LATER)
    for node in cluster.nodes:
        assert (node.data, node.server, node.rules) == ("imported", "member", 0)
        assert sorted(node.kept.values(), key=str) == ["original", "written by clients"]


def test_a_restart_in_place_of_an_adoption_can_be_interrupted_anywhere() -> None:
    def stubborn() -> Cluster:
        cluster = make_cluster()
        cluster.adopts = False
        return cluster

    for at in changes_of("adopt", adopts=False):
        cluster = stubborn()
        kill(cluster, at, after=at > 1)
        if "closed.json" not in cluster.nodes[0].journals:
            try:
                restore(cluster)
            except StepFailed as failure:
                raise AssertionError(f"killed at change {at}") from failure
        is_restored(cluster)
