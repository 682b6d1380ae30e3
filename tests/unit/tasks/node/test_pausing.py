"""A node's containers are paused and released, whatever happens in between; just what was recorded runs again."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.command import Command
from blocks.remote.errors import CommandFailed, CommandTimedOut, WaitExpired
from tasks.engine.step import apply_change
from tasks.node.pausing import Held, check_as_before, pause, release_words, unpause
from tasks.node.running import Running, differences, may_be_paused, parse_running, read_running
from tests.unit.fakes import FakeClock, FakeShell, silent
from tests.unit.tasks.node.node_model import HEALTH_CHECK, NodeModel


@pytest.fixture
def node(tmp_path: Path) -> NodeModel:
    return NodeModel(tmp_path)


def release(node: NodeModel, before: Running, **options: object) -> None:
    """What the node's own timer does."""
    node.run(Command(release_words(Held.by_backup(before), **{"patience_s": 0, **options})))  # type: ignore[arg-type]


# -- what is recorded


def test_what_runs_is_recorded_with_units_health_checks_pacemaker_and_its_resources(node: NodeModel) -> None:
    before = read_running(node)
    assert before.to_pause == ("keystone", "nova_api")
    assert before.health_checks == (HEALTH_CHECK,)
    assert before.clustered
    assert before.resources.count("galera") == 3
    assert "ip-172.16.2.99" in before.resources
    assert str(before) == "5 containers, 1 health checks, Pacemaker active"


@pytest.mark.parametrize(
    "name",
    [
        *("galera-bundle-podman-0", "rabbitmq-bundle-podman-2", "ovn-dbs-bundle-docker-1"),
        *("mysql", "galera", "openstack-runbooks-drill-lab", "ovn_cluster_north_db_server"),
    ],
)
def test_databases_bundles_and_containers_of_our_own_are_not_paused(name: str) -> None:
    assert not may_be_paused(name)


def test_a_host_without_containers_and_without_a_cluster_has_nothing_to_pause() -> None:
    assert parse_running("\n").to_pause == ()
    assert str(parse_running("")) == "0 containers, 0 health checks"


def test_a_container_that_is_removed_between_list_and_look_is_no_error(node: NodeModel) -> None:
    ls = node.folder / "bin/podman"
    gone = (
        'if [ "$1" = container ] && [ ! -e "$S/once" ]; then touch "$S/once"; ls "$S/containers"; echo gone; exit; fi'
    )
    ls.write_text(ls.read_text().replace('case "$1" in', f'{gone}\ncase "$1" in', 1))
    assert "keystone" in read_running(node).to_pause
    assert (node.folder / "once").exists()


def test_a_podman_that_waits_for_a_stop_ends_the_look_by_its_time_limit(node: NodeModel) -> None:
    node.hold("nova_api")
    with pytest.raises(CommandTimedOut):
        read_running(node)


# -- pausing


def test_containers_are_paused_and_running_it_again_changes_nothing(node: NodeModel) -> None:
    before = read_running(node)
    assert apply_change(node, pause(before, 60), silent) == "done"
    assert [name for name, state in node.containers.items() if state == "paused"] == ["keystone", "nova_api"]
    assert node.containers["galera-bundle-podman-0"] == "running"
    assert apply_change(node, pause(before, 60), silent) == "already"


def test_health_checks_are_stopped_first_so_that_none_restarts_a_paused_container(node: NodeModel) -> None:
    before = read_running(node)
    apply_change(node, pause(before, 60), silent)
    node.tick()
    assert node.containers["keystone"] == "paused"
    assert node.calls[:2] == [f"stop {HEALTH_CHECK}", f"stop {HEALTH_CHECK.replace('.timer', '.service')}"]
    release(node, before)
    node.tick()
    assert node.units[HEALTH_CHECK] == "active"
    assert node.containers["keystone"] == "running"


def test_a_container_that_has_stopped_by_itself_is_passed_over(node: NodeModel) -> None:
    before = read_running(node)
    node.set_container("nova_api", "exited")
    apply_change(node, pause(before, 60), silent)
    assert node.containers["keystone"] == "paused"


def test_a_container_that_a_killed_stop_has_left_stopping_is_told_by_its_name(
    node: NodeModel, clock: FakeClock
) -> None:
    before = read_running(node)
    node.set_container("nova_api", "stopping")
    with pytest.raises(WaitExpired, match="last seen 'nova_api'"):
        apply_change(node, pause(before, 60), silent)
    assert read_running(node).in_state("stopping") == ["nova_api"]


# -- releasing


def test_a_node_releases_exactly_what_was_recorded_and_starts_its_cluster(node: NodeModel) -> None:
    node.set_container("paused_by_somebody", "paused")
    was, before = node.state, read_running(node)
    apply_change(node, pause(before, 60), silent)
    node.set_unit("pacemaker.service", "inactive")
    release(node, before, jobs="openstack-runbooks-rear-*.service")
    assert node.state == was
    assert node.containers["paused_by_somebody"] == "paused"
    assert node.calls[2:4] == ["stop openstack-runbooks-rear-*.service", "pcs cluster start"]


