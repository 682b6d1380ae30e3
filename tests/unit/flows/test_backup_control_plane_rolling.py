"""backup-control-plane, rolling: one node at a time is out of the cluster, and no other leaves before it is back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from blocks.remote.command import Command
from blocks.remote.errors import Refused, RunbookError
from flows.backup_control_plane import procedure_with_images
from tasks.engine.cleanup import clean_up
from tasks.engine.plan import Plan
from tasks.engine.run import TakeUp
from tests.unit.flows.backups import Killed
from tests.unit.flows.golden import assert_golden
from tests.unit.flows.imaged_cluster import ROLLING, Imaged, make_imaged
from tests.unit.flows.imaged_hosts import ImagedHost
from tests.unit.tasks.crm import Replica, pacemaker_1_1
from tests.unit.tasks.node.node_model import HEALTH_CHECK
from tests.unit.tasks.samples import HOSTS

# The first one holds the virtual address, and is the last.
ORDER = ("controller-1", "controller-2", "controller-0")
pytestmark = pytest.mark.usefixtures("no_engine", "clock")


@pytest.fixture
def imaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Imaged:
    return make_imaged(tmp_path, monkeypatch)


def images(imaged: Imaged) -> list[str]:
    """The hosts of which there is an image, whole or not."""
    return [host.shell.name for host in imaged.hosts if (imaged.store / host.shell.name).exists()]


def test_one_node_at_a_time_leaves_the_cluster_and_nothing_is_paused(imaged: Imaged) -> None:
    away: list[tuple[str, ...]] = []

    def look() -> None:
        gone = tuple(name for name in HOSTS if name not in imaged.in_cluster)
        if not away or away[-1] != gone:
            away.append(gone)
        for host in imaged.hosts:
            assert "paused" not in host.node.containers.values()
            assert host.node.units[HEALTH_CHECK] == "active"

    imaged.in_every_state(look)
    run, whole = imaged.back_up(ROLLING)
    assert away == [(), ("controller-1",), (), ("controller-2",), (), ("controller-0",)]
    assert imaged.is_as_before()
    assert len(list(imaged.store.rglob("SHA256SUMS"))) == 3
    assert run.journal.cleanups == []
    assert "while one of 3 nodes at a time has left the cluster" in whole.imaging.summary


def test_the_plan_is_the_golden_one(imaged: Imaged) -> None:
    _, whole = imaged.look(ROLLING)
    whole.backup.store.base = "/backups/lab"
    plan = Plan()
    procedure_with_images(plan, whole._replace(imaging=replace(whole.imaging, root="/backups")))
    assert_golden("backup-control-plane-rolling", plan)


def test_a_node_leaves_without_an_attribute_that_its_image_would_hold(imaged: Imaged) -> None:
    imaged.back_up(ROLLING)
    typed = [" ".join(one.words) for host in imaged.hosts for one in host.shell.ran]
    assert any("pcs cluster stop" in words for words in typed)
    assert not any(
        word in words for words in typed for word in ("standby", "maintenance", "crm_attribute", "resource ban")
    )


def test_nodes_of_no_cluster_are_imaged_where_they_are(imaged: Imaged) -> None:
    networker = imaged.hosts[2]
    (networker.node.folder / "etc/corosync/corosync.conf").unlink()
    (networker.node.folder / "containers" / networker.shell.container).unlink()
    networker.node.set_unit("pacemaker.service", "inactive")
    site = imaged.world.site
    imaged.world.site = site.model_copy(update={"roles": site.roles | {"mysql": list(HOSTS[:2])}})
    imaged.before = [host.node.state for host in imaged.hosts]
    order: list[str] = []

    def note_and_image(host: ImagedHost) -> int:
        order.append(host.shell.name)
        return imaged.image_of(host)

    for host in imaged.hosts:
        host.image = lambda host=host: note_and_image(host)  # type: ignore[misc]
    imaged.back_up(ROLLING)
    assert order == ["controller-2", "controller-1", "controller-0"]
    assert not any("pcs cluster" in " ".join(one.words) for one in networker.shell.ran if "release" not in one.words)


# -- no second node leaves


def lose(imaged: Imaged, number: int) -> None:
    """As a node's image is made, the database of another one falls out of the cluster."""
    image = imaged.hosts[number].image

    def fall_out() -> int:
        imaged.hosts[2].shell.state = "Joining"
        return image()

    imaged.hosts[number].image = fall_out


def test_while_a_database_is_not_synced_no_other_node_leaves(imaged: Imaged) -> None:
    lose(imaged, 1)
    with pytest.raises(RunbookError, match=r"step 3i\.1 .* controller-2: .*'controller-2: Joining, Primary'"):
        imaged.back_up(ROLLING)
    assert images(imaged) == ["controller-1"]
    assert imaged.is_as_before()


def test_while_a_database_is_out_of_flow_control_no_other_node_leaves(imaged: Imaged) -> None:
    def desync() -> int:
        imaged.hosts[2].shell.desynced = True
        return imaged.image_of(imaged.hosts[1])

    imaged.hosts[1].image = desync
    with pytest.raises(RunbookError, match=r"step 3i\.1 .* controller-2: .*wsrep_desync is on"):
        imaged.back_up(ROLLING)
    assert images(imaged) == ["controller-1"]


def test_while_pacemaker_has_not_promoted_all_no_other_node_leaves(imaged: Imaged) -> None:
    def demote() -> int:
        file = imaged.hosts[0].node.folder / "status.xml"
        file.write_text(file.read_text().replace('role="Master"', 'role="Slave"', 1))
        return imaged.image_of(imaged.hosts[1])

    imaged.hosts[1].image = demote
    with pytest.raises(RunbookError, match=r"step 3n .* controller-0: .*2 of 3 Promoted"):
        imaged.back_up(ROLLING)
    assert images(imaged) == ["controller-1"]
    assert imaged.is_as_before()


