"""resume-control-plane: whatever a backup has left paused or stopped runs again, and what can't is told by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.errors import RunbookError, Unreachable
from blocks.remote.shell import Shell
from flows.resume_control_plane import NAME, hosts, procedure
from tasks.engine.plan import Plan
from tasks.engine.run import Run, TakeUp
from tasks.engine.site import hosts_of
from tasks.engine.step import apply_change
from tasks.node.pausing import pause
from tasks.node.running import read_running
from tasks.runbooks.resume_control_plane.looking import Request, Resumption, conclude, look
from tests.unit.fakes import FakeClock, FakeShell, silent
from tests.unit.flows.golden import assert_golden
from tests.unit.tasks.node.node_model import HEALTH_CHECK, NodeModel
from tests.unit.tasks.samples import HOSTS, SITE, journal

pytestmark = pytest.mark.usefixtures("no_engine", "clock")

REQUEST = Request(("Controller",), start_s=0, drain_s=0)


@pytest.fixture
def nodes(tmp_path: Path) -> list[NodeModel]:
    return [NodeModel(tmp_path / name, name) for name in HOSTS]


def open_run(*shells: Shell) -> Run:
    return Run(NAME, SITE, {shell.name: shell for shell in shells}, False, journal(runbook=NAME))


def resume(*shells: Shell) -> tuple[Run, Resumption]:
    """A run, from the first look to its end."""
    run = open_run(*shells)
    job = look(run, REQUEST)
    run.begin(TakeUp(run.journal), run.journal.run_id)
    procedure(run, job)
    run.finish()
    conclude(job)
    return run, job


def hold(node: NodeModel) -> None:
    """As a backup does."""
    apply_change(node, pause(read_running(node), 60), silent)
    node.set_unit("pacemaker.service", "inactive")


def outcomes(run: Run) -> list[tuple[str, str]]:
    return list(dict.fromkeys((record.number, record.outcome) for record in run.journal.records))


def test_what_is_paused_and_stopped_runs_again_on_every_node(nodes: list[NodeModel]) -> None:
    was = [node.state for node in nodes]
    for node in nodes:
        hold(node)
    run, job = resume(*nodes)
    assert [node.state for node in nodes] == was
    assert job.summary.startswith(
        "controller-0: 2 containers are paused, 1 health checks are stopped, Pacemaker is stopped;"
    )
    assert outcomes(run) == [("1", "done"), ("2", "left out"), ("3", "done"), ("4", "done"), ("5", "left out")]


def test_where_half_of_it_is_done_the_rest_is(nodes: list[NodeModel]) -> None:
    was = [node.state for node in nodes]
    hold(nodes[0])
    nodes[0].set_container("keystone", "running")
    nodes[1].set_unit(HEALTH_CHECK, "inactive")
    _, job = resume(*nodes)
    assert [node.shell.name for node in job.held] == ["controller-0", "controller-1"]
    assert [node.state for node in nodes] == was


def test_running_it_again_changes_nothing(nodes: list[NodeModel]) -> None:
    hold(nodes[0])
    resume(*nodes)
    calls = [len(node.calls) for node in nodes]
    run, job = resume(*nodes)
    assert job.summary == "nothing is paused or stopped"
    assert [len(node.calls) for node in nodes] == calls
    assert outcomes(run) == [("1", "left out"), ("2", "left out"), ("3", "done"), ("4", "done"), ("5", "left out")]


def test_a_node_out_of_flow_control_is_set_back_once_its_queue_has_drained(nodes: list[NodeModel]) -> None:
    (nodes[1].folder / "desynced").touch()
    run, job = resume(*nodes)
    assert job.summary == "controller-1: wsrep_desync is on"
    assert not (nodes[1].folder / "desynced").exists()
    assert ("2", "done") in outcomes(run)


def test_a_queue_that_does_not_drain_is_told_and_the_node_stays_as_it_is(nodes: list[NodeModel]) -> None:
    (nodes[1].folder / "desynced").touch()
    (nodes[1].folder / "queue").touch()
    hold(nodes[0])
    with pytest.raises(RunbookError, match=r"controller-1: .* 'wsrep_desync is on: its receive queue has not drained'"):
        resume(*nodes)
    assert nodes[0].containers["keystone"] == "running", "all else is resumed"
    assert (nodes[1].folder / "desynced").exists()


def test_what_can_not_be_brought_back_is_named_and_hinders_nothing(nodes: list[NodeModel]) -> None:
    for node in nodes:
        hold(node)
    nodes[0].set_container("glance_api", "stopping")
    nodes[1].set_unit("tripleo_nova_api.service", "failed")
    nodes[2].set_unit(HEALTH_CHECK.replace(".timer", ".service"), "failed")
    with pytest.raises(RunbookError) as raised:
        resume(*nodes)
    said = str(raised.value)
    assert (
        "controller-0: container glance_api is stopping: a `podman stop` of it was killed; `podman kill glance_api`"
        in said
    )
    assert "controller-1: tripleo_nova_api.service has failed; see `systemctl status" in said
    assert "controller-2" not in said, "a health check that has failed is nothing to bring back"
    assert [node.containers["keystone"] for node in nodes] == ["running"] * 3


def test_timers_of_a_killed_run_are_done_with_so_that_none_fires_into_the_next_backup(nodes: list[NodeModel]) -> None:
    left = "openstack-runbooks-cleanup-0a1b2c3d4e"
    nodes[1].set_unit(f"{left}.timer", "active")
    nodes[1].set_unit(f"{left}.service", "inactive")
    run, _ = resume(*nodes)
    assert ("5", "done") in outcomes(run)
    assert nodes[1].calls == [f"start {left}.service", f"stop {left}.timer"]
    assert nodes[0].calls == []


def test_a_standby_attribute_that_came_with_an_image_is_told(nodes: list[NodeModel]) -> None:
    file = nodes[0].folder / "status.xml"
    file.write_text(file.read_text().replace('standby="false"', 'standby="true"', 1))
    with pytest.raises(RunbookError, match="controller-0: Pacemaker has this node in standby; `pcs node unstandby"):
        resume(nodes[0])


def test_a_cluster_that_does_not_start_is_told_and_containers_are_released(nodes: list[NodeModel]) -> None:
    hold(nodes[0])
    (nodes[0].folder / "no-cluster").touch()
    with pytest.raises(RunbookError, match=r"controller-0: .* 'Pacemaker does not run'"):
        resume(*nodes)
    assert nodes[0].containers["keystone"] == "running"


def test_a_node_whose_podman_hangs_keeps_no_other_paused(nodes: list[NodeModel]) -> None:
    for node in nodes:
        hold(node)
    nodes[1].hold("nova_api")
    with pytest.raises(RunbookError, match=r"by this runbook:\n  - controller-1: podman did not answer"):
        resume(*nodes)
    assert [node.containers["keystone"] for node in nodes] == ["running", "paused", "running"]


def test_where_no_node_answers_it_refuses(nodes: list[NodeModel]) -> None:
    dead = [FakeShell(name, otherwise=Unreachable(name, "no SSH session within 10 s")) for name in HOSTS]
    with pytest.raises(RunbookError, match="refuses to begin") as raised:
        look(open_run(*dead), REQUEST)
    assert all(name in str(raised.value) for name in HOSTS)


def test_a_host_without_power_can_be_left_out() -> None:
    site = SITE.model_copy(update={"roles": SITE.roles | {"Controller": list(HOSTS)}})
    groups = hosts(site, {})
    assert groups == ["mysql", "Controller"]
    assert [host.name for host in hosts_of(site, groups, ["controller-0"])] == ["controller-1", "controller-2"]
    with pytest.raises(RunbookError, match="has no host 'controller-9'"):
        hosts_of(site, groups, ["controller-9"])


def test_the_plan_is_the_golden_one(nodes: list[NodeModel], clock: FakeClock) -> None:
    for node in nodes:
        hold(node)
    nodes[2].set_unit("pacemaker.service", "active")
    (nodes[2].folder / "desynced").touch()
    nodes[2].set_unit("openstack-runbooks-cleanup-0a1b2c3d4e.timer", "active")
    plan = Plan()
    procedure(plan, look(open_run(*nodes), Request(("Controller",), 900, 3600)))
    assert_golden(NAME, plan)