def test_releasing_what_is_not_paused_changes_nothing(node: NodeModel) -> None:
    was, before = node.state, read_running(node)
    release(node, before)
    release(node, before)
    assert node.state == was
    assert not any("pcs" in call for call in node.calls)


def test_a_node_that_is_half_paused_is_released_whole(node: NodeModel) -> None:
    was, before = node.state, read_running(node)
    node.set_container("nova_api", "paused")
    node.set_unit(HEALTH_CHECK, "inactive")
    release(node, before)
    assert node.state == was


def test_a_container_that_hangs_keeps_no_other_paused_and_is_told(node: NodeModel) -> None:
    before = read_running(node)
    apply_change(node, pause(before, 60), silent)
    node.hold("keystone")
    with pytest.raises(CommandFailed, match="not released within 0 s: keystone"):
        release(node, before)
    assert node.containers["nova_api"] == "running"
    node.hold()
    release(node, before)
    assert node.containers["keystone"] == "running"


def test_a_container_that_is_gone_meanwhile_is_not_waited_for(node: NodeModel) -> None:
    before = read_running(node)
    apply_change(node, pause(before, 60), silent)
    (node.folder / "containers/keystone").unlink()
    release(node, before)
    assert node.containers["nova_api"] == "running"


def test_containers_are_released_though_the_cluster_does_not_start(node: NodeModel) -> None:
    before = read_running(node)
    apply_change(node, pause(before, 60), silent)
    node.set_unit("pacemaker.service", "inactive")
    (node.folder / "no-cluster").touch()
    with pytest.raises(CommandFailed, match="not released within 0 s: Pacemaker"):
        release(node, before)
    assert node.containers["keystone"] == "running"


def test_a_host_that_had_no_cluster_gets_none(node: NodeModel) -> None:
    node.set_unit("pacemaker.service", "inactive")
    release(node, read_running(node))
    assert not any("pcs" in call for call in node.calls)


def test_the_step_unpauses_and_leaves_the_cluster_to_its_own_step(node: NodeModel) -> None:
    before = read_running(node)
    apply_change(node, pause(before, 60), silent)
    node.set_unit("pacemaker.service", "inactive")
    assert apply_change(node, unpause(before, 60), silent) == "done"
    assert node.units["pacemaker.service"] == "inactive"
    assert apply_change(node, unpause(before, 60), silent) == "already"


def test_what_is_held_is_found_by_looking(node: NodeModel) -> None:
    assert not Held.found(read_running(node))
    apply_change(node, pause(read_running(node), 60), silent)
    node.set_unit("pacemaker.service", "inactive")
    node.set_unit("tripleo_gone_healthcheck.timer", "inactive")
    held = Held.found(read_running(node))
    assert str(held) == "2 containers are paused, 1 health checks are stopped, Pacemaker is stopped"
    was = node.containers
    node.run(Command(release_words(held, patience_s=0)))
    assert node.containers != was
    assert not Held.found(read_running(node))
    assert node.units["tripleo_gone_healthcheck.timer"] == "inactive"


# -- afterwards


def test_what_does_not_run_again_is_told_by_its_name(node: NodeModel) -> None:
    before = read_running(node)
    node.set_container("nova_api", "exited")
    (node.folder / "containers/keystone").unlink()
    node.set_unit("tripleo_nova_api.service", "failed")
    node.set_unit(HEALTH_CHECK, "inactive")
    node.set_unit("pacemaker.service", "inactive")
    assert differences(before, read_running(node)) == [
        "container keystone is gone",
        "container nova_api is exited",
        f"{HEALTH_CHECK} is inactive",
        "tripleo_nova_api.service is failed",
        "Pacemaker is inactive",
        *(f"resource {name} does not run" for name in sorted(set(before.resources))),
    ]


def test_a_bundle_s_container_that_pacemaker_has_moved_is_not_missed_while_its_resource_runs(node: NodeModel) -> None:
    before = read_running(node)
    (node.folder / "containers/haproxy-bundle-podman-0").unlink()
    node.set_container("haproxy-bundle-podman-1", "running")
    assert differences(before, read_running(node)) == []


def test_it_is_waited_until_all_of_it_runs_again(node: NodeModel, clock: FakeClock) -> None:
    before = read_running(node)
    assert apply_change(node, check_as_before(before, 60), silent) == "done"
    node.set_container("nova_api", "exited")
    with pytest.raises(WaitExpired, match="container nova_api is exited"):
        apply_change(node, check_as_before(before, 60), silent)


def test_while_pacemaker_starts_its_resources_do_not_run(node: NodeModel) -> None:
    text = "container a running\ncluster Pacemaker active\n"
    starting = FakeShell().on("crm_mon", say=102).on("podman", say=text)
    assert read_running(starting).resources == ()