def test_while_something_does_not_run_again_no_other_node_leaves(imaged: Imaged) -> None:
    def lose_nova() -> int:
        imaged.hosts[1].node.set_container("nova_api", "exited")
        return imaged.image_of(imaged.hosts[1])

    imaged.hosts[1].image = lose_nova
    with pytest.raises(RunbookError, match=r"step 3p .* controller-1: .*container nova_api is exited"):
        imaged.back_up(ROLLING)
    assert images(imaged) == ["controller-1"]
    assert imaged.in_cluster == list(HOSTS)


def test_a_cluster_that_is_not_whole_after_the_dump_is_left_by_no_node(imaged: Imaged) -> None:
    def become_donor(_: Command) -> str:
        imaged.hosts[2].shell.state = "Donor/Desynced"
        return ""

    for host in imaged.hosts:
        host.shell.on("config backup", say=become_donor)
    with pytest.raises(RunbookError, match=r"step 3i\.1 .* controller-2: .*Donor/Desynced"):
        imaged.back_up(ROLLING)
    assert images(imaged) == []
    assert imaged.is_as_before()


# -- never left out of the cluster


def test_whenever_it_is_killed_the_node_joins_again_by_itself(imaged: Imaged) -> None:
    def killed() -> None:
        imaged.release_by_themselves()
        assert imaged.is_as_before(), "a node stays out of the cluster"

    imaged.in_every_state(killed)
    imaged.back_up(ROLLING)
    assert len(imaged.states) > 9
    assert imaged.is_as_before()


def test_whenever_it_crashes_the_hooks_have_the_node_join_again(imaged: Imaged) -> None:
    run, whole = imaged.look(ROLLING)
    run.begin(TakeUp(run.journal), run.journal.run_id)

    def crashed() -> None:
        due = [cleanup for cleanup in run.journal.cleanups if cleanup.key in {"left the cluster", "desync"}]
        assert clean_up(due, run.shells, lambda _: None) == []
        assert imaged.is_as_before(), "a node stays out of the cluster"

    imaged.in_every_state(crashed)
    procedure_with_images(run, whole)
    assert len(imaged.states) > 9


@pytest.mark.parametrize("name", ORDER)
def test_where_rear_fails_the_node_joins_again_and_no_other_leaves(imaged: Imaged, name: str) -> None:
    imaged.hosts[HOSTS.index(name)].image = lambda: 1
    with pytest.raises(RunbookError, match=rf"step 3l .* failed on {name}: .*exit code 1"):
        imaged.back_up(ROLLING)
    assert imaged.is_as_before()
    assert set(images(imaged)) == set(ORDER[: ORDER.index(name)])
    assert list(imaged.store.rglob("SHA256SUMS")) == []


def test_a_node_whose_network_is_cut_joins_again_by_itself(imaged: Imaged) -> None:
    def cut() -> int:
        imaged.hosts[1].shell.off = True
        return 0

    imaged.hosts[1].image = cut
    with pytest.raises(RunbookError, match="controller-1"):
        imaged.back_up(ROLLING)
    assert imaged.in_cluster == ["controller-0", "controller-2"]
    imaged.hosts[1].shell.off = False
    imaged.hosts[1].shell.fire()
    assert imaged.is_as_before()


def test_started_again_while_a_node_is_out_of_the_cluster_it_refuses(imaged: Imaged) -> None:
    def die() -> int:
        imaged.world.kill()
        raise Killed

    imaged.hosts[1].image = die
    with pytest.raises(Killed):
        imaged.back_up(ROLLING)
    imaged.world.start_again()
    imaged.hosts[1].image = lambda: imaged.image_of(imaged.hosts[1])
    with pytest.raises(Refused) as raised:
        imaged.back_up(ROLLING)
    assert "controller-1: Pacemaker is stopped there; start resume-control-plane" in str(raised.value)
    imaged.release_by_themselves()
    imaged.back_up(ROLLING)
    assert imaged.is_as_before()


# -- what refuses


def test_a_cluster_that_can_spare_no_node_refuses(imaged: Imaged) -> None:
    file = imaged.hosts[0].node.folder / "status.xml"
    text = file.read_text()
    start = text.index('<node name="controller-2"')
    file.write_text(text[:start] + text[text.index("/>", start) + 2 :])
    with pytest.raises(Refused) as raised:
        imaged.back_up(ROLLING)
    said = 'of 2 nodes none can leave: with it the quorum would go; use availability="pause"'
    assert said in str(raised.value)


def test_a_galera_of_one_node_refuses(imaged: Imaged) -> None:
    (imaged.hosts[0].node.folder / "status.xml").write_text(pacemaker_1_1([Replica("Master")]))
    with pytest.raises(Refused) as raised:
        imaged.back_up(ROLLING)
    assert 'Galera has 1 node: when it leaves, nobody serves; use availability="pause"' in str(raised.value)


def test_nodes_that_get_no_image_stay_in_the_cluster_and_refuse_nothing(imaged: Imaged) -> None:
    site = imaged.world.site
    imaged.world.site = site.model_copy(
        update={"roles": site.roles | {"Messaging": ["controller-2"], "mysql": list(HOSTS)}}
    )
    imaged.back_up(replace(ROLLING, roles=("Messaging",)))
    assert imaged.is_as_before()
